//! The fuzz targets' bodies, replayed on seeds and on every small mutation of them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fuzz_bodies;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use fuzz_bodies::common;
use pinnace_engine::error::EngineError;
use pinnace_engine::json::canonical;
use pinnace_engine::page::PageSpec;
use pinnace_engine::protobuf::Table;

/// Bytes of each seed of `target`, by name.
fn seeds(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let entries = fs::read_dir(folder).expect("seeds").map(|entry| entry.expect("entry"));
    let named = |entry: fs::DirEntry| (entry.file_name().into_string().expect("a name"), entry.path());
    entries.map(named).map(|(name, path)| (name, fs::read(path).expect("seed"))).collect()
}

/// Cut at every byte, and every byte replaced by ones that matter to the format.
fn replay(target: &str, body: fn(&[u8]), replacements: &[u8]) {
    for seed in seeds(target).values() {
        for place in 0..=seed.len() {
            body(&seed[..place]);
            if place == seed.len() {
                continue;
            }
            let mut mutated = seed.clone();
            for &replacement in replacements {
                mutated[place] = replacement;
                body(&mutated);
            }
        }
    }
}

#[test]
fn each_seed_of_pages_gets_to_where_its_name_says() {
    let outcome = |seed: &[u8]| match common::read(PageSpec::new("v1", "Pod"), &seed[1..], 9) {
        (items, Ok(summary)) => format!("{} of {} written", items.len(), summary.item_count),
        (_, Err(EngineError::Page(error))) => format!("{} at {}", error.reason, error.offset),
        (_, Err(error)) => error.to_string(),
    };
    let outcomes: Vec<_> = seeds("page").iter().map(|(name, seed)| format!("{name}: {}", outcome(seed))).collect();
    assert_eq!(
        outcomes,
        [
            "items_first: 1 of 2 written",
            "null_items: 0 of 0 written",
            "status: not_a_list at 0",
            "two_items: 2 of 2 written",
        ]
    );
}

#[test]
fn each_seed_of_values_is_taken_and_written_anew() {
    for (name, seed) in seeds("canonical") {
        let mut written = Vec::new();
        assert_eq!(canonical::write(&seed, None, &mut written), Ok(()), "{name}");
        assert_eq!(written == seed, name == "numbers", "{name}: only numbers stay as they are spelled");
    }
}

/// Bytes that matter to JSON.
const JSON: &[u8] = b"\"\\{}[]:,0-e\x00\xff u<";

/// Bytes that matter to protobuf: tags of both wire types and of a group, lengths, the beginning of longer varints.
const PROTOBUF: &[u8] = b"\x00\x01\x02\x08\x0a\x0b\x10\x12\x7f\x80\xff";

#[test]
fn pages_hold_what_the_fuzz_target_checks() {
    replay("page", fuzz_bodies::page, JSON);
}

#[test]
fn canonical_values_hold_what_the_fuzz_target_checks() {
    replay("canonical", fuzz_bodies::canonical, JSON);
}

#[test]
fn each_seed_of_protobuf_is_a_list_of_one_item() {
    for (name, seed) in seeds("protobuf") {
        let (api_version, kind) = fuzz_bodies::KINDS[usize::from(seed[0])];
        let spec = PageSpec { protobuf: Table::of("1.35"), ..PageSpec::new(api_version, kind) };
        assert_eq!(common::read(spec, &seed[2..], 9).1.map(|summary| summary.item_count), Ok(1), "{name}");
    }
}

#[test]
fn protobuf_holds_what_the_fuzz_target_checks() {
    replay("protobuf", fuzz_bodies::protobuf, PROTOBUF);
}
