//! Tar bytes are those of Go's `archive/tar`, checked by writing Velero's own archive again from its entries.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Read;

use pinnace_engine::tar::{TRAILER, header, pad};

fn append(path: &str, body: &[u8], mtime_seconds: u64, out: &mut Vec<u8>) {
    header(path, body.len() as u64, mtime_seconds, out);
    out.extend_from_slice(body);
    pad(body.len(), out);
}

#[test]
fn velero_s_archives_come_out_byte_for_byte() {
    for backup in ["golden-all", "golden-namespace", "golden-selector", "golden-resources", "golden-newfilters"] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/bucket/backups");
        let file = File::open(format!("{folder}/{backup}/{backup}.tar.gz")).expect("archive");
        let mut expected = Vec::new();
        flate2::read::MultiGzDecoder::new(file).read_to_end(&mut expected).expect("gzip");
        let mut written = Vec::new();
        for entry in tar::Archive::new(expected.as_slice()).entries().expect("entries") {
            let mut entry = entry.expect("entry");
            let path = entry.path().expect("path").to_string_lossy().into_owned();
            let mtime_seconds = entry.header().mtime().expect("mtime");
            let mut body = Vec::new();
            entry.read_to_end(&mut body).expect("body");
            append(&path, &body, mtime_seconds, &mut written);
        }
        written.extend_from_slice(&TRAILER);
        assert!(written == expected, "{backup}");
    }
}

#[test]
fn paths_that_ustar_can_not_hold_are_read_back_whole() {
    let long = "n".repeat(253);
    for path in [
        format!("resources/pods/namespaces/a/{long}.json"),
        "resources/boats.harbour.example/namespaces/a/schön.json".to_owned(),
        format!("{}/{long}/x.json", "f".repeat(99)),
        "n".repeat(101),
    ] {
        let mut written = Vec::new();
        append(&path, b"{}", 7, &mut written);
        written.extend_from_slice(&TRAILER);
        let mut archive = tar::Archive::new(written.as_slice());
        let found: Vec<_> = archive
            .entries()
            .expect("entries")
            .map(|entry| entry.expect("entry"))
            .map(|entry| (entry.path().expect("path").to_string_lossy().into_owned(), entry.size()))
            .collect();
        assert_eq!(found, [(path, 2)]);
    }
}
