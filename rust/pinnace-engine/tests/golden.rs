//! From the list pages of a real apiserver come the item files that the real Velero 1.18.1 wrote, byte for byte.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use pinnace_engine::page::PageSpec;
use serde_json::Value;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn identity(item: &str) -> String {
    let item: Value = serde_json::from_str(item).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &item["metadata"];
    let parts = [&item["apiVersion"], &item["kind"], &metadata["namespace"], &metadata["name"]];
    format!("{}@{}", parts.map(text).join("/"), text(&metadata["resourceVersion"]))
}

/// Canonical items of all list pages, by identity and resourceVersion.
fn items_of_pages(chunk_bytes: usize) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(golden().join("cluster")).expect("pages") {
        let path = entry.expect("entry").path();
        let body = fs::read(&path).expect("page");
        let list: Value = serde_json::from_slice(&body).expect("JSON");
        let Some(kind) = list["kind"].as_str().and_then(|kind| kind.strip_suffix("List")) else { continue };
        if !list["items"].is_array() || path.to_string_lossy().contains("discovery-") {
            continue;
        }
        let spec = PageSpec::new(list["apiVersion"].as_str().unwrap_or_default(), kind);
        let (items, summary) = common::read(spec, &body, chunk_bytes);
        summary.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        found.extend(items.into_iter().map(|item| (identity(&item), item)));
    }
    found
}

/// Item files of one golden backup, by path.
fn item_files(backup: &str) -> BTreeMap<String, String> {
    let path = golden().join(format!("bucket/backups/{backup}/{backup}.tar.gz"));
    let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(fs::File::open(path).expect("archive")));
    let mut files = BTreeMap::new();
    for entry in archive.entries().expect("entries") {
        let mut entry = entry.expect("entry");
        let path = entry.path().expect("path").to_string_lossy().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        if path.starts_with("resources/") {
            files.insert(path, text);
        }
    }
    files
}

#[test]
fn every_item_file_of_the_same_resource_version_equals_velero_s() {
    let pages = items_of_pages(4096);
    let (mut equal, mut without_page) = (0, Vec::new());
    for backup in ["golden-all", "golden-namespace", "golden-selector", "golden-resources", "golden-newfilters"] {
        for (path, text) in item_files(backup) {
            match pages.get(&identity(&text)) {
                Some(ours) => {
                    assert_eq!(*ours, text, "{backup}: {path}");
                    equal += 1;
                }
                None => without_page.push(path),
            }
        }
    }
    assert_eq!(without_page, Vec::<String>::new());
    assert_eq!(equal, 574);
}

#[test]
fn chunks_do_not_change_what_is_written() {
    let whole = items_of_pages(usize::MAX);
    for chunk_bytes in [1, 7, 64, 65, 1000] {
        assert_eq!(items_of_pages(chunk_bytes), whole, "chunks of {chunk_bytes}");
    }
}
