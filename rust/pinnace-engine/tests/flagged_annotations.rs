//! Which archived items a page names because of their annotations.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use pinnace_engine::error::EngineError;
use pinnace_engine::flagged::{FLAGGED_KEPT, Flagged, FlaggedAnnotations, FlaggedItem};
use pinnace_engine::page::{PageSpec, PageSummary};

const PRE: &str = "pre.hook.backup.velero.io/command";
const VOLUMES: &str = "backup.velero.io/backup-volumes";

fn pods() -> PageSpec {
    let flagged_annotations = FlaggedAnnotations::new([PRE, VOLUMES].map(str::to_owned).into()).expect("two keys");
    PageSpec { flagged_annotations, ..PageSpec::new("v1", "Pod") }
}

fn read(spec: &PageSpec, items: &[String]) -> PageSummary {
    let body = format!(r#"{{"kind":"PodList","metadata":{{}},"items":[{}]}}"#, items.join(","));
    let whole = common::read(spec.clone(), body.as_bytes(), body.len()).1.expect("a list");
    assert_eq!(common::read(spec.clone(), body.as_bytes(), 7).1.as_ref(), Ok(&whole), "{body} by 7");
    whole
}

fn flagged(spec: &PageSpec, items: &[String]) -> Flagged {
    read(spec, items).flagged
}

/// Annotations found in an item named n/a whose members are `members`.
fn found(members: &str) -> Vec<String> {
    let found = flagged(&pods(), &[format!("{{{members}}}")]);
    assert_eq!(found.count, found.items.len() as u64);
    found.items.into_iter().map(|item| item.annotation).collect()
}

#[test]
fn an_archived_item_is_named_once_for_each_flagged_annotation() {
    let annotations = format!(r#"{{"a":"b","{PRE}":"sync","{VOLUMES}":"data,logs","x.{PRE}":"y"}}"#);
    let items = [
        format!(r#"{{"metadata":{{"name":"a","namespace":"n","annotations":{annotations}}}}}"#),
        r#"{"metadata":{"name":"b","namespace":"n","annotations":{"backup.velero.io/backup-volumes-excludes":"x"}}}"#
            .to_owned(),
        format!(r#"{{"metadata":{{"name":"c\u0063","annotations":{{"{VOLUMES}":"v"}}}}}}"#),
    ];
    let item = |namespace: &str, name: &str, annotation: &str| FlaggedItem {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        annotation: annotation.to_owned(),
    };
    let expected = vec![item("n", "a", PRE), item("n", "a", VOLUMES), item("", "cc", VOLUMES)];
    assert_eq!(flagged(&pods(), &items), Flagged { items: expected, count: 3 });
    assert_eq!(flagged(&PageSpec::new("v1", "Pod"), &items), Flagged::default());
}

#[test]
fn only_annotations_of_the_item_itself_with_a_text_count() {
    for value in [r#""""#, "null", "5", "true", "[]", "{}", r#"["x"]"#, r#"{"x":"y"}"#] {
        let annotations = format!(r#""annotations":{{"{PRE}":{value}}}"#);
        assert_eq!(found(&format!(r#""metadata":{{"name":"a",{annotations}}}"#)), [""; 0], "{value}");
    }
    for annotations in ["null", "5", r#""x""#, "[]", "[{}]"] {
        assert_eq!(found(&format!(r#""metadata":{{"name":"a","annotations":{annotations}}}"#)), [""; 0]);
    }
    let inner = format!(r#"{{"name":"a","annotations":{{"{PRE}":"x"}}}}"#);
    for members in [
        format!(r#""metadata":{{"name":"a"}},"spec":{{"template":{{"metadata":{inner}}}}}"#),
        format!(r#""metadata":{{"name":"a","labels":{{"{PRE}":"x"}}}}"#),
        format!(r#""metadata":{{"name":"a","metadata":{inner}}}"#),
        format!(r#""metadata":{{"name":"a","annotations":{{"x":{{"{PRE}":"x"}}}}}}"#),
        format!(r#""metadata":{{"name":"a"}},"annotations":{{"{PRE}":"x"}}"#),
        format!(r#""metadata":{{"name":"a"}},"spec":{inner},"status":{inner}"#),
    ] {
        assert_eq!(found(&members), [""; 0], "{members}");
    }
}

#[test]
fn of_repeated_metadata_annotations_and_keys_only_the_last_decides() {
    let asking = format!(r#""annotations":{{"{PRE}":"x"}}"#);
    for (members, count) in [
        (format!(r#""metadata":{{"name":"a",{asking},"annotations":{{}}}}"#), 0),
        (format!(r#""metadata":{{"name":"a",{asking},"annotations":null}}"#), 0),
        (format!(r#""metadata":{{"name":"a",{asking},"annotations":[ 1]}}"#), 0),
        (format!(r#""metadata":{{"name":"a","annotations":null,{asking}}}"#), 1),
        (format!(r#""metadata":{{"name":"a",{asking}}},"metadata":{{"name":"a"}}"#), 0),
        (format!(r#""metadata":{{"name":"a"}},"metadata":{{"name":"a",{asking}}}"#), 1),
        (format!(r#""metadata":{{"name":"a","annotations":{{"{PRE}":"x","{PRE}":""}}}}"#), 0),
        (format!(r#""metadata":{{"name":"a","annotations":{{"{PRE}":"","{PRE}":"x"}}}}"#), 1),
        (format!(r#""metadata":{{"name":"a","annotations":{{"{PRE}":"x","{PRE}":null}}}}"#), 0),
        (format!(r#""metadata":{{"name":"a","annotations":{{"{PRE}":"x","{PRE}":"y"}}}}"#), 1),
    ] {
        assert_eq!(found(&members), vec![PRE; count], "{members}");
    }
}

#[test]
fn keys_count_by_their_characters_however_they_are_spelled() {
    for members in [
        r#""metadata":{"name":"a","annotations":{"pre\u002ehook.backup.velero.io\/command":"\u0078"}}"#,
        r#""m\u0065tadata":{"name":"a","\u0061nnotations":{"pre.hook.backup.velero.io/command":"x"}}"#,
        r#" "metadata" : { "name" : "a" , "annotations" : { "pre.hook.backup.velero.io/command" : "x" } } "#,
    ] {
        assert_eq!(found(members), [PRE], "{members}");
    }
    let other = r#""metadata":{"name":"a","annotations":{"pre.hook.backup.velero.io/command\u0000":"x"}}"#;
    assert_eq!(found(other), [""; 0]);
}

#[test]
fn nothing_is_asked_of_a_pod_that_has_ended() {
    let metadata = format!(r#""metadata":{{"name":"a","annotations":{{"{PRE}":"x"}}}}"#);
    for (status, count) in [
        (r#""status":{"phase":"Succeeded"}"#, 0),
        (r#""status":{"phase":"Fail\u0065d"}"#, 0),
        (r#""status":{"phase":"Pending"}"#, 1),
        (r#""status":{"phase":null}"#, 1),
        (r#""status":{"phase":["Failed"]}"#, 1),
        (r#""status":{"conditions":[{"phase":"Failed"}],"x":{"phase":"Failed"}}"#, 1),
        (r#""spec":{"phase":"Failed"}"#, 1),
        (r#""phase":"Failed""#, 1),
        (r#""status":{"phase":"Failed"},"status":{}"#, 1),
        (r#""status":{"phase":"Failed"},"status":null"#, 1),
        (r#""status":{"phase":"Failed","phase":"Running"}"#, 1),
        (r#""status":{"phase":"Running","phase":"Failed"}"#, 0),
    ] {
        assert_eq!(found(&format!("{metadata},{status}")), vec![PRE; count], "{status}");
        let before = status.replace(r#""status""#, r#""st\u0061tus""#);
        assert_eq!(found(&format!("{before},{metadata}")), vec![PRE; count], "{before} before metadata");
    }
}

#[test]
fn items_that_are_left_out_refused_or_resumed_are_not_named() {
    let item = |name: &str, more: &str| {
        format!(r#"{{"metadata":{{"name":"{name}","namespace":"n",{more}"annotations":{{"{PRE}":"x"}}}}}}"#)
    };
    let mut spec = PageSpec { skip_items: 1, ..pods() };
    spec.filter.only_names = Some(["resumed", "labelled", "deleting", "kept", "x/y"].map(str::to_owned).into());
    spec.filter.deduplicate = true;
    let items = [
        item("resumed", ""),
        item("labelled", r#""labels":{"velero.io/exclude-from-backup":"true"},"#),
        item("deleting", r#""deletionTimestamp":"2026-11-24T00:00:00Z","#),
        item("x/y", ""),
        item("other", ""),
        item("kept", ""),
        item("kept", ""),
    ];
    let summary = read(&spec, &items);
    let names: Vec<_> = summary.flagged.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!((names, summary.flagged.count, summary.written_count), (vec!["kept"], 1, 1));
}

#[test]
fn the_first_hundred_are_described_and_all_are_counted() {
    let annotations = format!(r#"{{"{PRE}":"x","{VOLUMES}":"v"}}"#);
    let items: Vec<_> =
        (0..70).map(|n| format!(r#"{{"metadata":{{"name":"p{n}","annotations":{annotations}}}}}"#)).collect();
    let found = flagged(&pods(), &items);
    let last = found.items.last().map(|item| (item.name.as_str(), item.annotation.as_str()));
    assert_eq!((found.items.len(), found.count, last), (FLAGGED_KEPT, 140, Some(("p49", VOLUMES))));
}

#[test]
fn more_keys_than_there_are_bits_are_refused() {
    let keys = |count: usize| (0..count).map(|n| format!("key-{n}")).collect::<Vec<_>>();
    let all = FlaggedAnnotations::new(keys(32)).expect("as many as there are bits");
    let spec = PageSpec { flagged_annotations: all, ..PageSpec::new("v1", "Pod") };
    let item = r#"{"metadata":{"name":"a","annotations":{"key-31":"x","key-0":"y"}}}"#.to_owned();
    let found = flagged(&spec, &[item]);
    assert_eq!(found.items.iter().map(|item| item.annotation.as_str()).collect::<Vec<_>>(), ["key-0", "key-31"]);
    let refused = EngineError::archive("33 flagged annotations; at most 32 can be asked for");
    assert_eq!(FlaggedAnnotations::new(keys(33)), Err(refused));
}
