//! Items gathered for one gzip member, and how they are laid out as tar entries.
//!
//! The thread that scans pages only gathers: each item's JSON once. Headers, the second copy, padding and hashes
//! are left to the thread that compresses, so that of the two neither waits long for the other.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::deflate::Repeat;
use crate::folder::Folder;
use crate::item::ItemFields;
use crate::tar;

/// Velero's backup format version, the first entry of every archive.
const FORMAT_VERSION: &[u8] = b"1.1.0\n";

/// One item of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPlace {
    /// Which of the archive's kinds it is of.
    pub kind: u32,
    /// Which of the draft's folders it goes to.
    folder: usize,
    /// Its JSON: in the draft's, and once that is laid out, in the tar (of the first copy).
    pub json: Range<usize>,
    /// Of that JSON, once it is laid out.
    pub sha256: [u8; 32],
    /// Bytes of its namespace in the member's texts.
    pub namespace_bytes: usize,
    /// Bytes of its name, which follow.
    pub name_bytes: usize,
}

/// What becomes one member.
#[derive(Debug, Default)]
pub struct Draft {
    /// Canonical JSON of the items, one after the other.
    pub json: Vec<u8>,
    /// In order.
    pub items: Vec<ItemPlace>,
    /// Namespace and name of each item, one after the other.
    pub texts: String,
    /// Whether the archive ends with it.
    pub is_last: bool,
    is_first: bool,
    folders: Vec<Folder>,
    tar_bytes: usize,
}

impl Draft {
    /// The draft with which an archive begins.
    #[must_use]
    pub fn first() -> Self {
        Self { is_first: true, ..Self::default() }
    }

    /// An empty draft that gathers in `json`.
    #[must_use]
    pub fn gathering_in(json: Vec<u8>) -> Self {
        Self { json, ..Self::default() }
    }

    /// Whether it would be laid out as nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && !self.is_first && !self.is_last
    }

    /// Tar bytes of the items so far, each PAX record aside (a long or non-ASCII path has one, of two blocks).
    #[must_use]
    pub fn tar_bytes(&self) -> usize {
        self.tar_bytes
    }

    /// Take `item` of `folder` and the archive's kind `kind`, whose JSON is at `json`.
    pub fn add(&mut self, item: &ItemFields<'_>, folder: &Folder, kind: u32, json: Range<usize>) {
        self.tar_bytes += folder.copies() * (tar::BLOCK_BYTES + json.len().next_multiple_of(tar::BLOCK_BYTES));
        if self.folders.last() != Some(folder) {
            self.folders.push(folder.clone());
        }
        self.texts.push_str(item.namespace);
        self.texts.push_str(item.name);
        self.items.push(ItemPlace {
            kind,
            folder: self.folders.len() - 1,
            json,
            sha256: [0; 32],
            namespace_bytes: item.namespace.len(),
            name_bytes: item.name.len(),
        });
    }

    /// Append the entries of all items to `out`, which is empty, and note each item's place there and its hash, and
    /// in `copies` the second copies that are near enough to the first for deflate.
    pub fn lay_out(&mut self, mtime_seconds: u64, out: &mut Vec<u8>, copies: &mut Vec<Repeat>) {
        if self.is_first {
            tar::entry("metadata/version", FORMAT_VERSION, mtime_seconds, out);
        }
        let mut path = String::new();
        let mut texts = self.texts.as_str();
        for item in &mut self.items {
            let (namespace, name) = next_texts(item, &mut texts);
            let folder = &self.folders[item.folder];
            let json = &self.json[item.json.clone()];
            item.sha256 = Sha256::digest(json).into();
            folder.path(namespace, name, !folder.preferred, &mut path);
            let place = tar::entry(&path, json, mtime_seconds, out);
            if folder.preferred {
                folder.path(namespace, name, true, &mut path);
                let copy = tar::entry(&path, json, mtime_seconds, out);
                let distance = copy.start - place.start;
                if distance <= Repeat::FARTHEST {
                    // Up to the end of the padding, which is the same too.
                    copies.push(Repeat { start: copy.start, length: out.len() - copy.start, distance });
                }
            }
            item.json = place;
        }
        if self.is_last {
            out.extend_from_slice(&tar::TRAILER);
        }
    }
}

/// Namespace and name of `item`, whose texts `rest` begins with; `rest` then begins with the next one's.
pub(crate) fn next_texts<'a>(item: &ItemPlace, rest: &mut &'a str) -> (&'a str, &'a str) {
    let (namespace, after) = rest.split_at(item.namespace_bytes);
    let (name, after) = after.split_at(item.name_bytes);
    *rest = after;
    (namespace, name)
}
