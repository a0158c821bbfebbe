//! What filters, paths and the index take from an item is what its written JSON says, however often a key repeats.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use pinnace_engine::filter::EXCLUDE_LABEL;
use pinnace_engine::held::Hold;
use pinnace_engine::item::ItemReader;
use proptest::prelude::*;
use serde_json::Value;

const ANNOTATIONS: [&str; 2] = ["hook.backup.velero.io/command", "backup.velero.io/backup-volumes"];

/// An item's fields, or why it is refused.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    texts: [String; 5],
    deleting: bool,
    excluded_by_label: bool,
    refusal: Option<&'static str>,
}

/// What the engine says of `json`, and what it writes.
fn by_engine(json: &str) -> (Said, String) {
    let mut reader = ItemReader::default();
    let item = reader.read(json.as_bytes(), "v1", "Pod").expect("well-formed");
    let fields = item.fields();
    let texts = [fields.api_version, fields.kind, fields.namespace, fields.name, fields.uid].map(str::to_owned);
    let refusal = item.refusal().map(|refusal| refusal.reason);
    let (deleting, excluded_by_label) = (fields.deleting, fields.excluded_by_label);
    let said = Said { texts, deleting, excluded_by_label, refusal };
    let mut written = Vec::new();
    item.write(&mut written);
    (said, String::from_utf8(written).expect("canonical JSON is UTF-8"))
}

/// What written JSON, in which no key repeats, says.
fn by_reference(written: &str) -> Said {
    let item: Value = serde_json::from_str(written).expect("JSON");
    let metadata = &item["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts =
        [&item["apiVersion"], &item["kind"], &metadata["namespace"], &metadata["name"], &metadata["uid"]].map(text);
    let is_unsafe = |name: &str| matches!(name, "." | "..") || name.contains(['/', '\0']);
    let refusal = match (metadata.is_object(), texts[3].as_str()) {
        (false, _) => Some("no_metadata"),
        (true, "") => Some("no_name"),
        (true, name) if is_unsafe(name) || is_unsafe(&texts[2]) => Some("unsafe_name"),
        _ => None,
    };
    Said {
        texts,
        deleting: metadata.get("deletionTimestamp").is_some_and(|time| !time.is_null()),
        excluded_by_label: metadata["labels"][EXCLUDE_LABEL] == "true",
        refusal,
    }
}

/// A scalar or a container, of those that might stand where a text should.
fn odd() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["null", "5", "true", "[]", "{}", r#"{"name":"inner"}"#, r#"["x"]"#])
        .prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![6 => "[a-c]{0,2}", 1 => prop::sample::select(vec!["..", "x/y", "x\\u002fy", "\\u0000", "true", "tru\\u0065"]).prop_map(str::to_owned)]
        .prop_map(|text| format!("\"{text}\""))
}

/// `"key":value`, now and then with the key's first character escaped or with white space.
fn member(key: &'static str, value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (value, 0..5_u8).prop_map(move |(value, spelling)| match spelling {
        0 => format!("\"\\u{:04x}{}\":{value}", u32::from(key.as_bytes()[0]), &key[1..]),
        1 => format!(" \"{key}\" : {value} "),
        _ => format!("\"{key}\":{value}"),
    })
}

fn object(members: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec(members, 0..7).prop_map(|members| format!("{{{}}}", members.join(",")))
}

fn labels() -> impl Strategy<Value = String> {
    let value = prop_oneof![3 => Just("\"true\"".to_owned()), 2 => text(), 1 => odd()];
    object(prop_oneof![member(EXCLUDE_LABEL, value), member("app", text())])
}

fn annotations() -> impl Strategy<Value = String> {
    let value = || prop_oneof![4 => text(), 1 => odd()];
    object(
        prop_oneof![2 => member(ANNOTATIONS[0], value()), 2 => member(ANNOTATIONS[1], value()), 1 => member("app", text())],
    )
}

fn status() -> impl Strategy<Value = String> {
    let phases = ["\"Running\"", "\"Succeeded\"", "\"Failed\"", "\"F\\u0061iled\""];
    let phase = prop_oneof![4 => prop::sample::select(phases.to_vec()).prop_map(str::to_owned), 1 => odd()];
    object(prop_oneof![member("phase", phase), member("name", text())])
}

fn metadata() -> impl Strategy<Value = String> {
    let or_odd = || prop_oneof![5 => text(), 1 => odd()];
    object(prop_oneof![
        3 => member("name", or_odd()),
        2 => member("namespace", or_odd()),
        1 => member("uid", or_odd()),
        1 => member("deletionTimestamp", or_odd()),
        2 => member("labels", prop_oneof![4 => labels(), 1 => odd()]),
        3 => member("annotations", prop_oneof![6 => annotations(), 1 => odd()]),
    ])
}

fn item() -> impl Strategy<Value = String> {
    let or_odd = || prop_oneof![3 => text(), 1 => odd()];
    object(prop_oneof![
        4 => member("metadata", prop_oneof![6 => metadata(), 1 => odd()]),
        1 => member("apiVersion", or_odd()),
        1 => member("kind", or_odd()),
        1 => member("spec", metadata()),
        1 => member("status", prop_oneof![4 => status(), 1 => odd(), 1 => metadata()]),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of repeated keys any may count; but none is missed whose last one has a text.
    #[test]
    fn an_item_whose_written_json_has_a_text_at_a_path_is_held(json in item()) {
        let paths = ANNOTATIONS.map(|key| ["metadata", "annotations", key].map(str::to_owned).to_vec());
        let hold = Hold::default().at_paths(paths.into());
        let mut reader = ItemReader::default();
        let item = reader.read(json.as_bytes(), "v1", "Pod").expect("well-formed");
        let mut written = Vec::new();
        item.write(&mut written);
        let document: Value = serde_json::from_slice(&written).expect("JSON");
        let has_text = |key: &&str| document["metadata"]["annotations"][key].as_str().is_some_and(|text| !text.is_empty());
        let asks = ANNOTATIONS.iter().any(has_text);
        prop_assert!(item.is_held_by(&hold) || !asks, "{}", json);
        let mut reader = ItemReader::default();
        let again = reader.read(&written, "v1", "Pod").expect("well-formed");
        let is_given = |key: &&str| !matches!(document["metadata"]["annotations"][key].to_string().as_str(), "null" | "\"\"" | "{}" | "[]");
        prop_assert_eq!(again.is_held_by(&hold), ANNOTATIONS.iter().any(is_given), "{}", json);
    }

    #[test]
    fn fields_are_those_of_the_written_json(json in item()) {
        let (said, written) = by_engine(&json);
        prop_assert_eq!(said, by_reference(&written), "{} became {}", json, written);
    }
}

/// Texts in the order apiVersion, kind, namespace, name, uid.
#[test]
fn of_each_repeated_key_the_last_one_is_said_and_written() {
    for (json, texts, written) in [
        (
            r#"{"metadata":{"name":"old","namespace":"n1","uid":"u1","name":"new","namespace":"n2","uid":"u2"}}"#,
            ["v1", "Pod", "n2", "new", "u2"],
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"new","namespace":"n2","uid":"u2"}}"#,
        ),
        (
            r#"{"metadata":{"name":"old","namespace":"n1","uid":"u1"},"metadata":{"name":"new"}}"#,
            ["v1", "Pod", "", "new", ""],
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"new"}}"#,
        ),
        (
            r#"{"kind":"A","m\u0065tadata":{"n\u0061me":"old"},"metadata":{"name":"new"},"kind":"B","apiVersion":"x/v2"}"#,
            ["x/v2", "B", "", "new", ""],
            r#"{"apiVersion":"x/v2","kind":"B","metadata":{"name":"new"}}"#,
        ),
    ] {
        let texts = texts.map(str::to_owned);
        let said = Said { texts, deleting: false, excluded_by_label: false, refusal: None };
        assert_eq!(by_engine(json), (said, written.to_owned()), "{json}");
    }
}
