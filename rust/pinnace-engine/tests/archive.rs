//! An archive is a tar in gzip members, the same for any number of threads, and its index finds each item alone.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read;

use flate2::read::MultiGzDecoder;
use pinnace_engine::archive::{Archive, Digest, Folder};
use pinnace_engine::deflate::{self, Level};
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
    Folder::new("configmaps", "v1", true).expect("a folder")
}

/// Archive, plain index, plain resource list and digest of `body` as one page.
fn archived(body: &[u8], level: Level, threads: usize) -> (Vec<u8>, String, String, Digest) {
    let mut archive = Archive::new(level, 1_700_000_000, threads).expect("threads");
    let (mut bytes, mut index) = (Vec::new(), Vec::new());
    archive.enter(folder());
    let mut page = Page::new(PageSpec::new("v1", "ConfigMap"));
    for chunk in body.chunks(65_536) {
        page.feed(chunk, &mut archive).expect("a page");
        bytes.extend(archive.take_archive());
        index.extend(archive.take_index());
    }
    page.finish().expect("a list");
    let digest = archive.finish().expect("an archive");
    bytes.extend(archive.take_archive());
    index.extend(archive.take_index());
    assert_eq!(digest.index_sha256, sha256(&index));
    let text = |gzip: &[u8]| String::from_utf8(gunzip(gzip)).expect("text");
    (bytes, text(&index), text(&archive.take_resource_list()), digest)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
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
    assert!(single.3.member_count > 5);
    for threads in [0, 2, 3, 8] {
        assert!(archived(&body, Level::Default, threads) == single, "{threads} threads");
    }
}

#[test]
fn the_digest_is_of_the_bytes() {
    let (bytes, _, _, digest) = archived(&body_of(1000), Level::Fast, 2);
    assert_eq!((digest.archive_bytes, digest.archive_sha256), (bytes.len() as u64, sha256(&bytes)));
    assert_eq!((digest.tar_bytes, digest.item_count), (gunzip(&bytes).len() as u64, 1000));
}

/// Paths and texts of a tar's entries.
fn entries(tar: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().expect("entries").map(|entry| {
        let mut entry = entry.expect("entry");
        let path = entry.path().expect("path").to_string_lossy().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        (path, text)
    });
    entries.collect()
}

#[test]
fn each_item_is_written_under_both_paths_after_the_version() {
    let (bytes, ..) = archived(&body_of(2), Level::Small, 1);
    let paths: Vec<_> = entries(&gunzip(&bytes)).into_iter().map(|(path, _)| path).collect();
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
    let (bytes, index, ..) = archived(&body_of(1500), Level::Default, 2);
    assert_eq!(index.lines().count(), 1500);
    for line in index.lines().step_by(97) {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let number = |value: &Value| usize::try_from(value.as_u64().expect("number")).expect("small");
        let (start, length) = (number(&entry["member"][0]), number(&entry["member"][1]));
        let plain = gunzip(&bytes[start..start + length]);
        let item = &plain[number(&entry["offset"])..][..number(&entry["length"])];
        let found: Value = serde_json::from_slice(item).expect("an item");
        assert_eq!(found["metadata"]["name"], entry["name"]);
        assert_eq!(entry["sha256"], sha256(item));
    }
}

#[test]
fn items_of_several_folders_in_one_member_have_their_own_paths_places_and_hashes() {
    let long = "ü".repeat(60);
    let namespaced = |name: &str| format!(r#"{{"metadata":{{"name":"{name}","namespace":"a"}}}}"#);
    let items = [
        ("deployments.apps", "apps/v1", true, "Deployment", namespaced("x")),
        ("deployments.apps", "apps/v1beta1", false, "Deployment", namespaced("x")),
        ("boats.harbour.example", "harbour.example/v1", true, "Boat", namespaced(&long)),
        ("nodes", "v1", true, "Node", r#"{"metadata":{"name":"n"}}"#.to_owned()),
    ];
    let mut archive = Archive::new(Level::Default, 1, 1).expect("threads");
    for (group_resource, api_version, preferred, kind, json) in &items {
        let folder = Folder::new(group_resource, api_version, *preferred).expect("a folder");
        assert_eq!(archive.add_item(folder, json.as_bytes(), api_version, kind, false), Ok(true));
    }
    assert_eq!(archive.finish().expect("an archive").member_count, 1);
    let plain = gunzip(&archive.take_archive());
    let found = entries(&plain);
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    let boat = format!("namespaces/a/{long}.json");
    assert_eq!(
        paths,
        [
            "metadata/version",
            "resources/deployments.apps/namespaces/a/x.json",
            "resources/deployments.apps/v1-preferredversion/namespaces/a/x.json",
            "resources/deployments.apps/v1beta1/namespaces/a/x.json",
            &format!("resources/boats.harbour.example/{boat}"),
            &format!("resources/boats.harbour.example/v1-preferredversion/{boat}"),
            "resources/nodes/cluster/n.json",
            "resources/nodes/v1-preferredversion/cluster/n.json",
        ]
    );
    let index = String::from_utf8(gunzip(&archive.take_index())).expect("text");
    let first_copies = [1, 3, 4, 6];
    for (line, copy) in index.lines().zip(first_copies) {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let place = |key: &str| usize::try_from(entry[key].as_u64().expect("number")).expect("small");
        let json = &plain[place("offset")..][..place("length")];
        assert_eq!((json, entry["sha256"].as_str()), (found[copy].1.as_bytes(), Some(sha256(json).as_str())), "{line}");
    }
    assert_eq!(index.lines().count(), items.len());
}

/// Resource list of `(kind, namespace, name)` in that order.
fn resource_list(items: &[(&str, &str, &str)]) -> String {
    let mut archive = Archive::new(Level::Default, 1, 1).expect("threads");
    for (kind, namespace, name) in items {
        let json = format!(r#"{{"metadata":{{"name":{name:?},"namespace":{namespace:?}}}}}"#);
        assert!(archive.add_item(folder(), json.as_bytes(), "v1", kind, false).expect("an item"));
    }
    archive.finish().expect("an archive");
    String::from_utf8(gunzip(&archive.take_resource_list())).expect("text")
}

#[test]
fn the_resource_list_is_sorted_by_kind_and_name_however_items_come() {
    let items = [("Pod", "b", "x"), ("ConfigMap", "", "z"), ("Pod", "a", "<y"), ("ConfigMap", "", "zz")];
    let expected = "{\"v1/ConfigMap\":[\"z\",\"zz\"],\"v1/Pod\":[\"a/\\u003cy\",\"b/x\"]}\n";
    assert_eq!(resource_list(&items), expected);
    assert_eq!(resource_list(&[]), "{}\n");
}

#[test]
fn long_resource_lists_come_out_whole_in_either_order() {
    let body = body_of(9000);
    let (_, _, list, _) = archived(&body, Level::Default, 2);
    let mut names: Vec<_> = (0..9000).map(|number| format!("ns/n{number}")).collect();
    names.sort_unstable();
    assert_eq!(list, format!("{{\"v1/ConfigMap\":[\"{}\"]}}\n", names.join("\",\"")));
}

#[test]
fn a_single_item_is_written_once_and_refused_where_its_name_is_no_file() {
    let mut archive = Archive::new(Level::Default, 1, 1).expect("threads");
    let item = br#"{"metadata":{"name":"x","namespace":"a"}}"#;
    assert_eq!(archive.add_item(folder(), item, "v1", "ConfigMap", false), Ok(true));
    assert_eq!(archive.add_item(folder(), item, "v1", "ConfigMap", false), Ok(false));
    let unsafe_name = br#"{"metadata":{"name":"../x","namespace":"a"}}"#;
    assert!(archive.add_item(folder(), unsafe_name, "v1", "ConfigMap", false).is_err());
    assert_eq!(archive.finish().expect("an archive").item_count, 1);
}

#[test]
fn folders_that_would_leave_the_archive_are_refused() {
    for (group_resource, api_version) in [("", "v1"), ("a/b", "v1"), ("..", "v1"), ("pods", ""), ("pods", "a/..")] {
        assert!(Folder::new(group_resource, api_version, true).is_err(), "{group_resource} {api_version}");
    }
}

#[test]
fn versions_are_those_that_are_pinned() {
    let lock = include_str!("../../../Cargo.lock");
    let pinned = |name: &str| {
        let package = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).expect("a locked package").1;
        package.split('"').next().expect("a version").to_owned()
    };
    assert_eq!(deflate::zlib_rs::VERSION, pinned("zlib-rs"));
    if cfg!(feature = "isal") {
        assert_eq!(deflate::VERSION, format!("{}, {}", pinned("isal-sys"), pinned("libdeflate-sys")));
    }
}
