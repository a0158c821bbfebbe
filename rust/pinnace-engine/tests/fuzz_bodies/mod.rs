//! What the fuzz targets check of arbitrary bytes; `rust/fuzz` includes this file, and normal tests replay seeds.

#[path = "../common/mod.rs"]
pub mod common;
#[path = "../reference/mod.rs"]
mod reference;

use pinnace_engine::error::EngineError;
use pinnace_engine::json::canonical;
use pinnace_engine::page::PageSpec;
use pinnace_engine::protobuf::Table;
use serde_json::Value;

/// The key by which `serde_json` tells itself of a number; a document that uses it is read wrongly there.
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// A document that `serde_json` understands as Go does.
fn reference(source: &[u8]) -> Option<Value> {
    if source.windows(NUMBER_KEY.len()).any(|window| window == NUMBER_KEY.as_bytes()) {
        return None;
    }
    serde_json::from_slice(source).ok()
}

/// One value: what `serde_json` takes is taken, what is written means the same and is canonical.
pub fn canonical(source: &[u8]) {
    let mut written = Vec::new();
    let result = canonical::write(source, None, &mut written);
    let expected = reference(source);
    if let Err(error) = result {
        assert!(expected.is_none(), "refused: {error}");
        assert!(error.offset <= source.len() as u64 && written.is_empty());
        return;
    }
    let mut again = Vec::new();
    assert_eq!(canonical::write(&written, None, &mut again), Ok(()));
    assert_eq!(again, written, "canonical bytes are written differently");
    let Some(expected) = expected else { return };
    assert_eq!(reference(&written).as_ref(), Some(&expected), "the meaning changed");
    // Only numbers can be spelled otherwise by serde_json, so a document of its own numbers must be equal.
    let expected = reference::canonical(&reference::Document::from(&expected));
    let mut normalised = Vec::new();
    assert_eq!(canonical::write(expected.as_bytes(), None, &mut normalised), Ok(()));
    assert_eq!(String::from_utf8(normalised).as_deref(), Ok(expected.as_str()));
}

/// Kinds that have, among them, a value of every codec.
pub const KINDS: [(&str, &str); 5] =
    [("v1", "Service"), ("v1", "Event"), ("v1", "ResourceQuota"), ("apps/v1", "ControllerRevision"), ("v1", "Secret")];

/// A body of protobuf after two bytes, which choose the kind and the chunks: chunks don't matter, items are canonical
/// as they would be had they come as JSON, offsets lie within.
pub fn protobuf(input: &[u8]) {
    let [kind, choice, body @ ..] = input else { return };
    let (api_version, kind) = KINDS[usize::from(*kind) % KINDS.len()];
    let spec = PageSpec { protobuf: Table::of("1.35"), ..PageSpec::new(api_version, kind) };
    let whole = common::read(spec.clone(), body, body.len().max(1));
    assert_eq!(common::read(spec, body, usize::from(*choice).max(1)), whole, "chunks matter");
    for item in &whole.0 {
        let mut written = Vec::new();
        assert_eq!(canonical::write(item.as_bytes(), None, &mut written), Ok(()));
        assert_eq!(String::from_utf8(written).as_ref(), Ok(item), "not canonical");
    }
    match whole.1 {
        Ok(summary) => assert_eq!(summary.written_count, whole.0.len() as u64),
        Err(EngineError::Page(error)) => assert!(error.offset <= body.len() as u64),
        Err(error) => panic!("{error}"),
    }
}

/// A body after one byte that chooses the chunks: chunks don't matter, items are canonical, offsets lie within.
pub fn page(input: &[u8]) {
    let Some((&choice, body)) = input.split_first() else { return };
    let spec = PageSpec::new("v1", "Pod");
    let whole = common::read(spec.clone(), body, body.len().max(1));
    assert_eq!(common::read(spec, body, usize::from(choice).max(1)), whole, "chunks matter");
    for item in &whole.0 {
        canonical(item.as_bytes());
    }
    match whole.1 {
        Ok(summary) => {
            assert_eq!(summary.written_count, whole.0.len() as u64);
            let Some(list) = reference(body) else { return };
            let items = list["items"].as_array().map_or(0, Vec::len);
            assert_eq!(summary.item_count, items as u64);
        }
        Err(EngineError::Page(error)) => assert!(error.offset <= body.len() as u64),
        Err(error) => panic!("{error}"),
    }
}
