//! Which items of a page are archived: decisions over an item's fields, with a counted reason for each no.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use sha2::{Digest, Sha256};

use crate::item::ItemFields;

/// Velero's label that keeps an item out of every backup when it is `"true"`.
pub const EXCLUDE_LABEL: &str = "velero.io/exclude-from-backup";

/// Why an item that could be archived was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// It carries [`EXCLUDE_LABEL`].
    ExcludeLabel,
    /// `metadata.deletionTimestamp` is set.
    Deleting,
    /// Its namespace is excluded.
    Namespace,
    /// Its name is not among those asked for.
    Name,
    /// An earlier page wrote it.
    Duplicate,
    /// An earlier, broken response of the same request archived it.
    Resumed,
}

impl SkipReason {
    /// All reasons, in the order of their counts in [`SkipCounts`].
    pub const ALL: [Self; 6] =
        [Self::ExcludeLabel, Self::Deleting, Self::Namespace, Self::Name, Self::Duplicate, Self::Resumed];

    /// The key of this reason in the page's summary.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ExcludeLabel => "exclude_label",
            Self::Deleting => "deleting",
            Self::Namespace => "namespace",
            Self::Name => "name",
            Self::Duplicate => "duplicate",
            Self::Resumed => "resumed",
        }
    }
}

/// How many items were skipped for which reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SkipCounts([u64; 6]);

impl SkipCounts {
    /// Count one item.
    pub fn add(&mut self, reason: SkipReason) {
        self.0[reason as usize] += 1;
    }

    /// The count of one reason.
    #[must_use]
    pub fn get(&self, reason: SkipReason) -> u64 {
        self.0[reason as usize]
    }

    /// Reasons that were met, with their counts.
    pub fn met(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        SkipReason::ALL.iter().map(|&reason| (reason.word(), self.get(reason))).filter(|&(_, count)| count > 0)
    }
}

/// What a page leaves out besides deleted and labelled items.
#[derive(Debug, Clone, Default)]
pub struct ItemFilter {
    /// Items of these namespaces are left out.
    pub excluded_namespaces: HashSet<String>,
    /// Only these names are archived, where given.
    pub only_names: Option<HashSet<String>>,
    /// Leave out what an earlier deduplicated page wrote.
    pub deduplicate: bool,
    /// Take also what is labelled or being deleted.
    pub takes_all: bool,
}

impl ItemFilter {
    /// Why `item` is left out, or None if it is to be archived; `seen` grows by it if deduplicating.
    pub fn skip(&self, item: &ItemFields<'_>, seen: &mut SeenItems) -> Option<SkipReason> {
        self.reason(item, || !seen.insert(item))
    }

    /// The same for an item that is handed out: who takes it notes that it was seen.
    pub fn skip_held(&self, item: &ItemFields<'_>, seen: &SeenItems) -> Option<SkipReason> {
        self.reason(item, || seen.contains(item))
    }

    fn reason(&self, item: &ItemFields<'_>, was_seen: impl FnOnce() -> bool) -> Option<SkipReason> {
        if self.takes_all {
            None
        } else if self.only_names.as_ref().is_some_and(|names| !names.contains(item.name)) {
            Some(SkipReason::Name)
        } else if self.excluded_namespaces.contains(item.namespace) {
            Some(SkipReason::Namespace)
        } else if item.excluded_by_label {
            Some(SkipReason::ExcludeLabel)
        } else if item.deleting {
            Some(SkipReason::Deleting)
        } else if self.deduplicate && was_seen() {
            Some(SkipReason::Duplicate)
        } else {
            None
        }
    }
}

/// The first 16 bytes of the SHA-256 of `apiVersion/Kind/namespace/name`: 128 bits, because a false hit loses an item.
type Identity = [u8; 16];

/// Takes the first 8 bytes of an identity, which are as good as random already.
#[derive(Debug, Default)]
pub struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(head) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*head);
        }
    }

    /// The length prefix of the array says nothing.
    fn write_usize(&mut self, _length: usize) {}
}

/// Items written so far by pages that deduplicate: 16 bytes each, so a million items cost about 20 MB.
#[derive(Debug, Default)]
pub struct SeenItems(HashSet<Identity, BuildHasherDefault<IdentityHasher>>);

impl SeenItems {
    /// Remember `item`; false where it was known.
    pub fn insert(&mut self, item: &ItemFields<'_>) -> bool {
        self.0.insert(identity(item))
    }

    /// Whether `item` is known.
    #[must_use]
    pub fn contains(&self, item: &ItemFields<'_>) -> bool {
        self.0.contains(&identity(item))
    }

    /// How many items are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn identity(item: &ItemFields<'_>) -> Identity {
    let mut hasher = Sha256::new();
    for (index, part) in [item.api_version, item.kind, item.namespace, item.name].into_iter().enumerate() {
        if index > 0 {
            hasher.update(b"/");
        }
        hasher.update(part.as_bytes());
    }
    let mut identity = Identity::default();
    identity.copy_from_slice(&hasher.finalize()[..16]);
    identity
}
