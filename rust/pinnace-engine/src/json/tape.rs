//! What parsing leaves of a value: spans that can be copied as they are, and entries where they can't.
//!
//! A container whose keys are sorted and whose strings Go would spell alike is one span and has no entries.
//! All vectors are reused from item to item.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{parse, text};
use crate::error::{PageError, Reason};

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NodeKind {
    /// As it stands, `start..end` of the source.
    #[default]
    Verbatim,
    /// A string to be spelled anew, `start..end` of the source with quotes.
    Respelled,
    /// An object with members `start..end` of the tape.
    Object,
    /// An array with elements `start..end` of the tape.
    Array,
    /// A whole member that the source lacks, `start..end` of the added text.
    Added,
}

/// One value and its key; 32 bytes, offsets fit `u32` because larger values are refused.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    /// The first 8 bytes of the key, big-endian, so that most comparisons need no memory.
    pub prefix: u64,
    /// The key in the source, with quotes; for an array's element where it starts.
    pub key_start: u32,
    pub key_end: u32,
    pub start: u32,
    pub end: u32,
    /// 1 + the index in `decoded_keys`, or 0 where the key's source bytes are its characters.
    pub decoded_key: u32,
    pub kind: NodeKind,
    pub key_respelled: bool,
    /// The source from `key_start` to `end` is what is written.
    pub whole: bool,
}

/// What stands at the place of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Place {
    #[default]
    Missing,
    /// A string, with quotes.
    Text(u32, u32),
    Other,
}

impl Place {
    /// The characters, if it is a text.
    pub(super) fn text(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(start, end) => Some(text::decode(&bytes[start as usize + 1..end as usize - 1])),
            Self::Missing | Self::Other => None,
        }
    }
}

/// What `metadata` of an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetadataShape {
    /// There is none.
    #[default]
    Missing,
    /// An object, as it should be.
    Object,
    /// Anything else.
    Other,
}

/// Fields noticed in passing: where they are, not what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields {
    pub(super) api_version: Place,
    pub(super) kind: Place,
    pub(super) name: Place,
    pub(super) namespace: Place,
    pub(super) uid: Place,
    pub(super) metadata: MetadataShape,
    pub(super) deleting: bool,
    pub(super) excluded_by_label: bool,
}

impl Fields {
    /// The characters of each field that is a text.
    pub(crate) fn texts<'a>(&self, bytes: &'a [u8]) -> ItemTexts<'a> {
        ItemTexts {
            api_version: self.api_version.text(bytes),
            kind: self.kind.text(bytes),
            name: self.name.text(bytes),
            namespace: self.namespace.text(bytes),
            uid: self.uid.text(bytes),
        }
    }

    /// What `metadata` is.
    #[must_use]
    pub fn metadata(&self) -> MetadataShape {
        self.metadata
    }

    /// Whether `metadata.deletionTimestamp` is there and not null.
    #[must_use]
    pub fn deleting(&self) -> bool {
        self.deleting
    }

    /// Whether the exclude label is `"true"`.
    #[must_use]
    pub fn excluded_by_label(&self) -> bool {
        self.excluded_by_label
    }

    /// Forget all that a `metadata` said, because another one follows and the last wins.
    pub(super) fn forget_metadata(&mut self, shape: MetadataShape) {
        let Self { api_version, kind, .. } = *self;
        *self = Self { api_version, kind, metadata: shape, ..Self::default() };
    }
}

/// The texts of [`Fields`]; None where a field is missing or no text.
pub(crate) struct ItemTexts<'a> {
    pub api_version: Option<Cow<'a, str>>,
    pub kind: Option<Cow<'a, str>>,
    pub name: Option<Cow<'a, str>>,
    pub namespace: Option<Cow<'a, str>>,
    pub uid: Option<Cow<'a, str>>,
}

/// One parsed value, without its source bytes.
#[derive(Debug, Default)]
pub struct Tape {
    /// Entries of open containers; after parsing only the root.
    pub(super) stack: Vec<Entry>,
    pub(super) frames: Vec<parse::Frame>,
    /// Entries of closed containers that can't be copied whole.
    pub(super) entries: Vec<Entry>,
    pub(super) added: Vec<u8>,
    pub(super) decoded_keys: Vec<(u32, u32)>,
    pub(super) has_veiled_keys: bool,
    pub(super) fields: Fields,
}

/// How a value is to be parsed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// `apiVersion` and `kind` for a root object that lacks them.
    pub type_meta: Option<(&'a str, &'a str)>,
    /// Keep the members of the root for [`Tape::members`].
    pub keep_members: bool,
}

impl Tape {
    /// Parse the value at the start of `bytes`; returns where it ends.
    ///
    /// # Errors
    /// A [`PageError`] whose offset counts from the start of `bytes`.
    pub fn parse(&mut self, bytes: &[u8], options: Options<'_>) -> Result<usize, PageError> {
        self.stack.clear();
        self.frames.clear();
        self.entries.clear();
        self.added.clear();
        self.decoded_keys.clear();
        self.has_veiled_keys = false;
        self.fields = Fields::default();
        parse::parse(self, bytes, options)
    }

    /// Parse `bytes`, which hold one value and at most white space after it.
    ///
    /// # Errors
    /// A [`PageError`] whose offset counts from the start of `bytes`.
    pub fn parse_all(&mut self, bytes: &[u8], options: Options<'_>) -> Result<(), PageError> {
        let end = self.parse(bytes, options)?;
        match bytes[end..].iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
            Some(rest) => Err(PageError::new(Reason::Syntax, (end + rest) as u64, "bytes after the value")),
            None => Ok(()),
        }
    }

    /// Whether plain characters of a key are spelled as escapes, so that a search for them may miss it.
    #[must_use]
    pub fn has_veiled_keys(&self) -> bool {
        self.has_veiled_keys
    }

    /// What was noticed in passing.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Key, and value as it stands in `bytes`, of each member of a root object whose values are plain.
    pub fn members<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + 'a {
        let root = self.stack.first().copied().unwrap_or_default();
        let range = if root.kind == NodeKind::Object { root.start as usize..root.end as usize } else { 0..0 };
        let plain = |entry: &&Entry| matches!(entry.kind, NodeKind::Verbatim | NodeKind::Respelled);
        self.entries[range]
            .iter()
            .filter(plain)
            .map(|entry| (self.key(entry, bytes), &bytes[entry.start as usize..entry.end as usize]))
    }

    #[inline(always)]
    pub(super) fn key<'a>(&'a self, entry: &Entry, bytes: &'a [u8]) -> &'a [u8] {
        key_of(entry, bytes, &self.added, &self.decoded_keys)
    }

    /// The order of two keys of one object.
    #[inline(always)]
    pub(super) fn compare(&self, left: &Entry, right: &Entry, bytes: &[u8]) -> Ordering {
        left.prefix.cmp(&right.prefix).then_with(|| self.key(left, bytes).cmp(self.key(right, bytes)))
    }

    /// Sort the members on the stack from `first` on, those of one key as they stand in the source.
    pub(super) fn sort_members(&mut self, first: usize, bytes: &[u8]) {
        let (added, decoded) = (&self.added, &self.decoded_keys);
        self.stack[first..].sort_unstable_by(|left, right| {
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| key_of(left, bytes, added, decoded).cmp(key_of(right, bytes, added, decoded)))
                .then(left.key_start.cmp(&right.key_start))
        });
    }

    /// Move the members on the stack from `first` on to the tape, the last of each key; returns their range.
    pub(super) fn keep_last_of_each_key(&mut self, first: usize, bytes: &[u8]) -> (u32, u32) {
        let start = self.entries.len();
        for index in first..self.stack.len() {
            let entry = self.stack[index];
            let repeated =
                self.stack.get(index + 1).is_some_and(|next| self.compare(&entry, next, bytes) == Ordering::Equal);
            if !repeated {
                self.entries.push(entry);
            }
        }
        self.stack.truncate(first);
        (offset(start), offset(self.entries.len()))
    }

    /// Move what is on the stack from `first` on to the tape; returns its range.
    pub(super) fn keep_all(&mut self, first: usize) -> (u32, u32) {
        let start = self.entries.len();
        self.entries.extend_from_slice(&self.stack[first..]);
        self.stack.truncate(first);
        (offset(start), offset(self.entries.len()))
    }
}

#[inline(always)]
fn key_of<'a>(entry: &Entry, bytes: &'a [u8], added: &'a [u8], decoded: &[(u32, u32)]) -> &'a [u8] {
    if entry.decoded_key == 0 {
        return bytes.get(entry.key_start as usize + 1..entry.key_end as usize - 1).unwrap_or_default();
    }
    let (start, end) = decoded[entry.decoded_key as usize - 1];
    &added[start as usize..end as usize]
}

/// An offset into something that `parse` keeps below `u32::MAX`.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "parse refuses sources of 1 GiB and more")]
pub(super) fn offset(value: usize) -> u32 {
    debug_assert!(u32::try_from(value).is_ok());
    value as u32
}
