//! Arbitrary documents, spelled arbitrarily and cut anywhere, come out as the slow reference writes them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
mod reference;

use pinnace_engine::error::{EngineError, Reason};
use pinnace_engine::json::canonical;
use pinnace_engine::page::{Page, PageSpec};
use proptest::prelude::*;
use reference::Document;

/// Characters that some rule is about, beside arbitrary ones.
fn character() -> impl Strategy<Value = char> {
    let special = "\"\\/<>&\u{8}\u{c}\n\r\t\0\u{1f} \u{7f}\u{80}é\u{2027}\u{2028}\u{2029}\u{202a}\u{fffd}😀{}[]:,";
    prop_oneof![4 => prop::char::range('a', 'd'), 2 => prop::sample::select(special.chars().collect::<Vec<_>>()), 1 => any::<char>()]
}

fn text(longest: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(character(), 0..longest).prop_map(|characters| characters.into_iter().collect())
}

/// Short keys of few letters, so that they repeat and are each other's beginnings.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[ab]{0,3}", 2 => "[ab]{7,10}", 2 => text(12)]
}

fn word() -> impl Strategy<Value = Document> {
    const PLAIN: &[&str] =
        &["null", "true", "false", "0", "-0", "1e400", "1.50E-07", "123456789012345678901234567890", "-2.5e+3"];
    prop_oneof![
        prop::sample::select(PLAIN).prop_map(str::to_owned),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?"
    ]
    .prop_map(Document::Word)
}

fn document() -> impl Strategy<Value = Document> {
    prop_oneof![word(), text(90).prop_map(Document::Text)].prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Document::Array),
            members(inner).prop_map(Document::Object)
        ]
    })
}

fn members(value: impl Strategy<Value = Document>) -> impl Strategy<Value = Vec<(String, Document)>> {
    prop::collection::vec((key(), value), 0..6)
}

/// Spells documents with choices from a seed; every spelling means the same document.
struct Speller(u64);

impl Speller {
    /// xorshift64*: enough to choose with, and the same everywhere.
    fn choose(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
    }

    fn space(&mut self, out: &mut String) {
        while self.choose(8) == 1 {
            out.push([' ', '\n', '\t', '\r'][self.choose(4) as usize % 4]);
        }
    }

    fn string(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for character in text.chars() {
            let must = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
            let short = "\"\"\\\\//\u{8}b\u{c}f\nn\rr\tt".chars().collect::<Vec<_>>();
            let short = short.chunks(2).find(|pair| pair[0] == character).map(|pair| pair[1]);
            match (self.choose(4), short) {
                (0 | 1, _) if !must => out.push(character),
                (0..=2, Some(letter)) => out.extend(['\\', letter]),
                _ => self.numeric(character, out),
            }
        }
        out.push('"');
    }

    /// `\uXXXX` in either case; U+FFFD as a lone surrogate, which means the same.
    fn numeric(&mut self, character: char, out: &mut String) {
        let lone = character == '\u{fffd}' && self.choose(2) == 1;
        let mut units = [0; 2];
        let units: &[u16] = if lone { &[0xd9ab] } else { character.encode_utf16(&mut units) };
        for unit in units {
            out.push_str(&if self.choose(2) == 0 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
        }
    }

    fn spell(&mut self, document: &Document, out: &mut String) {
        match document {
            Document::Word(word) => out.push_str(word),
            Document::Text(text) => self.string(text, out),
            Document::Array(elements) => {
                out.push('[');
                self.space(out);
                for (index, element) in elements.iter().enumerate() {
                    self.comma(index, out);
                    self.spell(element, out);
                    self.space(out);
                }
                out.push(']');
            }
            Document::Object(members) => self.object(members, out),
        }
    }

    fn object(&mut self, members: &[(String, Document)], out: &mut String) {
        out.push('{');
        self.space(out);
        for (index, (key, value)) in members.iter().enumerate() {
            self.comma(index, out);
            self.string(key, out);
            self.space(out);
            out.push(':');
            self.space(out);
            self.spell(value, out);
            self.space(out);
        }
        out.push('}');
    }

    fn comma(&mut self, index: usize, out: &mut String) {
        if index > 0 {
            out.push(',');
            self.space(out);
        }
    }
}

fn spelled(document: &Document, seed: u64) -> String {
    let mut out = String::new();
    Speller(seed | 1).spell(document, &mut out);
    out
}

fn member(key: &str, value: Document) -> (String, Document) {
    (key.to_owned(), value)
}

fn text_of(text: &str) -> Document {
    Document::Text(text.to_owned())
}

/// An item named `name` with `more` around its metadata.
fn item(name: &str, mut more: Vec<(String, Document)>) -> Vec<(String, Document)> {
    more.retain(|(key, _)| !matches!(key.as_str(), "metadata" | "apiVersion" | "kind"));
    let middle = more.len() / 2;
    more.insert(middle, member("metadata", Document::Object(vec![member("name", text_of(name))])));
    more
}

fn with_type_meta(item: &[(String, Document)]) -> Document {
    let added = [member("apiVersion", text_of("v1")), member("kind", text_of("Pod"))];
    Document::Object(item.iter().cloned().chain(added).collect())
}

/// A list of `items`, its metadata before or after them.
fn list(items: &[Vec<(String, Document)>], metadata_first: bool) -> Document {
    let metadata = vec![member("continue", text_of("next/<&>")), member("resourceVersion", text_of("41"))];
    let items = Document::Array(items.iter().cloned().map(Document::Object).collect());
    let mut members = vec![member("items", items), member("metadata", Document::Object(metadata))];
    if metadata_first {
        members.reverse();
    }
    Document::Object(members)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_spelling_of_a_document_becomes_the_reference_s(document in document(), seed: u64) {
        let mut written = Vec::new();
        let source = spelled(&document, seed);
        prop_assert_eq!(canonical::write(source.as_bytes(), None, &mut written), Ok(()));
        prop_assert_eq!(String::from_utf8(written).expect("UTF-8"), reference::canonical(&document));
    }

    #[test]
    fn what_is_canonical_stays_as_it_is(document in document()) {
        let (source, mut written) = (reference::canonical(&document), Vec::new());
        prop_assert_eq!(canonical::write(source.as_bytes(), None, &mut written), Ok(()));
        prop_assert_eq!(String::from_utf8(written).expect("UTF-8"), source);
    }

    #[test]
    fn a_document_that_is_cut_is_never_taken(document in members(document()), seed: u64, cut: prop::sample::Index) {
        let source = spelled(&Document::Object(document), seed);
        let mut written = Vec::new();
        let result = canonical::write(&source.as_bytes()[..cut.index(source.len())], None, &mut written);
        prop_assert!(result.is_err() && written.is_empty(), "{:?}", result);
    }

    #[test]
    fn a_page_that_is_cut_anywhere_is_truncated_there_and_gave_only_whole_items(
        parts in prop::collection::vec(members(document()), 1..4),
        seed: u64,
        metadata_first: bool,
        cut: prop::sample::Index,
    ) {
        let items: Vec<_> =
            parts.into_iter().enumerate().map(|(index, more)| item(&format!("item-{index}"), more)).collect();
        let body = spelled(&list(&items, metadata_first), seed);
        let cut = cut.index(body.len());
        let whole = common::read(PageSpec::new("v1", "Pod"), body.as_bytes(), 64).0;
        let (before, result) = common::read(PageSpec::new("v1", "Pod"), &body.as_bytes()[..cut], 64);
        let Err(EngineError::Page(error)) = result else { return Err(TestCaseError::fail(format!("taken: {body}"))) };
        prop_assert_eq!((error.reason, error.offset), (Reason::Truncated, cut as u64), "{}", body);
        prop_assert_eq!(&before, &whole[..before.len()]);
    }

    #[test]
    fn a_page_gives_the_same_items_however_it_is_spelled_and_cut(
        parts in prop::collection::vec(members(document()), 0..5),
        seed: u64,
        metadata_first: bool,
        chunk_lengths in prop::collection::vec(1..200_usize, 1..20),
    ) {
        let items: Vec<_> =
            parts.into_iter().enumerate().map(|(index, more)| item(&format!("item-{index}"), more)).collect();
        let body = spelled(&list(&items, metadata_first), seed);
        let mut kept = common::Kept::default();
        let mut page = Page::new(PageSpec::new("v1", "Pod"));
        let mut rest = body.as_bytes();
        for length in chunk_lengths.iter().cycle() {
            let (chunk, later) = rest.split_at((*length).min(rest.len()));
            prop_assert_eq!(page.feed(chunk, &mut kept), Ok(()), "{}", body);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let summary = page.finish().expect("a whole page");
        let expected: Vec<_> = items.iter().map(|item| reference::canonical(&with_type_meta(item))).collect();
        prop_assert_eq!(&kept.items, &expected);
        let by_byte = common::read(PageSpec::new("v1", "Pod"), body.as_bytes(), 1);
        prop_assert_eq!(by_byte, (expected.clone(), Ok(summary.clone())));
        prop_assert_eq!(summary.page_bytes, body.len() as u64);
        prop_assert_eq!(summary.archived_bytes, expected.iter().map(String::len).sum::<usize>() as u64);
        prop_assert_eq!(summary.continue_token.as_deref(), Some("next/<&>"));
        prop_assert_eq!(summary.resource_version.as_deref(), Some("41"));
    }
}
