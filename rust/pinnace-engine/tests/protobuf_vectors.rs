//! Lists of every built-in kind, encoded by the API server's own code as protobuf and as JSON, give the same items.
//!
//! `just protobuf-vectors` makes the file of them, and checks as many more as it is told to.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;
use pinnace_engine::filter::ItemFilter;
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

/// A page of which all items are taken, also those that are being deleted.
fn spec(pair: &Pair) -> PageSpec {
    let filter = ItemFilter { takes_all: true, ..ItemFilter::default() };
    PageSpec { filter, ..PageSpec::new(&pair.api_version, &pair.kind) }
}

fn as_json(pair: &Pair) -> (Vec<String>, PageSummary) {
    let (items, summary) = common::read(spec(pair), &pair.json, pair.json.len());
    (items, summary.expect("JSON of the API server"))
}

/// The items and the summary, which differ in nothing but the bytes of the page; or the error.
fn as_protobuf(pair: &Pair, table: &Arc<Table>, chunk_bytes: usize) -> Result<(Vec<String>, PageSummary), String> {
    let spec = PageSpec { protobuf: Some(Arc::clone(table)), ..spec(pair) };
    let (items, summary) = common::read(spec, &pair.protobuf, chunk_bytes);
    let summary = summary.map_err(|error| error.to_string())?;
    Ok((items, PageSummary { page_bytes: pair.json.len() as u64, ..summary }))
}

/// The first item of each list has no name, and is refused with the same words but at another offset.
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

/// What is not the same, for people; None where nothing is.
fn difference(pair: &Pair, table: &Arc<Table>, chunk_bytes: usize) -> Option<String> {
    let expected = without_offsets(as_json(pair));
    let found = match as_protobuf(pair, table, chunk_bytes) {
        Ok(found) => without_offsets(found),
        Err(error) => return Some(error),
    };
    let differing = found.0.iter().zip(&expected.0).find(|(found, expected)| found != expected);
    if let Some((found, expected)) = differing {
        let same = found.bytes().zip(expected.bytes()).take_while(|(found, expected)| found == expected).count();
        let near = |text: &str| {
            String::from_utf8_lossy(&text.as_bytes()[same.saturating_sub(80)..]).chars().take(160).collect::<String>()
        };
        return Some(format!("{:?} and not {:?}", near(found), near(expected)));
    }
    (found != expected).then(|| format!("{:?} and not {:?}", found.1, expected.1))
}

#[test]
fn items_of_protobuf_are_byte_for_byte_those_of_json() {
    let table = table();
    let pairs = pairs();
    let differences: Vec<_> = pairs
        .iter()
        .flat_map(|pair| [pair.protobuf.len(), 7].map(|chunk_bytes| (pair, chunk_bytes)))
        .filter_map(|(pair, chunk_bytes)| {
            let difference = difference(pair, &table, chunk_bytes)?;
            Some(format!("{} {}: {difference}", pair.api_version, pair.kind))
        })
        .collect();
    assert_eq!(differences.join("\n"), "");
}

/// What is shown is never guessed: a list is the same as JSON, or it is refused because JSON has null or [] somewhere.
#[test]
fn items_that_json_shows_in_two_ways_are_refused_where_that_is_asked_for() {
    let table = table();
    let (mut same, mut refused) = (0, 0);
    for pair in &pairs() {
        let protobuf = Some(Arc::clone(&table));
        let spec = PageSpec { protobuf, refuses_nil: true, ..spec(pair) };
        let (items, summary) = common::read(spec, &pair.protobuf, usize::MAX);
        let expected = as_json(pair).0;
        assert_eq!(items, expected[..items.len()], "{} {}", pair.api_version, pair.kind);
        match summary {
            Ok(_) => {
                same += 1;
                assert_eq!(items.len(), expected.len());
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().starts_with("nil_or_empty at byte "), "{error}");
                let next = &expected[items.len()];
                assert!([":null", ":[]", ":{}"].iter().any(|shown| next.contains(shown)), "{next}");
            }
        }
    }
    assert!(same > 0 && refused > 0, "{same} lists are the same, {refused} refused");
}

/// What is wrong about a table if one field of it is wrong, where that can be seen at all.
fn mutations(line: &str) -> Vec<String> {
    let words: Vec<_> = line.split(' ').collect();
    let [number, name, shape, omission, codec] = words[..] else { return Vec::new() };
    if shape == "fixed" {
        return vec![format!("{number} {name} {shape} {omission} {codec}x")];
    }
    let mut wrong = vec![format!("1023 {name} {shape} {omission} {codec}")];
    if shape == "inline" {
        return wrong;
    }
    wrong.push(format!("{number} {name}x {shape} {omission} {codec}"));
    let is_struct = codec.contains('.') || matches!(codec, "quantity" | "intorstring" | "raw");
    if shape != "one" || !is_struct {
        let other = if omission == "always" { "omitempty" } else { "always" };
        wrong.push(format!("{number} {name} {shape} {other} {codec}"));
    }
    if let Some(other) = other_codec(codec) {
        wrong.push(format!("{number} {name} {shape} {omission} {other}"));
    }
    if shape == "one" && omission == "omitempty" && codec != "time" {
        wrong.push(format!("{number} {name} pointer {omission} {codec}"));
    }
    wrong
}

fn other_codec(codec: &str) -> Option<&'static str> {
    Some(match codec {
        "string" => "bytes",
        "bytes" => "string",
        "bool" => "int32",
        "int32" | "int64" => "bool",
        "time" => "microtime",
        "microtime" => "time",
        "quantity" | "raw" => "intorstring",
        "intorstring" => "quantity",
        "strings" => "string",
        _ => return None,
    })
}

/// Wrong fields that no list of the server can show: of what its defaults never leave empty how emptiness is spelled, and
/// `stringData` of Secrets, which it never sends.
const UNSEEN: &str = include_str!("protobuf_unseen.txt");

/// Every field's number, name, omission, codec and presence; a part of them unless all are asked for.
#[test]
fn a_table_with_one_wrong_field_is_found_out() {
    let all = std::env::var_os("PINNACE_ALL_MUTATIONS").is_some();
    let pairs = pairs();
    let expected: Vec<_> = pairs.iter().map(|pair| as_json(pair).0).collect();
    let lines: Vec<_> = TABLE.lines().collect();
    let is_field = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let fields = lines.iter().enumerate().filter(|(_, line)| is_field(line)).map(|(place, _)| place);
    let (mut undetected, mut likely) = (BTreeSet::new(), 0);
    let message = |place: usize| lines[..place].iter().rev().find(|line| line.starts_with("message")).copied();
    for place in fields.step_by(if all { 1 } else { 13 }) {
        for wrong in mutations(lines[place]) {
            let mut mutated = lines.clone();
            mutated[place] = &wrong;
            let Ok(table) = Table::parse(&mutated.join("\n")).map(Arc::new) else { continue };
            let differs = |index: &usize| {
                as_protobuf(&pairs[*index], &table, usize::MAX).map(|found| found.0).ok().as_ref()
                    != Some(&expected[*index])
            };
            match std::iter::once(likely).chain(0..pairs.len()).find(differs) {
                Some(index) => likely = index,
                None => {
                    let message = message(place).unwrap_or_default();
                    undetected.insert(format!("{message}: {}, also as {wrong}", lines[place]));
                }
            }
        }
    }
    let unseen: BTreeSet<_> = UNSEEN.lines().map(str::to_owned).collect();
    assert_eq!(undetected.difference(&unseen).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(!all || undetected == unseen, "{:?} can be seen", unseen.difference(&undetected).collect::<Vec<_>>());
}
