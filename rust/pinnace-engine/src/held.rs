//! Which items a page hands out instead of giving them to its sink, because a caller has to do something with each.
//!
//! Nothing here is noticed while an item is parsed: of kinds that nobody asks for there is no cost at all, and of the
//! others a search for the last key of each path passes most items by. Only where one is met its path is followed.

use std::collections::HashSet;

use aho_corasick::packed;
use memchr::memmem;

use crate::item::ItemFields;
use crate::json::{Boundary, text};

/// The segment that stands for each element of an array.
pub const EACH: &str = "[]";

/// One held item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldItem {
    /// Empty for cluster-scoped items.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// Canonical, with `apiVersion` and `kind`.
    pub json: Vec<u8>,
}

/// Items that match any of these are held.
#[derive(Debug, Clone, Default)]
pub struct Hold {
    /// All of them.
    pub everything: bool,
    /// Those of these namespaces.
    pub namespaces: HashSet<String>,
    /// Those of these names: `namespace/name`, or `name` of cluster-scoped items.
    pub names: HashSet<String>,
    paths: Paths,
}

/// Paths and what finds their last keys, with their quotes.
#[derive(Debug, Clone, Default)]
struct Paths {
    /// Keys from the root on, [`EACH`] for the elements of an array.
    paths: Vec<Vec<String>>,
    /// All keys in one pass, where there are several and the processor can.
    together: Option<packed::Searcher>,
    apart: Vec<memmem::Finder<'static>>,
}

impl Hold {
    /// Every item.
    #[must_use]
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Also items that have something at one of `paths`: more than null, an empty text, object or array.
    #[must_use]
    pub fn at_paths(self, paths: Vec<Vec<String>>) -> Self {
        let last_keys = || paths.iter().map(|path| last_key(path));
        let together = if paths.len() > 1 { packed::Searcher::new(last_keys()) } else { None };
        let apart = last_keys().map(|key| memmem::Finder::new(&key).into_owned()).collect();
        Self { paths: Paths { paths, together, apart }, ..self }
    }

    /// Whether it can't hold anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.everything && self.namespaces.is_empty() && self.names.is_empty() && self.paths.paths.is_empty()
    }

    /// Whether an item is held; `source` is well-formed JSON, whose keys are spelled as plainly as can be unless said otherwise.
    #[must_use]
    pub fn holds(&self, item: &ItemFields<'_>, source: &[u8], has_veiled_keys: bool) -> bool {
        self.everything
            || self.namespaces.contains(item.namespace)
            || (!self.names.is_empty() && self.names.contains(&full_name(item)))
            || self.paths.lead_somewhere(source, has_veiled_keys)
    }
}

fn full_name(item: &ItemFields<'_>) -> String {
    if item.namespace.is_empty() { item.name.to_owned() } else { format!("{}/{}", item.namespace, item.name) }
}

/// The last key of a path as it is spelled without escapes.
fn last_key(path: &[String]) -> Vec<u8> {
    let last = path.iter().rev().find(|segment| *segment != EACH);
    let mut quoted = Vec::new();
    text::encode(last.map_or("", String::as_str), &mut quoted);
    quoted
}

impl Paths {
    fn lead_somewhere(&self, source: &[u8], has_veiled_keys: bool) -> bool {
        (has_veiled_keys || self.has_last_key(source)) && self.paths.iter().any(|path| leads_somewhere(source, path))
    }

    fn has_last_key(&self, source: &[u8]) -> bool {
        match &self.together {
            Some(searcher) => searcher.find(source).is_some(),
            None => self.apart.iter().any(|finder| finder.find(source).is_some()),
        }
    }
}

/// Whether `value` has something at `path`. Of repeated keys any counts, so that none is missed: a caller that looks
/// closer finds nothing to do, while one that is not told could do nothing.
fn leads_somewhere(value: &[u8], path: &[String]) -> bool {
    let value = value.trim_ascii_start();
    let Some((segment, rest)) = path.split_first() else {
        return is_given(value);
    };
    match value.first() {
        Some(b'[') if segment == EACH => elements(&value[1..]).any(|element| leads_somewhere(element, rest)),
        Some(b'{') if segment != EACH => {
            members(&value[1..]).any(|(key, member)| is_key(key, segment) && leads_somewhere(member, rest))
        }
        _ => false,
    }
}

fn is_given(value: &[u8]) -> bool {
    !matches!(value, [b'n', ..] | [b'"', b'"', ..] | [b'{', b'}', ..] | [b'[', b']', ..])
}

fn is_key(quoted: &[u8], wanted: &str) -> bool {
    let raw = &quoted[1..quoted.len() - 1];
    raw == wanted.as_bytes() || (raw.contains(&b'\\') && text::decode(raw) == wanted)
}

/// The values of an array whose bracket was passed.
fn elements(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        rest = after_delimiters(rest);
        let value = next_value(rest)?;
        rest = &rest[value.len()..];
        Some(value)
    })
}

/// Quoted keys and the values of an object whose brace was passed.
fn members(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        rest = after_delimiters(rest);
        let key = next_value(rest)?;
        rest = after_delimiters(&rest[key.len()..]);
        let value = next_value(rest)?;
        rest = &rest[value.len()..];
        Some((key, value))
    })
}

fn after_delimiters(bytes: &[u8]) -> &[u8] {
    let passed = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':')).count();
    &bytes[passed..]
}

/// The value that `bytes` begin with; None at the end of the container.
fn next_value(bytes: &[u8]) -> Option<&[u8]> {
    let first = *bytes.first()?;
    if matches!(first, b']' | b'}') {
        return None;
    }
    let end = Boundary::starting_with(first).advance(bytes).unwrap_or(bytes.len());
    Some(&bytes[..end])
}
