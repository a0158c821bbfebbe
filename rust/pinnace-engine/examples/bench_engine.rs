//! MB/s of page bytes through the engine, a thread count a line: `bench_engine BODY LEVEL SECONDS THREADS...`;
//! `bench_engine generate BODY TAR MEGABYTES` writes a realistic BODY and the TAR that the engine makes of it.
//!
//! `BODY` is a file with one list response; it is fed again and again, each time as a kind of its own, in 1 MiB chunks.
//! Thread counts take turns in rounds of SECONDS, and a line is the best round: other work on the machine only slows one.
//! Each takes a turn with nothing asked of its items, and one with the paths that are asked of pods, which no item has.

#[path = "../benches/realistic.rs"]
mod realistic;

use std::io::Read;
use std::time::{Duration, Instant};

use pinnace_engine::archive::{Archive, Folder};
use pinnace_engine::deflate::{self, Level};
use pinnace_engine::error::EngineError;
use pinnace_engine::held::Hold;
use pinnace_engine::page::{Page, PageSpec};

const CHUNK_BYTES: usize = 1 << 20;
const ROUNDS: usize = 5;

/// One round.
#[derive(Clone, Copy, Default)]
struct Measured {
    megabytes_per_second: f64,
    ratio: f64,
}

/// What is asked of pods, under keys that no item has: all is looked for and nothing found.
const ASKED: [[&str; 3]; 6] = [
    ["spec", "volumes", "persistentVolumeClaim-"],
    ["spec", "-", "priorityClassName-"],
    ["metadata", "annotations", "pre.hook.backup.velero.io/command"],
    ["metadata", "annotations", "post.hook.backup.velero.io/command"],
    ["metadata", "annotations", "hook.backup.velero.io/command"],
    ["metadata", "annotations", "backup.velero.io/backup-volumes"],
];

fn asked(count: usize) -> Hold {
    Hold::default().at_paths(ASKED[..count].iter().map(|path| path.map(str::to_owned).to_vec()).collect())
}

fn measure(
    body: &[u8],
    level: Level,
    (threads, asked_count): (usize, usize),
    at_least: Duration,
) -> Result<Measured, EngineError> {
    let mut archive = Archive::new(level, 1_700_000_000, threads)?;
    let started = Instant::now();
    let mut page_bytes = 0;
    for pass in 0.. {
        if started.elapsed() >= at_least {
            break;
        }
        archive.enter(Folder::new(&format!("configmaps{pass}"), "v1", true)?);
        let hold = asked(asked_count);
        let mut page = Page::new(PageSpec { hold, ..PageSpec::new("v1", format!("ConfigMap{pass}")) });
        for chunk in body.chunks(CHUNK_BYTES) {
            page.feed(chunk, &mut archive)?;
            std::hint::black_box((archive.take_archive(), archive.take_index()));
        }
        page_bytes += page.finish()?.page_bytes;
    }
    let digest = archive.finish()?;
    Ok(Measured {
        megabytes_per_second: page_bytes as f64 / started.elapsed().as_secs_f64() / 1e6,
        ratio: digest.tar_bytes as f64 / digest.archive_bytes as f64,
    })
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
    let threads: Vec<usize> = threads.iter().map(|count| count.parse()).collect::<Result<_, _>>()?;
    let turns: Vec<_> = threads.into_iter().flat_map(|threads| [(threads, 0), (threads, ASKED.len())]).collect();
    let mut best = vec![Measured::default(); turns.len()];
    for _ in 0..ROUNDS {
        for (best, &turn) in best.iter_mut().zip(&turns) {
            let measured = measure(&body, level, turn, at_least)?;
            if measured.megabytes_per_second > best.megabytes_per_second {
                *best = measured;
            }
        }
    }
    for (Measured { megabytes_per_second, ratio }, (threads, asked)) in best.into_iter().zip(turns) {
        let library = deflate::LIBRARY;
        println!(
            "{library} {level:?} threads={threads} asked={asked} MB/s={megabytes_per_second:.0} tar/archive={ratio:.2}"
        );
    }
    Ok(())
}
