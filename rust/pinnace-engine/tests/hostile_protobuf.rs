//! What a list of protobuf gets that is not as Go's encoding writes it: a reason, and the byte where it shows.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use pinnace_engine::error::{EngineError, Reason};
use pinnace_engine::filter::ItemFilter;
use pinnace_engine::page::PageSpec;
use pinnace_engine::protobuf::Table;

fn spec() -> PageSpec {
    PageSpec { protobuf: Table::of("1.35"), ..PageSpec::new("v1", "ConfigMap") }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("seven bits"));
}

/// A field with a length.
fn field(number: u64, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3 | 2, &mut out);
    varint(value.len() as u64, &mut out);
    [out, value.to_vec()].concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(field << 3, &mut out);
    varint(value, &mut out);
    out
}

/// An item `named` with `more` of metadata.
fn item(name: &str, more: &[u8]) -> Vec<u8> {
    field(1, &[field(1, name.as_bytes()), field(3, b"n"), field(5, b"u"), more.to_vec()].concat())
}

fn type_meta() -> Vec<u8> {
    field(1, &[field(1, b"v1"), field(2, b"ConfigMapList")].concat())
}

fn body(list: &[u8]) -> Vec<u8> {
    [b"k8s\0".to_vec(), type_meta(), field(2, list), field(3, b""), field(4, b"")].concat()
}

fn list_of(items: &[Vec<u8>]) -> Vec<u8> {
    let metadata = [field(2, b"7"), field(3, b"token"), number(4, 5)].concat();
    let items = items.iter().flat_map(|item| field(2, item));
    body(&[field(1, &metadata), items.collect()].concat())
}

fn outcome(body: &[u8]) -> (Reason, u64, String) {
    let mut found = Vec::new();
    for chunk_bytes in [1, 5, 64, body.len().max(1)] {
        match common::read(spec(), body, chunk_bytes).1 {
            Err(EngineError::Page(error)) => found.push((error.reason, error.offset, error.detail.into_owned())),
            other => panic!("{other:?} for {body:?}"),
        }
    }
    found.dedup();
    assert_eq!(found.len(), 1, "the outcome depends on the chunks: {found:?}");
    found.remove(0)
}

/// The reason of a failing item, and what its detail must say; the error's place is within the item.
fn failure_of_item(item: &[u8]) -> (Reason, String) {
    let body = list_of(&[item.to_vec()]);
    let place = body.windows(item.len()).position(|window| window == item).expect("the item") as u64;
    let (reason, offset, detail) = outcome(&body);
    assert!((place..=place + item.len() as u64).contains(&offset), "{offset} is not in the item at {place}");
    (reason, detail)
}

#[test]
fn a_list_is_read_with_its_metadata() {
    let data = field(2, &[field(1, b"b"), field(2, b"<")].concat());
    let first = field(2, &[field(1, b"a"), field(2, b"")].concat());
    let whole = list_of(&[[item("x", b""), data, first].concat(), item("y", b"")]);
    for chunk_bytes in [1, 3, whole.len()] {
        let (items, summary) = common::read(spec(), &whole, chunk_bytes);
        let summary = summary.expect("a list");
        assert_eq!(
            items,
            [
                r#"{"apiVersion":"v1","data":{"a":"","b":"\u003c"},"kind":"ConfigMap","metadata":{"name":"x","namespace":"n","uid":"u"}}"#,
                r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"y","namespace":"n","uid":"u"}}"#,
            ]
        );
        let token =
            (summary.continue_token.as_deref(), summary.resource_version.as_deref(), summary.remaining_item_count);
        assert_eq!(token, (Some("token"), Some("7"), Some(5)));
        assert_eq!(summary.page_bytes, whole.len() as u64);
    }
}

#[test]
fn a_list_without_items_is_one() {
    for list in [b"".to_vec(), field(1, b""), field(1, &field(2, b"7"))] {
        assert_eq!(common::read(spec(), &body(&list), 4).1.map(|summary| summary.item_count), Ok(0));
    }
}

#[test]
fn a_body_that_ends_early_is_truncated_wherever_it_ends() {
    let whole = list_of(&[item("x", b""), item("y", b"")]);
    let complete = whole.len() - field(3, b"").len() - field(4, b"").len();
    for length in 0..complete {
        let (reason, offset, _) = outcome(&whole[..length]);
        assert_eq!((reason, offset), (Reason::Truncated, length as u64));
    }
}

#[test]
fn an_envelope_that_is_none_is_not_a_list() {
    let other_kind = field(1, &[field(1, b"v1"), field(2, b"Status")].concat());
    for (body, reason, offset) in [
        (b"{\"kind\":".to_vec(), Reason::NotAList, 0),
        (b"k8s\x01".to_vec(), Reason::NotAList, 3),
        ([b"k8s\0".to_vec(), field(2, b"")].concat(), Reason::NotAList, 4),
        ([b"k8s\0".to_vec(), other_kind].concat(), Reason::NotAList, 6),
        ([body(b""), field(2, b"")].concat(), Reason::NotAList, body(b"").len() as u64),
        ([b"k8s\0".to_vec(), type_meta(), field(3, b"gzip")].concat(), Reason::UnknownField, 27),
        ([b"k8s\0".to_vec(), type_meta(), field(4, b"application/json")].concat(), Reason::UnknownField, 27),
        ([b"k8s\0".to_vec(), field(5, b"")].concat(), Reason::UnknownField, 4),
        ([b"k8s\0".to_vec(), number(1, 1)].concat(), Reason::UnknownField, 4),
        ([b"k8s\0".to_vec(), vec![0x0b]].concat(), Reason::UnknownField, 4),
        ([b"k8s\0".to_vec(), vec![0xff; 11]].concat(), Reason::Syntax, 4),
        (body(&field(3, b"")), Reason::UnknownField, 27),
        (body(&[field(1, b""), field(1, b"")].concat()), Reason::UnknownField, 29),
        (body(&field(1, &field(9, b""))), Reason::UnknownField, 29),
    ] {
        let found = outcome(&body);
        assert_eq!((found.0, found.1), (reason, offset), "{body:?}: {}", found.2);
    }
}

#[test]
fn a_length_beyond_what_it_is_in_is_refused_before_anything_is_kept() {
    let beyond_list = [b"k8s\0".to_vec(), type_meta(), vec![0x12, 2, 0x12, 0x7f]].concat();
    assert_eq!(outcome(&beyond_list).0, Reason::Syntax);
    let cut_tag = [b"k8s\0".to_vec(), type_meta(), vec![0x12, 1, 0x12, 0x01, 0x00]].concat();
    assert_eq!(outcome(&cut_tag).0, Reason::Syntax);
    let mut huge = [b"k8s\0".to_vec(), type_meta(), vec![0x12]].concat();
    varint(1 << 40, &mut huge);
    huge.push(0x12);
    varint(1 << 39, &mut huge);
    assert_eq!(outcome(&huge).0, Reason::TooLarge);
    let endless_type = [b"k8s\0".to_vec(), vec![0x0a, 0x80, 0x80, 0x80, 0x80, 0x10]].concat();
    assert_eq!(outcome(&endless_type).0, Reason::TooLarge);
}

#[test]
fn an_item_larger_than_the_limit_is_refused_by_its_length() {
    let body = list_of(&[item("x", &field(11, &[0; 100]))]);
    let limited = PageSpec { max_item_bytes: 64, ..spec() };
    let Err(EngineError::Page(error)) = common::read(limited, &body, 1).1 else { panic!("taken") };
    assert_eq!((error.reason, error.detail.as_ref()), (Reason::TooLarge, "one value of more than 64 bytes"));
}

#[test]
fn what_the_table_does_not_have_is_an_unknown_field_of_a_named_message() {
    for (more, expected) in [
        (field(99, b""), "core/v1.ConfigMap has a field 99 that the table does not have"),
        (number(2, 1), "field 2 of core/v1.ConfigMap is not of the type that the table says"),
        (field(4, b""), "field 4 of core/v1.ConfigMap is not of the type that the table says"),
        (field(1, b""), "field 1 of core/v1.ConfigMap comes again, which Go's encoding does not do"),
    ] {
        let (reason, detail) = failure_of_item(&[item("x", b""), more].concat());
        assert_eq!((reason, detail.as_str()), (Reason::UnknownField, expected));
    }
    let (reason, detail) = failure_of_item(&item("x", &field(77, b"")));
    assert_eq!(
        (reason, detail.as_str()),
        (Reason::UnknownField, "meta/v1.ObjectMeta has a field 77 that the table does not have")
    );
}

#[test]
fn a_map_is_refused_whose_keys_come_twice_or_whose_entries_have_more() {
    let entry = |key: &[u8], more: &[u8]| field(2, &[field(1, key), field(2, b"v"), more.to_vec()].concat());
    for data in
        [[entry(b"a", b""), entry(b"a", b"")].concat(), entry(b"a", &field(3, b"")), entry(b"a", &field(1, b"b"))]
    {
        assert_eq!(failure_of_item(&[item("x", b""), data].concat()).0, Reason::UnknownField);
    }
}

#[test]
fn a_map_that_is_not_sorted_is_sorted() {
    let entry = |key: &[u8]| field(2, &field(1, key));
    let (items, _) =
        common::read(spec(), &list_of(&[[item("x", b""), entry(b"b"), entry(b"a"), entry(b"\"")].concat()]), 64);
    assert!(items[0].contains(r#""data":{"\"":"","a":"","b":""}"#), "{}", items[0]);
}

#[test]
fn values_that_go_could_not_have_written_are_errors() {
    let time = |seconds: u64, nanos: u64| field(8, &[number(1, seconds), number(2, nanos)].concat());
    let managed = |raw: &[u8]| field(17, &field(7, &field(1, raw)));
    for (more, reason) in [
        (field(2, b"\xff"), Reason::InvalidUtf8),
        (field(2, b"\xed\xa0\x80"), Reason::InvalidUtf8),
        (time(1, 1_000_000_000), Reason::Syntax),
        (time(1, u64::MAX), Reason::Syntax),
        (time(253_402_300_800, 0), Reason::Syntax),
        (field(8, &field(1, b"")), Reason::UnknownField),
        (field(8, &number(3, 1)), Reason::UnknownField),
        (managed(b"{\"f:a\":"), Reason::Syntax),
        (managed(b"{} {}"), Reason::Syntax),
        (managed(b"\xa1"), Reason::Syntax),
        (managed(b""), Reason::Syntax),
        (managed("[".repeat(10_001).as_bytes()), Reason::Depth),
        (field(11, &[0x0a, 0x7f]), Reason::Syntax),
        (vec![0x38, 0x80], Reason::Syntax),
        ([vec![0x38], vec![0xff; 10]].concat(), Reason::Syntax),
    ] {
        assert_eq!(failure_of_item(&item("x", &more)).0, reason, "{more:?}");
    }
}

#[test]
fn items_are_left_out_and_refused_as_those_of_json_are() {
    let label = |value: &[u8]| field(11, &[field(1, b"velero.io/exclude-from-backup"), field(2, value)].concat());
    let items = [
        item("kept", &label(b"false")),
        item("labelled", &label(b"true")),
        item("deleting", &field(9, &number(1, 5))),
        item("not-deleting", &field(9, b"")),
        item("a/b", b""),
        item("", b""),
        b"".to_vec(),
    ];
    let (written, summary) = common::read(spec(), &list_of(&items), 64);
    let summary = summary.expect("a list");
    let skipped: Vec<_> = summary.skipped.met().collect();
    assert_eq!((written.len(), skipped), (2, vec![("exclude_label", 1), ("deleting", 1)]));
    let refused: Vec<_> = summary.refused.iter().map(|refused| refused.reason).collect();
    assert_eq!(refused, ["unsafe_name", "no_name", "no_name"]);
}

#[test]
fn a_kind_that_the_table_does_not_have_fails_at_once() {
    let spec = PageSpec { protobuf: Table::of("1.35"), ..PageSpec::new("example.com/v1", "Widget") };
    let Err(EngineError::Page(error)) = common::read(spec, b"k8s\0", 4).1 else { panic!("taken") };
    assert_eq!((error.reason, error.offset), (Reason::UnknownField, 0));
}

#[test]
fn a_repeated_page_passes_over_what_was_archived_and_goes_on_where_it_ended() {
    let items = ["a", "b", "c"].map(|name| field(1, &[field(1, name.as_bytes()), field(5, name.as_bytes())].concat()));
    let resumed = |uid: &str| PageSpec { skip_items: 2, skip_uid: Some(uid.to_owned()), ..spec() };
    let (written, summary) = common::read(resumed("b"), &list_of(&items), 16);
    assert_eq!((written.len(), summary.map(|summary| summary.item_count)), (1, Ok(3)));
    let Err(EngineError::Page(error)) = common::read(resumed("x"), &list_of(&items), 16).1 else { panic!("taken") };
    assert_eq!(error.reason, Reason::ResumeMismatch);
}

#[test]
fn held_items_and_those_behind_them_are_as_canonical_as_others() {
    use pinnace_engine::held::Hold;
    use pinnace_engine::page::Page;

    let data = field(2, &[field(1, b"wanted"), field(2, b"<")].concat());
    let items = [item("a", b""), [item("b", b""), data].concat(), item("c", b"")];
    let hold = Hold::default().at_paths(vec![vec!["data".to_owned(), "wanted".to_owned()]]);
    let filter = ItemFilter::default();
    let (mut page, mut kept) = (Page::new(PageSpec { hold, filter, ..spec() }), common::Kept::default());
    page.feed(&list_of(&items), &mut kept).expect("a list");
    let held = page.take_held();
    assert_eq!(held.len(), 1);
    assert_eq!(
        String::from_utf8_lossy(&held[0].json),
        r#"{"apiVersion":"v1","data":{"wanted":"\u003c"},"kind":"ConfigMap","metadata":{"name":"b","namespace":"n","uid":"u"}}"#
    );
    page.settle(&mut kept).expect("nothing is in its way");
    let summary = page.finish().expect("a list");
    assert_eq!((kept.items.len(), summary.held_count, summary.written_count), (2, 1, 2));
    assert_eq!(
        kept.items[1],
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"n","uid":"u"}}"#
    );
}
