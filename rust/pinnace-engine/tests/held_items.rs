//! Which items a page hands out, and that what is archived around them does not depend on how its bytes arrive.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "only the sink is used here")]
mod common;

use common::Kept;
use pinnace_engine::archive::{Archive, Folder};
use pinnace_engine::deflate::Level;
use pinnace_engine::error::{EngineError, PageError, Reason};
use pinnace_engine::held::Hold;
use pinnace_engine::page::{Page, PageSpec, PageSummary};
use proptest::prelude::*;

fn at(paths: &[&[&str]]) -> Hold {
    Hold::default()
        .at_paths(paths.iter().map(|path| path.iter().map(|&segment| segment.to_owned()).collect()).collect())
}

fn named(names: &[&str]) -> Hold {
    let mut hold = at(&[]);
    hold.names = names.iter().map(|&name| name.to_owned()).collect();
    hold
}

fn within(namespaces: &[&str]) -> Hold {
    let mut hold = at(&[]);
    hold.namespaces = namespaces.iter().map(|&name| name.to_owned()).collect();
    hold
}

fn list(items: &[String]) -> String {
    format!(r#"{{"kind":"PodList","metadata":{{"resourceVersion":"7"}},"items":[{}]}}"#, items.join(","))
}

/// Names of the items in the order in which they are dealt with, held ones in brackets.
fn read(spec: &PageSpec, body: &str, chunk_bytes: usize) -> (Vec<String>, PageSummary) {
    let (mut kept, mut page, mut names) = (Kept::default(), Page::new(spec.clone()), Vec::new());
    for chunk in body.as_bytes().chunks(chunk_bytes) {
        page.feed(chunk, &mut kept).expect("a list");
        for held in page.take_held() {
            page.advance(&mut kept).expect("items before it");
            names.extend(kept.items.drain(..).map(|json| name_of(&json)));
            names.push(format!("[{}]", name_of(std::str::from_utf8(&held.json).expect("UTF-8"))));
            assert_eq!(names.last(), Some(&format!("[{}]", held.name)));
        }
    }
    page.settle(&mut kept).expect("items after it");
    names.extend(kept.items.drain(..).map(|json| name_of(&json)));
    (names, page.finish().expect("a list"))
}

fn name_of(json: &str) -> String {
    let item: serde_json::Value = serde_json::from_str(json).expect("JSON");
    item["metadata"]["name"].as_str().expect("a name").to_owned()
}

fn is_held(hold: &Hold, members: &str) -> bool {
    let item = format!(r#"{{"metadata":{{"name":"a","namespace":"n"}},{members}}}"#);
    let spec = PageSpec { hold: hold.clone(), ..PageSpec::new("v1", "Pod") };
    read(&spec, &list(&[item]), 1 << 20).1.held_count == 1
}

#[test]
fn an_item_is_held_where_a_path_leads_to_something() {
    let hold = at(&[&["spec", "volumes", "[]", "persistentVolumeClaim"], &["spec", "priorityClassName"]]);
    for (members, expected) in [
        (r#""spec":{"volumes":[{"name":"x"},{"persistentVolumeClaim":{"claimName":"c"}}]}"#, true),
        (r#""spec":{ "volumes" : [ { "persistentVolumeClaim" : { "claimName" : "c" } } ] }"#, true),
        (r#""spec":{"volumes":[{"persistentVolumeCl\u0061im":{"claimName":"c"}}]}"#, true),
        (r#""sp\u0065c":{"priorityClassName":"high"}"#, true),
        (r#""spec":{"priorityClassName":"","priorityClassName":"high"}"#, true),
        (r#""spec":{"priorityClassName":"high","priorityClassName":""}"#, true),
        (r#""spec":{"priorityClassName":0}"#, true),
        (r#""spec":{"priorityClassName":""}"#, false),
        (r#""spec":{"priorityClassName": null }"#, false),
        (r#""spec":{"volumes":[{"persistentVolumeClaim":{}},{"persistentVolumeClaim":[]}]}"#, false),
        (r#""spec":{"volumes":{"persistentVolumeClaim":{"claimName":"c"}}}"#, false),
        (r#""spec":{"volumes":[["persistentVolumeClaim"]]}"#, false),
        (r#""spec":{"x":"\"priorityClassName\":"}"#, false),
        (r#""spec":{"containers":[{"priorityClassName":"high"}]}"#, false),
        (r#""priorityClassName":"high","status":{"priorityClassName":"high"}"#, false),
        (r#""spec":[],"spec":null,"spec":"priorityClassName""#, false),
        (r#""spec":{"a":{},"b":[],"c":"","d":-1.5e3,"e":true,"priorityClassName":"high"}"#, true),
    ] {
        assert_eq!(is_held(&hold, members), expected, "{members}");
    }
}

#[test]
fn keys_count_by_their_characters_however_they_are_spelled() {
    let hold =
        at(&[&["metadata", "annotations", "hook.backup.velero.io/command"], &["metadata", "annotations", "a\"b\n"]]);
    for (annotations, expected) in [
        (r#"{"hook.backup.velero.io/command":"x"}"#, true),
        (r#"{"hook.backup.velero.io\/command":"x"}"#, true),
        (r#"{"k:{\"x\"}":"","h\u006fok.backup.velero.io/command":"x"}"#, true),
        (r#"{"a\"b\n":"x"}"#, true),
        (r#"{"a\u0022b\u000A":"x"}"#, true),
        (r#"{"k:{\"hook.backup.velero.io/command\"}":"x"}"#, false),
        (r#"{"hook.backup.velero.io/command\u0000":"x"}"#, false),
        (r#"{"\\u0068ook.backup.velero.io/command":"x"}"#, false),
    ] {
        let item = format!(r#"{{"metadata":{{"name":"a","annotations":{annotations}}}}}"#);
        let spec = PageSpec { hold: hold.clone(), ..PageSpec::new("v1", "Pod") };
        assert_eq!(read(&spec, &list(&[item]), 1 << 20).1.held_count == 1, expected, "{annotations}");
    }
}

#[test]
fn an_item_is_held_by_its_name_its_namespace_or_its_kind() {
    for (hold, expected) in [
        (Hold::everything(), true),
        (Hold::default(), false),
        (within(&["n"]), true),
        (within(&["a", ""]), false),
        (named(&["n/a"]), true),
        (named(&["a", "n/b"]), false),
    ] {
        assert_eq!(is_held(&hold, r#""kind":"Pod""#), expected, "{hold:?}");
    }
    let hold = named(&["a"]);
    let spec = PageSpec { hold, ..PageSpec::new("v1", "Node") };
    let body = list(&[r#"{"metadata":{"name":"a"}}"#.to_owned(), r#"{"metadata":{"name":"b"}}"#.to_owned()]);
    assert_eq!(read(&spec, &body, 9).0, ["[a]", "b"]);
}

#[test]
fn items_that_are_left_out_refused_or_resumed_are_not_held() {
    let item = |name: &str, more: &str| format!(r#"{{"metadata":{{"name":"{name}","namespace":"n"{more}}}}}"#);
    let mut spec = PageSpec { skip_items: 1, hold: Hold::everything(), ..PageSpec::new("v1", "Pod") };
    spec.filter.only_names = Some(["resumed", "labelled", "deleting", "kept", "x/y"].map(str::to_owned).into());
    let items = [
        item("resumed", ""),
        item("labelled", r#","labels":{"velero.io/exclude-from-backup":"true"}"#),
        item("deleting", r#","deletionTimestamp":"2026-11-24T00:00:00Z""#),
        item("x/y", ""),
        item("other", ""),
        item("kept", ""),
    ];
    let (names, summary) = read(&spec, &list(&items), 7);
    assert_eq!(
        (names, summary.held_count, summary.written_count, summary.item_count),
        (vec!["[kept]".to_owned()], 1, 0, 6)
    );
}

#[test]
fn what_was_not_taken_stops_the_page_and_what_waits_is_not_lost_by_a_flaw() {
    let items = ["a", "b", "c"].map(|name| format!(r#"{{"metadata":{{"name":"{name}"}}}}"#));
    let hold = named(&["a"]);
    let mut page = Page::new(PageSpec { hold, ..PageSpec::new("v1", "Node") });
    let mut kept = Kept::default();
    let broken = list(&items).replace(r#""c""#, r#"c"#);
    let flaw = page.feed(broken.as_bytes(), &mut kept).expect_err("not JSON");
    assert!(matches!(&flaw, EngineError::Page(PageError { reason: Reason::Syntax, .. })), "{flaw:?}");
    let untaken = EngineError::archive("held items of the page were not taken");
    assert_eq!(page.settle(&mut kept), Err(untaken));
    assert_eq!(page.take_held().len(), 1);
    page.settle(&mut kept).expect("b");
    assert_eq!(kept.items.iter().map(|json| name_of(json)).collect::<Vec<_>>(), ["b"]);
    assert_eq!((page.item_count(), page.feed(b"", &mut kept)), (2, Err(flaw)));
}

#[test]
fn an_item_that_a_held_one_pulled_in_is_not_written_again_though_it_waited() {
    let items = ["a", "b"].map(|name| format!(r#"{{"metadata":{{"name":"{name}"}}}}"#));
    let mut archive = Archive::new(Level::Fast, 0, 1).expect("an archive");
    let folder = Folder::new("nodes", "v1", true).expect("a folder");
    archive.enter(folder.clone());
    let mut spec = PageSpec::new("v1", "Node");
    spec.filter.deduplicate = true;
    spec.hold.names = ["a".to_owned()].into();
    let mut page = Page::new(spec);
    page.feed(list(&items).as_bytes(), &mut archive).expect("a list");
    let held = page.take_held();
    page.advance(&mut archive).expect("nothing before it");
    assert!(archive.add_item(folder.clone(), items[1].as_bytes(), "v1", "Node", false).expect("b, pulled in"));
    assert!(archive.register("v1", "Node", "", "a"));
    assert!(archive.add_item(folder, &held[0].json, "v1", "Node", true).expect("a"));
    page.settle(&mut archive).expect("b, seen");
    let summary = page.finish().expect("a list");
    assert_eq!((summary.written_count, summary.skipped.met().collect::<Vec<_>>()), (0, vec![("duplicate", 1)]));
    assert_eq!(archive.finish().expect("an end").item_count, 2);
}

/// The archive of a list of which each held item pulls another kind's item in, and is then written.
fn archived(body: &str, hold: &Hold, chunk_bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let mut archive = Archive::new(Level::Fast, 0, 1).expect("an archive");
    let pods = Folder::new("pods", "v1", true).expect("a folder");
    let claims = Folder::new("persistentvolumeclaims", "v1", true).expect("a folder");
    archive.enter(pods.clone());
    let mut page = Page::new(PageSpec { hold: hold.clone(), ..PageSpec::new("v1", "Pod") });
    for chunk in body.as_bytes().chunks(chunk_bytes) {
        page.feed(chunk, &mut archive).expect("a list");
        for held in page.take_held() {
            page.advance(&mut archive).expect("items before it");
            let claim = format!(r#"{{"metadata":{{"name":"of-{}","namespace":"n"}}}}"#, held.name);
            archive.add_item(claims.clone(), claim.as_bytes(), "v1", "PersistentVolumeClaim", false).expect("a claim");
            archive.add_item(pods.clone(), &held.json, "v1", "Pod", true).expect("a pod");
        }
    }
    page.settle(&mut archive).expect("items after it");
    page.finish().expect("a list");
    archive.finish().expect("an end");
    (archive.take_archive(), archive.take_resource_list())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_archive_is_the_same_however_the_bytes_arrive(
        claims in prop::collection::vec(any::<bool>(), 0..40),
        chunk_bytes in 1_usize..3000,
    ) {
        let item = |(number, has_claim): (usize, &bool)| {
            let volume = if *has_claim { r#","spec":{"volumes":[{"persistentVolumeClaim":{"claimName":"c"}}]}"# } else { "" };
            format!(r#"{{"metadata":{{"name":"p{number:02}","namespace":"n"}}{volume}}}"#)
        };
        let body = list(&claims.iter().enumerate().map(item).collect::<Vec<_>>());
        let hold = at(&[&["spec", "volumes", "[]", "persistentVolumeClaim"]]);
        let spec = PageSpec { hold: hold.clone(), ..PageSpec::new("v1", "Pod") };
        let (names, summary) = read(&spec, &body, chunk_bytes);
        let expected = claims.iter().enumerate();
        let expected: Vec<_> = expected.map(|(n, held)| if *held { format!("[p{n:02}]") } else { format!("p{n:02}") }).collect();
        prop_assert_eq!(names, expected);
        prop_assert_eq!(summary.item_count, claims.len() as u64);
        prop_assert_eq!(archived(&body, &hold, chunk_bytes), archived(&body, &hold, body.len()));
    }
}
