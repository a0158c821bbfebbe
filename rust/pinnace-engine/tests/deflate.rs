//! What our own deflate writes is read by others, whatever it is given and told.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read;

use flate2::read::MultiGzDecoder;
use pinnace_engine::deflate::own::Own;
use pinnace_engine::deflate::{Deflate, Repeat};
use proptest::prelude::*;

/// What two independent readers make of a gzip member; they must agree.
fn unpacked(member: &[u8], length: usize) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(member).read_to_end(&mut plain).expect("zlib-rs reads it");
    let mut other = vec![0; length];
    let count = libdeflater::Decompressor::new().gzip_decompress(member, &mut other).expect("libdeflate reads it");
    assert!(count == length && other == plain);
    plain
}

fn check(encoder: &mut Own, source: &[u8], repeats: &[Repeat]) -> usize {
    let member = encoder.member(source, repeats).expect("a member");
    assert!(unpacked(&member, source.len()) == source);
    member.len()
}

/// Something that compresses about as JSON does, of a seed.
fn words(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut found = Vec::new();
    while found.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = [r#""name":""#, r#""labels":{"#, r#""uid":""#, "},", r#"","#, "app.kubernetes.io/"]
            [(state >> 61) as usize % 6];
        found.extend_from_slice(word.as_bytes());
        found.extend_from_slice(format!("{:x}", state >> 52).as_bytes());
    }
    found.truncate(bytes);
    found
}

#[test]
fn extremes_are_read_back() {
    let mut encoder = Own::default();
    let noise: Vec<u8> = (0..300_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
    for source in [&b""[..], b"a", b"aa", b"abcdefgh", &[0; 9], &[0; 1 << 20], &noise, &words(7, 3 << 20)] {
        check(&mut encoder, source, &[]);
    }
}

#[test]
fn noise_grows_by_little() {
    let noise: Vec<u8> = words(3, 1 << 16)
        .iter()
        .scan(1_u64, |state, byte| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(*byte) | 1);
            Some((*state >> 56) as u8)
        })
        .collect();
    let length = check(&mut Own::default(), &noise, &[]);
    assert!(length * 100 <= noise.len() * 102, "{length}");
}

#[test]
fn the_bytes_do_not_depend_on_what_the_encoder_did_before() {
    let source = words(5, 200_000);
    let mut used = Own::default();
    check(&mut used, &words(6, 400_000), &[]);
    assert!(used.member(&source, &[]) == Own::default().member(&source, &[]));
}

#[test]
fn a_second_copy_that_is_told_costs_next_to_nothing() {
    let item = words(9, 20_000);
    let source = [item.clone(), item.clone()].concat();
    let repeat = Repeat { start: item.len(), length: item.len(), distance: item.len() };
    let alone = check(&mut Own::default(), &item, &[]);
    let twice = check(&mut Own::default(), &source, &[repeat]);
    // 78 matches of 258 bytes, of less than 4 bytes each.
    assert!(twice < alone + 78 * 4, "{alone}, twice {twice}");
}

#[test]
fn an_item_of_half_the_window_is_found_by_its_second_copy() {
    let item = words(11, 20_000);
    let mut source = Vec::new();
    let mut repeats = Vec::new();
    for number in 0..4_u8 {
        source.extend_from_slice(&[number; 512]);
        source.extend_from_slice(&item);
        let start = source.len();
        source.extend_from_slice(&item);
        repeats.push(Repeat { start, length: item.len(), distance: item.len() });
    }
    let mut encoder = Own::default();
    let alone = check(&mut encoder, &item, &[]);
    // Seven copies of 78 matches.
    assert!(check(&mut encoder, &source, &repeats) < alone + 7 * 78 * 4);
}

#[test]
fn repeats_of_all_lengths_with_little_between_are_read_back() {
    let mut encoder = Own::default();
    for length in (0..=4).chain(255..=262).chain(515..=519) {
        for gap in [0, 1, 3, 9, 300] {
            let (mut source, mut repeats) = (words(13, 400), Vec::new());
            for number in 0..6 {
                // Of places just written, of second copies, and of what lies at the very beginning.
                let distance = [source.len(), 300, length.max(1), 1, 299, source.len()][number];
                let start = source.len();
                for place in start..start + length {
                    source.push(source[place - distance]);
                }
                repeats.push(Repeat { start, length, distance });
                source.extend(words(number as u64, gap));
            }
            check(&mut encoder, &source, &repeats);
        }
    }
}

/// Parts, each its bytes and whether they come a second time after so many others.
fn parts() -> impl Strategy<Value = Vec<(Vec<u8>, Option<usize>)>> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        (any::<u64>(), 0..40_000_usize).prop_map(|(seed, length)| words(seed, length)),
        (any::<u8>(), 0..3_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    prop::collection::vec((bytes, prop::option::of(0..700_usize)), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn anything_is_read_back(parts in parts()) {
        let (mut source, mut repeats) = (Vec::new(), Vec::new());
        for (bytes, gap) in parts {
            let first = source.len();
            source.extend_from_slice(&bytes);
            let Some(gap) = gap else { continue };
            source.extend(words(1, gap));
            let start = source.len();
            source.extend_from_slice(&bytes);
            if start > first && start - first <= Repeat::FARTHEST {
                repeats.push(Repeat { start, length: bytes.len(), distance: start - first });
            }
        }
        let mut encoder = Own::default();
        check(&mut encoder, &source, &repeats);
        check(&mut encoder, &source, &[]);
    }
}
