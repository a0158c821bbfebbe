//! An archive is a tar in gzip members, the same for any number of threads, and its index finds each item alone.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read;

use flate2::read::MultiGzDecoder;
use pinnace_engine::archive::{Archive, Digest, Folder};
use pinnace_engine::deflate::{Level, member};
use pinnace_engine::page::{Page, PageSpec};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn body_of(item_count: usize) -> Vec<u8> {
    let item = |number: usize| {
        let noise = Sha256::digest(number.to_le_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let filler = "a little text that repeats, ".repeat(60);
        format!(r#"{{"metadata":{{"name":"n{number}","namespace":"ns"}},"data":{{"k":"{noise}{filler}<{number}>"}}}}"#)
    };
    format!(r#"{{"items":[{}]}}"#, (0..item_count).map(item).collect::<Vec<_>>().join(",")).into_bytes()
}

fn folder() -> Folder {
    Folder { group_resource: "configmaps".into(), version: "v1".into(), preferred: true }
}

fn archived(body: &[u8], level: Level, threads: usize) -> (Vec<u8>, String, Digest) {
    let mut archive = Archive::new(level, 1_700_000_000, threads);
    let (mut bytes, mut index) = (Vec::new(), String::new());
    archive.enter(folder());
    let mut page = Page::new(PageSpec::new("v1", "ConfigMap"));
    for chunk in body.chunks(65_536) {
        page.feed(chunk, &mut archive).expect("a page");
        bytes.extend(archive.take_archive());
        index.push_str(&archive.take_index());
    }
    page.finish().expect("a list");
    let digest = archive.finish().expect("an archive");
    bytes.extend(archive.take_archive());
    index.push_str(&archive.take_index());
    (bytes, index, digest)
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    plain
}

#[test]
fn the_number_of_threads_does_not_show() {
    let body = body_of(3000);
    let single = archived(&body, Level::Default, 1);
    assert!(single.2.member_count > 5);
    for threads in [0, 2, 3, 8] {
        assert!(archived(&body, Level::Default, threads) == single, "{threads} threads");
    }
}

#[test]
fn the_digest_is_of_the_bytes() {
    let (bytes, _, digest) = archived(&body_of(1000), Level::Fast, 2);
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((digest.archive_bytes, digest.archive_sha256), (bytes.len() as u64, sha256));
    assert_eq!((digest.tar_bytes, digest.item_count), (gunzip(&bytes).len() as u64, 1000));
}

#[test]
fn each_item_is_written_under_both_paths_after_the_version() {
    let (bytes, _, _) = archived(&body_of(2), Level::Small, 1);
    let plain = gunzip(&bytes);
    let paths: Vec<_> = tar::Archive::new(plain.as_slice())
        .entries()
        .expect("entries")
        .map(|entry| entry.expect("entry").path().expect("path").to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        paths,
        [
            "metadata/version",
            "resources/configmaps/namespaces/ns/n0.json",
            "resources/configmaps/v1-preferredversion/namespaces/ns/n0.json",
            "resources/configmaps/namespaces/ns/n1.json",
            "resources/configmaps/v1-preferredversion/namespaces/ns/n1.json",
        ]
    );
}

#[test]
fn the_index_finds_each_item_by_its_member_alone() {
    let (bytes, index, _) = archived(&body_of(1500), Level::Default, 2);
    assert_eq!(index.lines().count(), 1500);
    for line in index.lines().step_by(97) {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let number = |value: &Value| usize::try_from(value.as_u64().expect("number")).expect("small");
        let (start, length) = (number(&entry["member"][0]), number(&entry["member"][1]));
        let plain = gunzip(&bytes[start..start + length]);
        let item = &plain[number(&entry["offset"])..][..number(&entry["length"])];
        let found: Value = serde_json::from_slice(item).expect("an item");
        assert_eq!(found["metadata"]["name"], entry["name"]);
        let sha256: String = Sha256::digest(item).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(entry["sha256"], sha256);
    }
}

/// Velero's own tar of the golden cluster, both copies of each item in it.
fn golden_tar() -> Vec<u8> {
    let archive =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/bucket/backups/golden-all/golden-all.tar.gz");
    gunzip(&std::fs::read(archive).expect("the golden archive"))
}

/// What GNU gzip 1.12 makes of [`golden_tar`] by `gzip -6`.
const GZIP_6_BYTES: usize = 75_401;

#[test]
fn the_default_level_is_at_most_a_tenth_larger_than_gzip_6() {
    let text = golden_tar();
    let size = |level| member(level, &text).expect("gzip").len();
    let (fast, default, small) = (size(Level::Fast), size(Level::Default), size(Level::Small));
    assert!(small <= GZIP_6_BYTES && default * 10 <= GZIP_6_BYTES * 11, "{fast} {default} {small}");
    assert!(default <= fast, "{fast} {default} {small}");
}
