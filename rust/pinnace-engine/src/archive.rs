//! The archive being made: items in, gzip members, index and resource list out.
//!
//! Members end at item borders about every [`MEMBER_BYTES`] of tar, so that one object can be read alone.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::deflate::Level;
use crate::error::EngineError;
use crate::filter::SeenItems;
use crate::index::{Index, KindLabel, hex};
use crate::item::{ItemFields, ItemReader, ItemSink};
use crate::member::{Draft, ItemPlace, MEMBER_BYTES, Members};
use crate::resource_list::ResourceList;
use crate::tar;

/// Velero's backup format version, the first entry of every archive.
const FORMAT_VERSION: &[u8] = b"1.1.0\n";

/// The last second that a tar header's eleven octal digits hold.
const LAST_MTIME_SECONDS: u64 = (1 << 33) - 1;

/// More kinds than any cluster has; items that each name a kind of their own must not fill the memory.
const MAX_KINDS: usize = 1 << 16;

/// Where items of one group resource go in the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// `pods`, `deployments.apps`.
    pub group_resource: String,
    /// `v1`, without the group.
    pub version: String,
    /// Whether it is the preferred version: items are then written twice, as Velero does.
    pub preferred: bool,
}

impl Folder {
    /// The folder of items that are listed as `group_resource` at `api_version`.
    ///
    /// # Errors
    /// Where one of them, which come from a server's discovery, would not stay within its folder.
    pub fn new(group_resource: &str, api_version: &str, preferred: bool) -> Result<Self, EngineError> {
        let version = api_version.rsplit_once('/').map_or(api_version, |(_, version)| version);
        for part in [group_resource, version] {
            if matches!(part, "" | "." | "..") || part.bytes().any(|byte| matches!(byte, b'/' | 0)) {
                return Err(EngineError::archive(format!("{part:?} can't be a folder of the archive")));
            }
        }
        Ok(Self { group_resource: group_resource.to_owned(), version: version.to_owned(), preferred })
    }

    /// Write into `out` the path of `item`: the one that restores read, or the one that names the version.
    fn path(&self, item: &ItemFields<'_>, with_version: bool, out: &mut String) {
        out.clear();
        out.push_str("resources/");
        out.push_str(&self.group_resource);
        if with_version {
            out.push('/');
            out.push_str(&self.version);
            out.push_str(if self.preferred { "-preferredversion" } else { "" });
        }
        if item.namespace.is_empty() {
            out.push_str("/cluster/");
        } else {
            out.push_str("/namespaces/");
            out.push_str(item.namespace);
            out.push('/');
        }
        out.push_str(item.name);
        out.push_str(".json");
    }
}

/// What the finished archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Of the compressed archive.
    pub archive_bytes: u64,
    /// Of the compressed archive, in hex.
    pub archive_sha256: String,
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
    mtime_seconds: u64,
    folder: Folder,
    /// Every kind met; the index of the last item's one is `kind`.
    kinds: Vec<KindLabel>,
    kind: usize,
    members: Members,
    draft: Draft,
    path: String,
    reader: ItemReader,
    seen: SeenItems,
    index: Index,
    resource_list: ResourceList,
    hash: Sha256,
    ready: Vec<u8>,
    /// What is known so far; hashes come at the end.
    digest: Digest,
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
        let mut members = Members::new(level, threads)?;
        let mut draft = members.draft();
        tar::header("metadata/version", FORMAT_VERSION.len() as u64, mtime_seconds, &mut draft.tar);
        draft.tar.extend_from_slice(FORMAT_VERSION);
        tar::pad(FORMAT_VERSION.len(), &mut draft.tar);
        Ok(Self {
            mtime_seconds,
            folder: Folder::default(),
            kinds: Vec::new(),
            kind: usize::MAX,
            members,
            draft,
            path: String::new(),
            reader: ItemReader::default(),
            seen: SeenItems::default(),
            index: Index::new(level),
            resource_list: ResourceList::new(level),
            hash: Sha256::new(),
            ready: Vec::new(),
            digest: Digest {
                archive_bytes: 0,
                archive_sha256: String::new(),
                tar_bytes: 0,
                item_count: 0,
                index_sha256: String::new(),
                member_count: 0,
            },
        })
    }

    /// The items that follow belong to `folder`.
    pub fn enter(&mut self, folder: Folder) {
        self.folder = folder;
        self.kind = usize::MAX;
    }

    /// Archive one item of `folder` given as JSON; false where it was already written.
    ///
    /// # Errors
    /// A page error where it is malformed, an archive error where its name can't become a path.
    pub fn add_item(
        &mut self,
        folder: Folder,
        json: &[u8],
        api_version: &str,
        kind: &str,
    ) -> Result<bool, EngineError> {
        self.enter(folder);
        let mut reader = std::mem::take(&mut self.reader);
        let item = reader.read(json, api_version, kind)?;
        if let Some(refusal) = item.refusal() {
            return Err(EngineError::archive(refusal.detail));
        }
        let fields = item.fields();
        if !self.seen.insert(&fields) {
            return Ok(false);
        }
        let buffer = self.buffer(&fields)?;
        let start = buffer.len();
        item.write(buffer);
        let end = buffer.len();
        self.commit(&fields, start..end)?;
        self.reader = reader;
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
        self.draft.tar.extend_from_slice(&tar::TRAILER);
        self.end_member()?;
        while let Some(member) = self.members.wait_next()? {
            self.collect(&member)?;
        }
        self.resource_list.finish()?;
        self.digest.index_sha256 = self.index.finish()?;
        self.digest.archive_sha256 = hex(&self.hash.finalize_reset());
        Ok(self.digest.clone())
    }

    fn end_member(&mut self) -> Result<(), EngineError> {
        let next = self.members.draft();
        self.members.push(std::mem::replace(&mut self.draft, next))?;
        while let Some(member) = self.members.next_ready()? {
            self.collect(&member)?;
        }
        Ok(())
    }

    fn collect(&mut self, member: &crate::member::Member) -> Result<(), EngineError> {
        self.index.add(member, self.digest.archive_bytes, &self.kinds)?;
        self.hash.update(&member.gzip);
        self.ready.extend_from_slice(&member.gzip);
        self.digest.archive_bytes += member.gzip.len() as u64;
        self.digest.tar_bytes += member.tar_bytes as u64;
        self.digest.member_count += 1;
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
            self.kinds.push(KindLabel {
                group_resource: group_resource.clone(),
                api_version: item.api_version.to_owned(),
                kind: item.kind.to_owned(),
            });
        }
        self.resource_list.enter(item.api_version, item.kind)
    }
}

impl ItemSink for Archive {
    /// The tar, with a header whose size is only known once the item is written.
    fn buffer(&mut self, item: &ItemFields<'_>) -> Result<&mut Vec<u8>, EngineError> {
        self.folder.path(item, !self.folder.preferred, &mut self.path);
        tar::header(&self.path, 0, self.mtime_seconds, &mut self.draft.tar);
        Ok(&mut self.draft.tar)
    }

    fn commit(&mut self, item: &ItemFields<'_>, written: Range<usize>) -> Result<(), EngineError> {
        let draft = &mut self.draft;
        tar::set_size(&mut draft.tar[..written.start], written.len() as u64);
        tar::pad(written.len(), &mut draft.tar);
        if self.folder.preferred {
            self.folder.path(item, true, &mut self.path);
            tar::header(&self.path, written.len() as u64, self.mtime_seconds, &mut draft.tar);
            draft.tar.extend_from_within(written.clone());
            tar::pad(written.len(), &mut draft.tar);
        }
        self.label(item)?;
        self.resource_list.add(item.namespace, item.name)?;
        let draft = &mut self.draft;
        draft.texts.push_str(item.namespace);
        draft.texts.push_str(item.name);
        draft.items.push(ItemPlace {
            kind: u32::try_from(self.kind).unwrap_or(u32::MAX),
            json: written,
            sha256: [0; 32],
            namespace_bytes: item.namespace.len(),
            name_bytes: item.name.len(),
        });
        self.digest.item_count += 1;
        if self.draft.tar.len() >= MEMBER_BYTES { self.end_member() } else { Ok(()) }
    }

    fn seen(&mut self) -> &mut SeenItems {
        &mut self.seen
    }
}
