//! MB/s of page bytes through the engine, a thread count a line: `bench_engine BODY LEVEL SECONDS THREADS...`;
//! `bench_engine generate BODY TAR MEGABYTES` writes a realistic BODY and the TAR that the engine makes of it.
//!
//! `BODY` is a file with one list response; it is fed again and again as pages of ConfigMaps in 1 MiB chunks.

#[path = "../benches/realistic.rs"]
mod realistic;

use std::io::Read;
use std::time::{Duration, Instant};

use pinnace_engine::archive::{Archive, Folder};
use pinnace_engine::deflate::{self, Level};
use pinnace_engine::error::EngineError;
use pinnace_engine::page::{Page, PageSpec};

const CHUNK_BYTES: usize = 1 << 20;

struct Measured {
    page_bytes: u64,
    tar_bytes: u64,
    archive_bytes: u64,
    seconds: f64,
}

fn measure(body: &[u8], level: Level, threads: usize, at_least: Duration) -> Result<Measured, EngineError> {
    let mut archive = Archive::new(level, 1_700_000_000, threads)?;
    let started = Instant::now();
    let mut page_bytes = 0;
    while started.elapsed() < at_least {
        archive.enter(Folder::new("configmaps", "v1", true)?);
        let mut page = Page::new(PageSpec::new("v1", "ConfigMap"));
        for chunk in body.chunks(CHUNK_BYTES) {
            page.feed(chunk, &mut archive)?;
            std::hint::black_box((archive.take_archive(), archive.take_index()));
        }
        page_bytes += page.finish()?.page_bytes;
    }
    let digest = archive.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(Measured { page_bytes, tar_bytes: digest.tar_bytes, archive_bytes: digest.archive_bytes, seconds })
}

/// Write a list response and, as the other side of the comparison, its plain tar.
fn generate(body_path: &str, tar_path: &str, megabytes: &str) -> Result<(), Box<dyn std::error::Error>> {
    let body = realistic::body(megabytes.parse::<usize>()? * 1_000_000, 9)?;
    std::fs::write(body_path, &body)?;
    let mut archive = Archive::new(Level::Fast, 1_700_000_000, 1)?;
    archive.enter(Folder::new("configmaps", "v1", true)?);
    let mut page = Page::new(PageSpec::new("v1", "ConfigMap"));
    page.feed(&body, &mut archive)?;
    page.finish()?;
    archive.finish()?;
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(archive.take_archive().as_slice()).read_to_end(&mut tar)?;
    Ok(std::fs::write(tar_path, tar)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, body, tar, megabytes] = arguments.as_slice()
        && command == "generate"
    {
        return generate(body, tar, megabytes);
    }
    let [body, level, seconds, threads @ ..] = arguments.as_slice() else {
        return Err("usage: bench_engine BODY fast|default|small SECONDS THREADS...".into());
    };
    let body = std::fs::read(body)?;
    let level = Level::named(level).ok_or("level: fast, default or small")?;
    let at_least = Duration::from_secs_f64(seconds.parse()?);
    for threads in threads {
        let measured = measure(&body, level, threads.parse()?, at_least)?;
        let rate = measured.page_bytes as f64 / measured.seconds / 1e6;
        let ratio = measured.tar_bytes as f64 / measured.archive_bytes as f64;
        println!("{} {level:?} threads={threads} MB/s={rate:.0} tar/archive={ratio:.2}", deflate::LIBRARY);
    }
    Ok(())
}
