//! The fuzz targets' bodies, replayed on seeds and on every small mutation of them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fuzz_bodies;

use std::fs;
use std::path::PathBuf;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).expect("seeds").map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.into_iter().map(|path| fs::read(path).expect("seed")).collect()
}

/// Cut at every byte, and every byte replaced by ones that matter to JSON.
fn replay(target: &str, body: fn(&[u8])) {
    for seed in seeds(target) {
        for place in 0..=seed.len() {
            body(&seed[..place]);
            if place == seed.len() {
                continue;
            }
            let mut mutated = seed.clone();
            for replacement in *b"\"\\{}[]:,0-e\x00\xff u<" {
                mutated[place] = replacement;
                body(&mutated);
            }
        }
    }
}

#[test]
fn pages_hold_what_the_fuzz_target_checks() {
    replay("page", fuzz_bodies::page);
}

#[test]
fn canonical_values_hold_what_the_fuzz_target_checks() {
    replay("canonical", fuzz_bodies::canonical);
}
