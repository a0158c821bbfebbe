//! What a page says of itself, which items it leaves out, and how a repeated response is taken up.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use pinnace_engine::error::{EngineError, PageError, Reason};
use pinnace_engine::json::canonical;
use pinnace_engine::page::{Page, PageSpec, PageSummary};

fn pods() -> PageSpec {
    PageSpec::new("v1", "Pod")
}

fn list_of(items: &[&str]) -> String {
    format!(r#"{{"kind":"PodList","metadata":{{}},"items":[{}]}}"#, items.join(","))
}

/// Read in chunks of 1, 13 and all bytes, which must not matter.
fn read(spec: &PageSpec, body: &str) -> (Vec<String>, Result<PageSummary, EngineError>) {
    let whole = common::read(spec.clone(), body.as_bytes(), body.len().max(1));
    for chunk_bytes in [1, 13] {
        assert_eq!(common::read(spec.clone(), body.as_bytes(), chunk_bytes), whole, "{body} by {chunk_bytes}");
    }
    whole
}

fn page_error(spec: &PageSpec, body: &str) -> PageError {
    match read(spec, body).1 {
        Err(EngineError::Page(error)) => error,
        other => panic!("{other:?} for {body}"),
    }
}

#[test]
fn a_list_without_items_is_empty_if_it_says_null_as_go_does() {
    for body in [r#"{"items":null}"#, r#"{"items":[]}"#, " {\n\"items\" : [ ] , \"metadata\" : null } \r\n"] {
        let (items, summary) = read(&pods(), body);
        assert_eq!(items, Vec::<String>::new());
        assert_eq!(summary, Ok(PageSummary { page_bytes: body.len() as u64, ..PageSummary::default() }), "{body}");
    }
}

#[test]
fn metadata_counts_before_and_after_the_items_and_the_last_one_wins() {
    let metadata = r#""metadata":{"continue":"a\u002fb","remainingItemCount":12,"resourceVersion":"7"}"#;
    for body in [
        format!(r#"{{{metadata},"items":[]}}"#),
        format!(r#"{{"items":[],{metadata}}}"#),
        format!(r#"{{"metadata":{{"continue":"old","selfLink":"x"}},"items":[],"m\u0065tadata"{}}}"#, &metadata[10..]),
    ] {
        let summary = read(&pods(), &body).1.expect("a list");
        let found = (summary.continue_token.as_deref(), summary.resource_version.as_deref());
        assert_eq!((found, summary.remaining_item_count), ((Some("a/b"), Some("7")), Some(12)), "{body}");
    }
    let summary = read(&pods(), r#"{"metadata":{"continue":"","resourceVersion":""},"items":[]}"#).1.expect("a list");
    assert_eq!((summary.continue_token, summary.resource_version), (None, None));
}

#[test]
fn the_continue_token_is_known_before_the_page_ends() {
    let mut page = Page::new(pods());
    let mut kept = common::Kept::default();
    page.feed(br#"{"metadata":{"continue":"next","resourceVersion":"9"},"items":[{"met"#, &mut kept)
        .expect("so far good");
    assert_eq!((page.continue_token(), page.resource_version()), (Some("next"), Some("9")));
    page.feed(br#"adata":{"name":"a","uid":"u-1"}},"#, &mut kept).expect("so far good");
    assert_eq!((page.item_count(), page.last_uid(), kept.items.len()), (1, Some("u-1"), 1));
}

#[test]
fn type_meta_comes_from_the_list_where_the_item_has_none_that_is_a_text() {
    for (item, expected) in [
        (r#"{"metadata":{"name":"a"}}"#, r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#),
        (
            r#"{"kind":"","metadata":{"name":"a"},"apiVersion":null}"#,
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#,
        ),
        (
            r#"{"kind":"Boat","metadata":{"name":"a"},"apiVersion":"harbour.example/v1"}"#,
            r#"{"apiVersion":"harbour.example/v1","kind":"Boat","metadata":{"name":"a"}}"#,
        ),
        (
            r#"{"aa":1,"k\u0069nd":"Boat","metadata":{"name":"a"}}"#,
            r#"{"aa":1,"apiVersion":"v1","kind":"Boat","metadata":{"name":"a"}}"#,
        ),
    ] {
        assert_eq!(read(&pods(), &list_of(&[item])).0, [expected], "{item}");
    }
}

#[test]
fn every_reason_to_leave_an_item_out_is_counted() {
    let mut spec = pods();
    spec.filter.excluded_namespaces.insert("kube-system".to_owned());
    spec.filter.only_names = Some(["a", "b"].map(str::to_owned).into());
    spec.filter.deduplicate = true;
    let body = list_of(&[
        r#"{"metadata":{"name":"a","namespace":"n"}}"#,
        r#"{"metadata":{"name":"a","namespace":"n"}}"#,
        r#"{"metadata":{"name":"b","namespace":"n","deletionTimestamp":null}}"#,
        r#"{"metadata":{"name":"a","namespace":"m","deletionTimestamp":"2026-11-24T00:00:00Z"}}"#,
        r#"{"metadata":{"name":"a","namespace":"kube-system"}}"#,
        r#"{"metadata":{"name":"other","namespace":"n"}}"#,
        r#"{"metadata":{"name":"b","namespace":"m","labels":{"velero.io/exclude-from-backup":"true"}}}"#,
        r#"{"metadata":{"name":"b","namespace":"m","labels":{"velero.io/exclude-from-backup":"false"}}}"#,
    ]);
    let summary = read(&spec, &body).1.expect("a list");
    let skipped: BTreeMap<_, _> = summary.skipped.met().collect();
    let reasons = ["deleting", "duplicate", "exclude_label", "name", "namespace"];
    assert_eq!(skipped, reasons.map(|reason| (reason, 1)).into());
    assert_eq!(summary.namespaces, [("m".to_owned(), 1), ("n".to_owned(), 2)].into());
    assert_eq!((summary.item_count, summary.written_count), (8, 3));
}

#[test]
fn of_repeated_metadata_labels_and_names_only_the_last_decides() {
    for (metadata, written) in [
        (r#""metadata":{"name":"..","labels":{"velero.io/exclude-from-backup":"true"}},"metadata":{"name":"a"}"#, true),
        (r#""metadata":{"name":"a","labels":{"velero.io/exclude-from-backup":"true"},"labels":[ 1]}"#, true),
        (r#""metadata":{"name":"a","labels":{"velero.io/exclude-from-backup":"true"},"labels":null}"#, true),
        (r#""metadata":{"name":"a","labels":{},"labels":{"velero.io\/exclude-from-backup":"tru\u0065"}}"#, false),
        (r#""metadata":{"name":"a","deletionTimestamp":"x","deletionTimestamp":null}"#, true),
        (r#""metadata":{"name":"a"},"metadata":[ 1]"#, false),
        (r#""metadata":{"name":"a","name":5}"#, false),
        (r#""metadata":{"name":"a"},"spec":{"metadata":{"name":".."}}"#, true),
    ] {
        let summary = read(&pods(), &list_of(&[&format!("{{{metadata}}}")])).1.expect("a list");
        assert_eq!(summary.written_count, u64::from(written), "{metadata}");
    }
}

#[test]
fn a_repeated_response_goes_on_after_the_item_that_was_archived_last() {
    let items = ["a", "b", "c"].map(|name| format!(r#"{{"metadata":{{"name":"{name}","uid":"uid-{name}"}}}}"#));
    let body = list_of(&items.each_ref().map(String::as_str));
    let resumed = |skip_items, uid: &str| PageSpec { skip_items, skip_uid: Some(uid.to_owned()), ..pods() };
    let (items, summary) = read(&resumed(2, "uid-b"), &body);
    let summary = summary.expect("a list");
    assert_eq!(items, [r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c","uid":"uid-c"}}"#]);
    assert_eq!((summary.item_count, summary.written_count), (3, 1));
    assert_eq!(summary.skipped.met().collect::<Vec<_>>(), [("resumed", 2)]);
    let error = page_error(&resumed(2, "uid-x"), &body);
    let offset = body.find(r#"{"metadata":{"name":"b""#).expect("b") as u64;
    assert_eq!((error.reason, error.offset), (Reason::ResumeMismatch, offset));
    let error = page_error(&resumed(4, "uid-d"), &body);
    assert_eq!((error.reason, error.offset), (Reason::ResumeMismatch, body.len() as u64));
}

#[test]
fn an_item_beyond_the_limit_fails_the_page_where_it_starts() {
    let small = r#"{"metadata":{"name":"a"}}"#;
    let large = format!(r#"{{"metadata":{{"name":"b"}},"x":"{}"}}"#, "x".repeat(200));
    let spec = PageSpec { max_item_bytes: 150, ..pods() };
    let body = list_of(&[small, &large]);
    let error = page_error(&spec, &body);
    assert_eq!((error.reason, error.offset), (Reason::TooLarge, body.find(&large).expect("it") as u64));
    assert_eq!(read(&spec, &body).0.len(), 1);
    assert_eq!(read(&PageSpec { max_item_bytes: large.len(), ..pods() }, &body).0.len(), 2);
}

#[test]
fn a_malformed_value_in_a_longer_body_is_not_called_truncated() {
    for (body, offset) in [
        (r#"{"kind":}"#, 8),
        (r#"{"a":tr,"items":[]}"#, 7),
        (r#"{"a":-,"items":[]}"#, 6),
        (r#"{"a":1 2,"items":[]}"#, 7),
        (r#"{"items":[],}"#, 12),
        (r#"{"items":[{"metadata":{"name":"a"}},]}"#, 36),
        (r#"{"items":[{"a":[}]}"#, 16),
        (r#"{"items":[{"a":01}]}"#, 16),
        ("{\"items\":[{\"a\":\"\u{1}\"}]}", 16),
        ("{\"items\":[\u{feff}]}", 10),
    ] {
        let error = page_error(&pods(), body);
        assert_eq!((error.reason, error.offset), (Reason::Syntax, offset), "{body}");
    }
}

#[test]
fn a_page_that_failed_stays_failed() {
    let mut page = Page::new(pods());
    let mut kept = common::Kept::default();
    let error = page.feed(b"[", &mut kept).expect_err("no list");
    assert_eq!(page.feed(b"{}", &mut kept), Err(error.clone()));
    assert_eq!(page.finish(), Err(error));
}

#[test]
fn items_before_the_malformed_one_are_whole() {
    let body = list_of(&[r#"{"metadata":{"name":"a"}}"#, r#"{"metadata":{"name":"b"},"x":nul}"#]);
    let (items, result) = read(&pods(), &body);
    assert_eq!(items, [r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#]);
    assert!(result.is_err());
}

#[test]
fn bytes_after_a_single_value_are_refused_and_nothing_is_written() {
    let mut out = b"before".to_vec();
    let error = canonical::write(b"{} x", None, &mut out).expect_err("two values");
    assert_eq!((error.reason, error.offset, out), (Reason::Syntax, 3, b"before".to_vec()));
}
