//! What the levels promise of sizes, against GNU gzip on the same tar, for the build's libraries and for zlib-rs.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../benches/realistic.rs"]
mod realistic;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use flate2::read::MultiGzDecoder;
use pinnace_engine::archive::{Archive, Folder};
use pinnace_engine::deflate::zlib_rs::ZlibRs;
use pinnace_engine::deflate::{self, Deflate, Level};
use pinnace_engine::member::MEMBER_BYTES;
use pinnace_engine::page::{Page, PageSpec};

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    plain
}

/// Velero's own tar of the golden cluster: 1.3 MB, of which CRDs are the most.
fn golden_tar() -> Vec<u8> {
    let archive =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/bucket/backups/golden-all/golden-all.tar.gz");
    gunzip(&std::fs::read(archive).expect("the golden archive"))
}

/// The engine's archive of 4 MB of varied golden items.
fn generated_archive(level: Level) -> Vec<u8> {
    let mut archive = Archive::new(level, 1_700_000_000, 2).expect("threads");
    archive.enter(Folder::new("configmaps", "v1", true).expect("a folder"));
    let mut page = Page::new(PageSpec::new("v1", "ConfigMap"));
    page.feed(&realistic::body(4_000_000, 9).expect("golden items"), &mut archive).expect("a page");
    page.finish().expect("a list");
    archive.finish().expect("an archive");
    archive.take_archive()
}

/// Bytes that `gzip -6`, what Velero's size is near to, makes of the whole of `tar`.
fn gzip_6_bytes(tar: &[u8]) -> usize {
    let mut gzip =
        Command::new("gzip").arg("-6c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("GNU gzip");
    let mut input = gzip.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(tar).expect("gzip reads"));
        gzip.wait_with_output().expect("gzip ends").stdout.len()
    })
}

/// Bytes of all members of `tar`, which must unpack to it.
fn member_bytes(tar: &[u8], mut encoder: Box<dyn Deflate>) -> usize {
    let members: Vec<_> = tar.chunks(MEMBER_BYTES).map(|part| encoder.member(part).expect("a member")).collect();
    assert!(gunzip(&members.concat()) == tar);
    members.iter().map(Vec::len).sum()
}

#[test]
fn default_is_at_most_a_tenth_larger_than_gzip_6_and_small_is_not_larger_than_default() {
    for (name, tar) in [("golden", golden_tar()), ("generated", gunzip(&generated_archive(Level::Fast)))] {
        let gzip_6 = gzip_6_bytes(&tar);
        for encoder in [deflate::encoder, |level| Box::new(ZlibRs::new(level)) as Box<dyn Deflate>] {
            let [fast, default, small] =
                [Level::Fast, Level::Default, Level::Small].map(|level| member_bytes(&tar, encoder(level)));
            let found = format!("{name}: fast {fast}, default {default}, small {small}, gzip -6 {gzip_6}");
            assert!(default * 100 <= gzip_6 * 110, "{found}");
            assert!(small * 100 <= gzip_6 * 104, "{found}");
            assert!(small <= default && default <= fast, "{found}");
        }
    }
}

#[test]
fn the_archive_of_the_default_level_keeps_the_promise_whole() {
    let archive = generated_archive(Level::Default);
    let (bytes, gzip_6) = (archive.len(), gzip_6_bytes(&gunzip(&archive)));
    assert!(bytes * 100 <= gzip_6 * 110, "{bytes}, gzip -6 {gzip_6}");
}
