//! Items noticed by annotations that a caller asked to be told of, because they ask for what archiving does not do.

use crate::error::EngineError;
use crate::item::ItemFields;

/// How many hits a summary describes.
pub const FLAGGED_KEPT: usize = 100;

/// Exact annotation keys, at most [`FlaggedAnnotations::MAX`]; each is one bit of the hits of an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlaggedAnnotations(Vec<String>);

impl FlaggedAnnotations {
    /// As many as the bits of a [`Hits`].
    pub const MAX: usize = u32::BITS as usize;

    /// # Errors
    /// Where there are more than [`Self::MAX`].
    pub fn new(keys: Vec<String>) -> Result<Self, EngineError> {
        if keys.len() > Self::MAX {
            let detail = format!("{} flagged annotations; at most {} can be asked for", keys.len(), Self::MAX);
            return Err(EngineError::archive(detail));
        }
        Ok(Self(keys))
    }

    /// The keys themselves, in the order of their bits.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// The keys that `hits` stands for.
    pub fn hit(&self, hits: Hits) -> impl Iterator<Item = &str> {
        self.0.iter().enumerate().filter(move |(bit, _)| hits.0 & (1 << bit) != 0).map(|(_, key)| key.as_str())
    }
}

/// Which of the flagged annotations an item carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hits(u32);

impl Hits {
    /// Note that `key` was met, which counts if it is one of `keys`; of a repeated one the last decides.
    pub(crate) fn note(&mut self, keys: &[String], key: &[u8], asks: bool) {
        if let Some(bit) = keys.iter().position(|flagged| flagged.as_bytes() == key) {
            self.0 = (self.0 & !(1 << bit)) | (u32::from(asks) << bit);
        }
    }
}

/// One annotation of an item that was archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlaggedItem {
    /// Empty for cluster-scoped items.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The annotation's key.
    pub annotation: String,
}

/// The hits of one page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flagged {
    /// The first [`FLAGGED_KEPT`].
    pub items: Vec<FlaggedItem>,
    /// All of them; an item with two such annotations counts twice.
    pub count: u64,
}

impl Flagged {
    /// Note that `item` carries each of `annotations`.
    pub(crate) fn note<'a>(&mut self, item: &ItemFields<'_>, annotations: impl Iterator<Item = &'a str>) {
        for annotation in annotations {
            self.count += 1;
            if self.items.len() < FLAGGED_KEPT {
                let (namespace, name) = (item.namespace.to_owned(), item.name.to_owned());
                self.items.push(FlaggedItem { namespace, name, annotation: annotation.to_owned() });
            }
        }
    }
}
