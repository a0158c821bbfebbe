//! Lists of every built-in kind, encoded by the API server's own code as protobuf and as JSON, give the same items.
//!
//! `just protobuf-vectors` makes the file of them, and checks as many more as it is told to.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;
use pinnace_engine::page::{PageSpec, PageSummary};
use pinnace_engine::protobuf::Table;

/// The table that is built in, as text.
const TABLE: &str = include_str!("../src/protobuf/kubernetes-1.35.table");

/// One list, encoded twice.
struct Pair {
    api_version: String,
    kind: String,
    protobuf: Vec<u8>,
    json: Vec<u8>,
}

/// Those that are checked in, or those of the file that the environment names.
fn pairs() -> Vec<Pair> {
    let path = std::env::var_os("PINNACE_PROTOBUF_VECTORS");
    let packed = path.map(|path| std::fs::read(path).expect("the file of vectors"));
    let mut bytes = Vec::new();
    let packed = packed.as_deref().unwrap_or(include_bytes!("protobuf_vectors.gz"));
    GzDecoder::new(packed).read_to_end(&mut bytes).expect("gzip");
    let mut rest = bytes.as_slice();
    let mut part = || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (part, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        rest = after;
        Some(part.to_vec())
    };
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    std::iter::from_fn(|| {
        let (api_version, kind) = (text(part()?), text(part()?));
        Some(Pair { api_version, kind, protobuf: part()?, json: part()? })
    })
    .collect()
}

fn as_json(pair: &Pair) -> (Vec<String>, PageSummary) {
    let (items, summary) = common::read(PageSpec::new(&pair.api_version, &pair.kind), &pair.json, pair.json.len());
    (items, summary.expect("JSON of the API server"))
}

/// The items and the summary, which differ in nothing but the bytes of the page; or the error.
fn as_protobuf(pair: &Pair, table: &Arc<Table>, chunk_bytes: usize) -> Result<(Vec<String>, PageSummary), String> {
    let spec = PageSpec { protobuf: Some(Arc::clone(table)), ..PageSpec::new(&pair.api_version, &pair.kind) };
    let (items, summary) = common::read(spec, &pair.protobuf, chunk_bytes);
    let summary = summary.map_err(|error| error.to_string())?;
    Ok((items, PageSummary { page_bytes: pair.json.len() as u64, ..summary }))
}

/// Every item has a name in a backup; here some have none, and are refused with the same words but at other offsets.
fn without_offsets((items, mut summary): (Vec<String>, PageSummary)) -> (Vec<String>, PageSummary) {
    summary.refused.iter_mut().for_each(|refused| refused.offset = 0);
    (items, summary)
}

fn table() -> Arc<Table> {
    Table::of("1.35").expect("the table that is built in")
}

#[test]
fn there_are_vectors_of_every_kind_of_the_table() {
    let table = table();
    let known: BTreeSet<_> = table.kinds().collect();
    let pairs = pairs();
    let given: BTreeSet<_> = pairs.iter().map(|pair| (pair.api_version.as_str(), pair.kind.as_str())).collect();
    assert_eq!(given, known);
}

#[test]
fn items_of_protobuf_are_byte_for_byte_those_of_json() {
    let table = table();
    for pair in pairs() {
        let expected = without_offsets(as_json(&pair));
        for chunk_bytes in [pair.protobuf.len(), 7] {
            let found = as_protobuf(&pair, &table, chunk_bytes).map(without_offsets);
            let (kind, found) = (&pair.kind, found.unwrap_or_else(|error| panic!("{}: {error}", pair.kind)));
            for (found, expected) in found.0.iter().zip(&expected.0) {
                assert_eq!(found, expected, "{kind} of {}", pair.api_version);
            }
            assert_eq!(found.1, expected.1, "{kind} of {}", pair.api_version);
            assert_eq!(found.0.len(), expected.0.len());
        }
    }
}
