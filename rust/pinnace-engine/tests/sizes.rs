//! What the levels promise of sizes, against GNU gzip on the same tar, for the build's libraries and for zlib-rs.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../benches/realistic.rs"]
mod realistic;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use flate2::read::MultiGzDecoder;
use pinnace_engine::archive::{Archive, Folder};
use pinnace_engine::deflate::zlib_rs::ZlibRs;
use pinnace_engine::deflate::{Deflate, Level};
use pinnace_engine::member::MEMBER_BYTES;
use pinnace_engine::page::{Page, PageSpec};
use serde_json::Value;

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    plain
}

/// The engine's archive of what Velero's own archive of the golden cluster holds: 1.3 MB, of which CRDs are the most.
fn golden_archive(level: Level) -> Vec<u8> {
    let velero = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/bucket/backups/golden-all/golden-all.tar.gz");
    let tar = gunzip(&std::fs::read(velero).expect("the golden archive"));
    let mut archive = Archive::new(level, 1_700_000_000, 2).expect("threads");
    for entry in tar::Archive::new(tar.as_slice()).entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let (Some(group_resource), Some("namespaces" | "cluster")) = (path.split('/').nth(1), path.split('/').nth(2))
        else {
            continue;
        };
        let mut json = Vec::new();
        entry.read_to_end(&mut json).expect("an item");
        let item: Value = serde_json::from_slice(&json).expect("JSON");
        let (api_version, kind) = (item["apiVersion"].as_str().expect("text"), item["kind"].as_str().expect("text"));
        let folder = Folder::new(group_resource, api_version, true).expect("a folder");
        assert!(archive.add_item(folder, &json, api_version, kind, false).expect("an item"));
    }
    archive.finish().expect("an archive");
    archive.take_archive()
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

/// Bytes of all members of `tar` by zlib-rs, which must unpack to it.
fn zlib_rs_bytes(tar: &[u8], level: Level) -> usize {
    let mut encoder = ZlibRs::new(level);
    let members: Vec<_> = tar.chunks(MEMBER_BYTES).map(|part| encoder.member(part, &[]).expect("a member")).collect();
    assert!(gunzip(&members.concat()) == tar);
    members.iter().map(Vec::len).sum()
}

#[test]
fn default_is_at_most_a_tenth_larger_than_gzip_6_and_small_is_not_larger_than_default() {
    for (name, archive) in [("golden", golden_archive as fn(Level) -> Vec<u8>), ("generated", generated_archive)] {
        let archives = [Level::Fast, Level::Default, Level::Small].map(archive);
        let [fast_tar, default_tar, small_tar] = [0, 1, 2].map(|place: usize| gunzip(&archives[place]));
        assert!(fast_tar == default_tar && default_tar == small_tar);
        let gzip_6 = gzip_6_bytes(&default_tar);
        let [fast, default, small] = archives.map(|archive| archive.len());
        let zlib_rs = [Level::Fast, Level::Small].map(|level| zlib_rs_bytes(&default_tar, level));
        for (fast, small) in [(fast, small), (zlib_rs[0], zlib_rs[1])] {
            let found = format!("{name}: fast {fast}, default {default}, small {small}, gzip -6 {gzip_6}");
            assert!(default * 100 <= gzip_6 * 110, "{found}");
            assert!(small * 100 <= gzip_6 * 104, "{found}");
            assert!(small <= default && default <= fast, "{found}");
        }
    }
}
