//! What can go wrong, as types: a reason word and a byte offset for pages, a sentence for the archive.

use std::borrow::Cow;
use std::fmt;

/// Why a page can't be read; `word()` is the stable spelling that people and programs match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The body ended before the list did.
    Truncated,
    /// A byte that JSON does not allow at its place.
    Syntax,
    /// Bytes of a string that are not UTF-8.
    InvalidUtf8,
    /// Values nested deeper than [`crate::json::MAX_DEPTH`].
    Depth,
    /// Well-formed JSON that is not a Kubernetes list.
    NotAList,
    /// One value larger than the page's limit.
    TooLarge,
    /// Protobuf of which the table does not know what it means as JSON.
    UnknownField,
    /// Protobuf of a nil or empty list or map, which JSON shows as `null` or as `[]`.
    NilOrEmpty,
    /// A repeated request did not return the items that were archived from the first one.
    ResumeMismatch,
}

impl Reason {
    /// The word of this reason in errors, results and the Python exception.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Syntax => "syntax",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::Depth => "depth",
            Self::NotAList => "not_a_list",
            Self::TooLarge => "too_large",
            Self::UnknownField => "unknown_field",
            Self::NilOrEmpty => "nil_or_empty",
            Self::ResumeMismatch => "resume_mismatch",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// A page that can't be read on: reason, offset into the body, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}: {detail}")]
pub struct PageError {
    /// Why.
    pub reason: Reason,
    /// Byte of the response body, counted from 0.
    pub offset: u64,
    /// What was found, without content of the item.
    pub detail: Cow<'static, str>,
}

impl PageError {
    /// An error of `reason` at `offset`.
    pub fn new(reason: Reason, offset: u64, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, offset, detail: detail.into() }
    }

    /// The same error of a span that starts at `base` of the body.
    #[must_use]
    pub fn shifted(mut self, base: u64) -> Self {
        self.offset += base;
        self
    }
}

/// Any failure of the engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The page is malformed.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The archive can't take what it was given, or was used out of order.
    #[error("{0}")]
    Archive(Cow<'static, str>),
}

impl EngineError {
    /// An archive error that says `sentence`.
    pub fn archive(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::Archive(sentence.into())
    }
}
