//! The archive being made: items in, gzip members, index and resource list out.
//!
//! Members end at item borders about every [`MEMBER_BYTES`] of tar, so that one object can be read alone.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::adoption::{Adoption, Stretch};
use crate::deflate::Level;
use crate::draft::Draft;
use crate::error::EngineError;
use crate::filter::SeenItems;
use crate::index::{Index, KindLabel, hex};
use crate::item::{ItemFields, ItemReader, ItemSink};
use crate::member::{MEMBER_BYTES, Members};
use crate::pack::{Member, Packed, Unpacked};
use crate::resource_list::ResourceList;

pub use crate::folder::Folder;

/// The last second that a tar header's eleven octal digits hold.
const LAST_MTIME_SECONDS: u64 = (1 << 33) - 1;

/// More kinds than any cluster has; items that each name a kind of their own must not fill the memory.
const MAX_KINDS: usize = 1 << 16;

/// What the finished archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Of the compressed archive.
    pub archive_bytes: u64,
    /// Of the compressed archive, in hex; empty where it has stretches.
    pub archive_sha256: String,
    /// The parts of the archive in order, where others made some of them ([`Archive::adopt`]).
    pub stretches: Vec<Stretch>,
    /// Uncompressed.
    pub tar_bytes: u64,
    /// Items, each counted once.
    pub item_count: u64,
    /// Of the compressed index, in hex.
    pub index_sha256: String,
    /// Gzip members.
    pub member_count: u64,
}

/// One archive; its bytes are to be taken as they get ready.
pub struct Archive {
    folder: Folder,
    /// Every kind met; the index of the last item's one is `kind`.
    kinds: Vec<KindLabel>,
    kind: usize,
    members: Members,
    draft: Draft,
    reader: ItemReader,
    seen: SeenItems,
    pub(crate) index: Index,
    pub(crate) resource_list: ResourceList,
    hash: Sha256,
    ready: Vec<u8>,
    /// What is known so far; hashes come at the end.
    pub(crate) digest: Digest,
    /// The stretch that is being adopted.
    pub(crate) adoption: Option<Adoption>,
    is_stretch: bool,
}

impl Archive {
    /// An archive whose entries all have the time `mtime_seconds`, compressed by `threads` in all.
    ///
    /// # Errors
    /// Where a tar can't hold that time, or the system gives no threads.
    pub fn new(level: Level, mtime_seconds: u64, threads: usize) -> Result<Self, EngineError> {
        if mtime_seconds > LAST_MTIME_SECONDS {
            return Err(EngineError::archive(format!("mtime_seconds {mtime_seconds} does not fit into a tar header")));
        }
        Ok(Self {
            folder: Folder::default(),
            kinds: Vec::new(),
            kind: usize::MAX,
            draft: Draft::first(),
            members: Members::new(level, mtime_seconds, threads)?,
            reader: ItemReader::default(),
            seen: SeenItems::default(),
            index: Index::default(),
            resource_list: ResourceList::new(level),
            hash: Sha256::new(),
            ready: Vec::new(),
            adoption: None,
            is_stretch: false,
            digest: Digest {
                archive_bytes: 0,
                archive_sha256: String::new(),
                stretches: Vec::new(),
                tar_bytes: 0,
                item_count: 0,
                index_sha256: String::new(),
                member_count: 0,
            },
        })
    }

    /// A stretch of an archive, which another one adopts: without `metadata/version` before it and the tar's end after it.
    ///
    /// # Errors
    /// As [`Archive::new`].
    pub fn stretch(level: Level, mtime_seconds: u64, threads: usize) -> Result<Self, EngineError> {
        let archive = Self::new(level, mtime_seconds, threads)?;
        Ok(Self { draft: Draft::default(), is_stretch: true, ..archive })
    }

    /// What follows begins a new member, if anything came before: a stretch may begin here.
    ///
    /// # Errors
    /// Where compressing failed.
    pub fn cut(&mut self) -> Result<(), EngineError> {
        if self.draft.is_empty() { Ok(()) } else { self.end_member() }
    }

    /// The items that follow belong to `folder`.
    pub fn enter(&mut self, folder: Folder) {
        self.folder = folder;
        self.kind = usize::MAX;
    }

    /// Note that an item is being archived; false where it was noted before, by this, by [`Archive::add_item`] or by a
    /// page that deduplicates.
    pub fn register(&mut self, api_version: &str, kind: &str, namespace: &str, name: &str) -> bool {
        let (uid, deleting, excluded_by_label) = ("", false, false);
        self.seen.insert(&ItemFields { api_version, kind, namespace, name, uid, deleting, excluded_by_label })
    }

    /// Archive one item of `folder` given as JSON; false where it was already written and not only registered.
    /// Items that follow belong to the folder that was entered last.
    ///
    /// # Errors
    /// A page error where it is malformed, an archive error where its name can't become a path.
    pub fn add_item(
        &mut self,
        folder: Folder,
        json: &[u8],
        api_version: &str,
        kind: &str,
        is_registered: bool,
    ) -> Result<bool, EngineError> {
        let entered = self.folder.clone();
        self.enter(folder);
        let mut reader = std::mem::take(&mut self.reader);
        let added = self.add(&mut reader, json, (api_version, kind), is_registered);
        self.reader = reader;
        self.enter(entered);
        added
    }

    fn add(
        &mut self,
        reader: &mut ItemReader,
        json: &[u8],
        (api_version, kind): (&str, &str),
        is_registered: bool,
    ) -> Result<bool, EngineError> {
        let item = reader.read(json, api_version, kind)?;
        if let Some(refusal) = item.refusal() {
            return Err(EngineError::archive(refusal.detail));
        }
        let fields = item.fields();
        if !is_registered && !self.seen.insert(&fields) {
            return Ok(false);
        }
        let buffer = self.buffer(&fields)?;
        let start = buffer.len();
        item.write(buffer);
        let end = buffer.len();
        self.commit(&fields, start..end)?;
        Ok(true)
    }

    /// Compressed bytes that are ready: whole members, in order.
    pub fn take_archive(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    /// Bytes of the gzipped index that are ready.
    pub fn take_index(&mut self) -> Vec<u8> {
        self.index.take()
    }

    /// The gzipped resource list; it is there once the archive is finished.
    pub fn take_resource_list(&mut self) -> Vec<u8> {
        self.resource_list.take()
    }

    /// End the tar, the index and the resource list; the last bytes are then there to take.
    ///
    /// # Errors
    /// Where compressing failed.
    pub fn finish(&mut self) -> Result<Digest, EngineError> {
        if self.is_stretch {
            self.cut()?;
        } else {
            self.draft.is_last = true;
            self.end_member()?;
        }
        self.collect_all()?;
        let lines = self.index.take_lines(Vec::new());
        self.members.push(Unpacked::Lines(lines))?;
        self.collect_all()?;
        self.resource_list.finish()?;
        self.digest.index_sha256 = self.index.finish();
        if self.digest.stretches.is_empty() {
            self.digest.archive_sha256 = hex(&self.hash.finalize_reset());
        } else {
            self.end_own_stretch();
        }
        Ok(self.digest.clone())
    }

    /// Note what this archive made since the last stretch that it adopted.
    pub(crate) fn end_own_stretch(&mut self) {
        let adopted_bytes = self.digest.stretches.iter().map(|stretch| stretch.bytes).sum::<u64>();
        let bytes = self.digest.archive_bytes - adopted_bytes;
        let sha256 = hex(&self.hash.finalize_reset());
        if bytes > 0 {
            self.digest.stretches.push(Stretch { bytes, sha256 });
        }
    }

    fn end_member(&mut self) -> Result<(), EngineError> {
        let next = Draft::gathering_in(self.members.buffer());
        self.members.push(Unpacked::Draft(std::mem::replace(&mut self.draft, next)))?;
        self.collect_ready()
    }

    pub(crate) fn collect_ready(&mut self) -> Result<(), EngineError> {
        while let Some(packed) = self.members.next_ready()? {
            self.collect(packed)?;
        }
        Ok(())
    }

    pub(crate) fn collect_all(&mut self) -> Result<(), EngineError> {
        while let Some(packed) = self.members.wait_next()? {
            self.collect(packed)?;
        }
        Ok(())
    }

    fn collect(&mut self, packed: Packed) -> Result<(), EngineError> {
        match packed {
            Packed::Member(member) => self.append(&member),
            Packed::Lines(gzip) => {
                self.index.append(&gzip);
                Ok(())
            }
        }
    }

    fn append(&mut self, member: &Member) -> Result<(), EngineError> {
        self.index.add(member, self.digest.archive_bytes, &self.kinds);
        self.hash.update(&member.gzip);
        self.ready.extend_from_slice(&member.gzip);
        self.digest.archive_bytes += member.gzip.len() as u64;
        self.digest.tar_bytes += member.tar_bytes as u64;
        self.digest.member_count += 1;
        self.pack_index_lines()
    }

    /// Make a member of the index once it is large enough; asked after each member of the archive.
    pub(crate) fn pack_index_lines(&mut self) -> Result<(), EngineError> {
        if self.index.is_full() {
            let lines = self.index.take_lines(self.members.buffer());
            self.members.push(Unpacked::Lines(lines))?;
        }
        Ok(())
    }

    /// Make `kind` that of `item`; kinds are few, and neighbours share theirs.
    fn label(&mut self, item: &ItemFields<'_>) -> Result<(), EngineError> {
        let is_of = |label: &KindLabel| label.kind == item.kind && label.api_version == item.api_version;
        if self.kinds.get(self.kind).is_some_and(is_of) {
            return Ok(());
        }
        let group_resource = &self.folder.group_resource;
        let known = self.kinds.iter().position(|label| is_of(label) && label.group_resource == *group_resource);
        self.kind = known.unwrap_or(self.kinds.len());
        if known.is_none() {
            if self.kinds.len() == MAX_KINDS {
                return Err(EngineError::archive(format!("more than {MAX_KINDS} kinds")));
            }
            self.kinds.push(KindLabel::new(group_resource, item.api_version, item.kind));
        }
        self.resource_list.enter(item.api_version, item.kind)
    }
}

impl ItemSink for Archive {
    fn buffer(&mut self, _item: &ItemFields<'_>) -> Result<&mut Vec<u8>, EngineError> {
        Ok(&mut self.draft.json)
    }

    fn commit(&mut self, item: &ItemFields<'_>, written: Range<usize>) -> Result<(), EngineError> {
        self.label(item)?;
        self.resource_list.add(item.namespace, item.name)?;
        let kind = u32::try_from(self.kind).unwrap_or(u32::MAX);
        self.draft.add(item, &self.folder, kind, written);
        self.digest.item_count += 1;
        if self.draft.tar_bytes() >= MEMBER_BYTES { self.end_member() } else { Ok(()) }
    }

    fn seen(&mut self) -> &mut SeenItems {
        &mut self.seen
    }
}
