//! The two ways of looking at blocks must agree on everything, malformed input included.

use proptest::prelude::*;

use super::boundary::Boundary;
use super::canonical::write_tape;
use super::lanes::Scalar;
use super::parse::parse_with;
use super::tape::{Options, Tape};
use crate::error::PageError;

const OPTIONS: Options<'_> = Options { type_meta: Some(("v1", "Pod")), keep_members: false };

/// Where a value ends, how it is written, and what it says of itself.
type Understood = Result<(usize, Vec<u8>, String), PageError>;

fn understood(bytes: &[u8], parse: impl Fn(&mut Tape) -> Result<usize, PageError>) -> Understood {
    let mut tape = Tape::default();
    let end = parse(&mut tape)?;
    let mut out = Vec::new();
    write_tape(&tape, bytes, &mut out);
    Ok((end, out, format!("{:?}", tape.fields())))
}

/// With what the processor has, and byte by byte.
fn both(bytes: &[u8]) -> [Understood; 2] {
    [
        understood(bytes, |tape| tape.parse(bytes, OPTIONS)),
        understood(bytes, |tape| parse_with(Scalar, tape, bytes, OPTIONS)),
    ]
}

#[test]
fn parsing_of_real_items_with_and_without_avx2_agrees() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/cluster");
    let mut pages = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let body = std::fs::read(entry.unwrap().path()).unwrap();
        let [fast, slow] = both(&body);
        assert!(fast.is_ok());
        assert_eq!(fast, slow);
        pages += 1;
    }
    assert!(pages > 50, "{pages} golden pages");
}

/// Bytes of JSON's alphabet, long enough for several blocks, mostly malformed.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![8 => prop::sample::select(&b"\"\\{}[]:,<& u0a1-"[..]), 1 => any::<u8>()], 0..300)
}

/// An object whose one string crosses block borders at any place.
fn long_string() -> impl Strategy<Value = Vec<u8>> {
    ("[ax]{0,70}", "(\\\\\\\\|\\\\\"|\\\\u003c|<|é|\u{2028}|\\\\){0,6}", "[ax}]{0,70}")
        .prop_map(|(before, middle, after)| format!("{{\"{before}\":\"{middle}{after}\",\"a\":1}} ,").into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsing_with_and_without_avx2_agrees(bytes in prop_oneof![noise(), long_string()]) {
        let [fast, slow] = both(&bytes);
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn values_end_at_the_same_byte_with_and_without_avx2(bytes in prop_oneof![noise(), long_string()], cut in 0..300_usize) {
        let whole = [b"{", &bytes[..]].concat();
        let (first, second) = whole.split_at(cut.min(whole.len()));
        let (mut fast, mut slow) = (Boundary::starting_with(b'{'), Boundary::starting_with(b'{'));
        for part in [first, second] {
            let end = fast.advance(part);
            prop_assert_eq!(end, slow.advance_lanes(Scalar, part));
            if end.is_some() {
                break;
            }
        }
    }
}
