//! Tells the crate from which commit, for which target and in which profile it is built.

use std::env;
use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn main() {
    let of_cargo = |name| env::var(name).unwrap_or_else(|_| "unknown".to_owned());
    let commit = env::var("PINNACE_COMMIT").ok().or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    println!("cargo::rustc-env=PINNACE_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=PINNACE_TARGET={}", of_cargo("TARGET"));
    println!("cargo::rustc-env=PINNACE_PROFILE={}", of_cargo("PROFILE"));
    println!("cargo::rerun-if-env-changed=PINNACE_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
}
