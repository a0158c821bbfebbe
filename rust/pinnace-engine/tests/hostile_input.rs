//! Each row of the table of hostile inputs in docs/architecture.md.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use pinnace_engine::error::{EngineError, PageError, Reason};
use pinnace_engine::json::{MAX_DEPTH, canonical};
use pinnace_engine::page::PageSpec;

fn canonical(source: &[u8]) -> Result<String, PageError> {
    let mut out = Vec::new();
    canonical::write(source, None, &mut out)?;
    Ok(String::from_utf8(out).expect("canonical JSON is UTF-8"))
}

fn failure(body: &[u8]) -> (Reason, u64) {
    let mut found = Vec::new();
    for chunk_bytes in [1, 5, 64, body.len().max(1)] {
        match common::read(PageSpec::new("v1", "Pod"), body, chunk_bytes).1 {
            Err(EngineError::Page(error)) => found.push((error.reason, error.offset)),
            other => panic!("{other:?} for {:?}", String::from_utf8_lossy(body)),
        }
    }
    found.dedup();
    assert_eq!(found.len(), 1, "the outcome depends on the chunks: {found:?}");
    found[0]
}

fn list_of(item: &str) -> String {
    format!(r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"7"}},"items":[{item}]}}"#)
}

#[test]
fn values_are_written_as_go_writes_them() {
    for (source, expected) in [
        (r#"{"b":1,"a":2,"b":3}"#, r#"{"a":2,"b":3}"#),
        (r#"{"x":{"a":1},"x":{"b":2}}"#, r#"{"x":{"b":2}}"#),
        (r#"{"a":1,"\u0061":2}"#, r#"{"a":2}"#),
        (
            r#"[1e400, -0, 123456789012345678901234567890, 1.50E-07]"#,
            "[1e400,-0,123456789012345678901234567890,1.50E-07]",
        ),
        (r#""\ud800x""#, "\"\u{fffd}x\""),
        (r#""\ud83d\ude00 \u00e9 \/""#, "\"😀 é /\""),
        ("\"\u{2028}\u{2029}<>&\"", r#""\u2028\u2029\u003c\u003e\u0026""#),
        (r#""\u003c\u2028""#, r#""\u003c\u2028""#),
        (r#""\b\f\n\r\t\u0001\"\\""#, r#""\b\f\n\r\t\u0001\"\\""#),
        (r#"{"z":1,"\u0062":2,"a\"":3}"#, r#"{"a\"":3,"b":2,"z":1}"#),
        (" { \"a\" : [ true , false , null ] } ".trim(), r#"{"a":[true,false,null]}"#),
        ("{}", "{}"),
    ] {
        assert_eq!(canonical(source.as_bytes()).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn a_string_of_a_mebibyte_is_copied() {
    let source = format!(r#"{{"z":"{}","a":"<"}}"#, "é".repeat(1 << 19));
    let expected = format!(r#"{{"a":"\u003c","z":"{}"}}"#, "é".repeat(1 << 19));
    assert!(canonical(source.as_bytes()) == Ok(expected));
}

#[test]
fn depth_ends_at_the_limit_of_go() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(canonical(nested(MAX_DEPTH).as_bytes()), Ok(nested(MAX_DEPTH)));
    let error = canonical(nested(MAX_DEPTH + 1).as_bytes()).expect_err("too deep");
    assert_eq!((error.reason, error.offset), (Reason::Depth, MAX_DEPTH as u64));
}

#[test]
fn a_page_with_an_item_beyond_the_limit_of_depth_fails_at_the_bracket_that_is_too_deep() {
    // The item itself is one level.
    let item = |depth: usize| {
        format!(r#"{{"metadata":{{"name":"a"}},"spec":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1))
    };
    let (accepted, refused) = (list_of(&item(MAX_DEPTH)), list_of(&item(MAX_DEPTH + 1)));
    let (items, summary) = common::read(PageSpec::new("v1", "Pod"), accepted.as_bytes(), 4096);
    assert_eq!((items.len(), summary.map(|summary| summary.written_count)), (1, Ok(1)));
    let first_bracket = refused.find("[[").expect("nested arrays");
    assert_eq!(failure(refused.as_bytes()), (Reason::Depth, (first_bracket + MAX_DEPTH - 1) as u64));
}

#[test]
fn a_page_with_invalid_utf8_fails_at_its_byte_in_values_keys_and_names() {
    for body in [
        &b"{\"items\":[{\"a\":\"\xff\"}]}"[..],
        b"{\"items\":[{\"\xc0\x80\":1}]}",
        b"{\"items\":[{\"metadata\":{\"name\":\"a\xed\xa0\x80\"}}]}",
        b"{\"\xe2\x80\":1,\"items\":[]}",
    ] {
        let offset = body.iter().position(|byte| *byte >= 0x80).expect("it") as u64;
        assert_eq!(failure(body), (Reason::InvalidUtf8, offset), "{}", body.escape_ascii());
    }
}

#[test]
fn a_value_that_is_not_json_is_refused_at_its_byte() {
    for (source, reason, offset) in [
        (&b"[01]"[..], Reason::Syntax, 2),
        (b"[1.]", Reason::Syntax, 3),
        (b"[tru]", Reason::Syntax, 4),
        (b"[1,]", Reason::Syntax, 3),
        (b"{\"a\":1,}", Reason::Syntax, 7),
        (b"{\"a\" 1}", Reason::Syntax, 5),
        (b"\"\\x\"", Reason::Syntax, 1),
        (b"\"a\x01\"", Reason::Syntax, 2),
        (b"\"a\xff\"", Reason::InvalidUtf8, 2),
        (b"\"a\xed\xa0\x80\"", Reason::InvalidUtf8, 2),
        (b"{\"a", Reason::Truncated, 3),
    ] {
        let error = canonical(source).expect_err("malformed");
        assert_eq!((error.reason, error.offset), (reason, offset), "{}", String::from_utf8_lossy(source));
    }
}

#[test]
fn every_proper_beginning_of_a_page_is_truncated() {
    let body =
        list_of(r#"{"metadata":{"name":"a\\\"b","uid":"u"},"spec":{"n":[1,-2.5e3,true]}},{"metadata":{"name":"c"}}"#);
    for length in 0..body.len() {
        assert_eq!(failure(&body.as_bytes()[..length]), (Reason::Truncated, length as u64), "at {length}");
    }
    let (items, summary) = common::read(PageSpec::new("v1", "Pod"), body.as_bytes(), 3);
    assert_eq!(summary.map(|summary| summary.written_count), Ok(2));
    assert_eq!(items[1], r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}}"#);
}

/// What an apiserver answers to a continue token that has expired; its metadata looks like a list's.
const EXPIRED: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{"continue":"eyJ2IjoibWV0YS5rOHMuaW8vdjEi"},
    "status":"Failure","message":"The provided continue parameter is too old","reason":"Expired","code":410}"#;

#[test]
fn a_body_that_is_not_a_list_fails() {
    for (body, reason, offset) in [
        ("[]", Reason::NotAList, 0),
        (r#"{"kind":"Status","code":403}"#, Reason::NotAList, 0),
        (EXPIRED, Reason::NotAList, 0),
        (r#"{"items":{}}"#, Reason::NotAList, 9),
        (r#"{"items":[1]}"#, Reason::NotAList, 10),
        (r#"{"items":[],"items":[]}"#, Reason::NotAList, 12),
        (r#"{"items":[]}x"#, Reason::Syntax, 12),
    ] {
        assert_eq!(failure(body.as_bytes()), (reason, offset), "{body}");
    }
}

#[test]
fn an_item_that_can_not_be_stored_is_refused_and_the_page_goes_on() {
    for (item, reason) in [
        (r#"{"spec":{}}"#, "no_metadata"),
        (r#"{"metadata":[]}"#, "no_metadata"),
        (r#"{"metadata":{}}"#, "no_name"),
        (r#"{"metadata":{"name":""}}"#, "no_name"),
        (r#"{"metadata":{"name":"a/b"}}"#, "unsafe_name"),
        (r#"{"metadata":{"name":"a\u002fb"}}"#, "unsafe_name"),
        (r#"{"metadata":{"name":".."}}"#, "unsafe_name"),
        (r#"{"metadata":{"name":"a\u0000"}}"#, "unsafe_name"),
        (r#"{"metadata":{"name":"a","namespace":".."}}"#, "unsafe_name"),
    ] {
        let body = list_of(&format!(r#"{item},{{"metadata":{{"name":"good"}}}}"#));
        let (items, summary) = common::read(PageSpec::new("v1", "Pod"), body.as_bytes(), 11);
        let summary = summary.expect("a well-formed page");
        let offset = body.find(item).expect("the item") as u64;
        let refused: Vec<_> = summary.refused.iter().map(|refused| (refused.reason, refused.offset)).collect();
        assert_eq!(refused, [(reason, offset)], "{item}");
        assert_eq!(items, [r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"good"}}"#], "{item}");
    }
}
