//! The slow way to canonical JSON, which shares no code with the engine: a tree, a map per object, `serde_json`'s
//! own string escapes plus the five of Go. Recursive, so only for documents that are not deep.

use std::collections::BTreeMap;

use serde_json::Value;

/// A document as a test means it; numbers keep their spelling and keys may repeat.
#[derive(Debug, Clone)]
pub enum Document {
    /// `null`, `true`, `false` or a number, as spelled.
    Word(String),
    /// A string by its characters.
    Text(String),
    /// Elements in order.
    Array(Vec<Document>),
    /// Members in the order of the source.
    Object(Vec<(String, Document)>),
}

/// What Go's `json.Marshal` makes of `document` once it was read into a map.
pub fn canonical(document: &Document) -> String {
    match document {
        Document::Word(word) => word.clone(),
        Document::Text(text) => string(text),
        Document::Array(elements) => format!("[{}]", elements.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Document::Object(members) => {
            let last: BTreeMap<&[u8], &(String, Document)> =
                members.iter().map(|member| (member.0.as_bytes(), member)).collect();
            let members: Vec<_> =
                last.values().map(|(key, value)| format!("{}:{}", string(key), canonical(value))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// A string as Go writes it.
pub fn string(text: &str) -> String {
    let mut written = Value::String(text.to_owned()).to_string();
    for special in ['<', '>', '&', '\u{2028}', '\u{2029}'] {
        written = written.replace(special, &format!("\\u{:04x}", u32::from(special)));
    }
    written
}

/// The document that `serde_json` reads; its numbers are as `serde_json` keeps them.
impl From<&Value> for Document {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Word(value.to_string()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(elements) => Self::Array(elements.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect())
            }
        }
    }
}
