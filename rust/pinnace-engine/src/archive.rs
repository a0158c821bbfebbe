//! The archive being made: items in, gzip members and index lines out.
//!
//! Members end at item borders about every [`MEMBER_BYTES`] of tar, so that one object can be read alone.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::deflate::Level;
use crate::error::EngineError;
use crate::filter::SeenItems;
use crate::item::{ItemFields, ItemSink};
use crate::json::text;
use crate::member::Members;
use crate::tar;

/// Tar bytes after which a member ends; small enough to read one object cheaply, large enough to compress well.
pub const MEMBER_BYTES: usize = 1 << 20;

/// Velero's backup format version, the first entry of every archive.
const FORMAT_VERSION: &[u8] = b"1.1.0\n";

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
    /// Gzip members.
    pub member_count: u64,
}

/// One archive; its bytes are to be taken as they get ready.
#[derive(Debug)]
pub struct Archive {
    mtime_seconds: u64,
    folder: Folder,
    members: Members,
    tar: Vec<u8>,
    /// Index lines of the tar at hand, without their member.
    lines: Vec<String>,
    /// The same of members that are being compressed.
    waiting: VecDeque<Vec<String>>,
    seen: SeenItems,
    hash: Sha256,
    ready: Vec<u8>,
    index: String,
    archive_bytes: u64,
    tar_bytes: u64,
    item_count: u64,
    member_count: u64,
}

impl Archive {
    /// An archive whose entries all have the time `mtime_seconds`, compressed by `threads` in all.
    #[must_use]
    pub fn new(level: Level, mtime_seconds: u64, threads: usize) -> Self {
        let mut tar = Vec::with_capacity(2 * MEMBER_BYTES);
        tar::header("metadata/version", FORMAT_VERSION.len() as u64, mtime_seconds, &mut tar);
        tar.extend_from_slice(FORMAT_VERSION);
        tar::pad(FORMAT_VERSION.len(), &mut tar);
        Self {
            mtime_seconds,
            folder: Folder::default(),
            members: Members::new(level, threads),
            tar,
            lines: Vec::new(),
            waiting: VecDeque::new(),
            seen: SeenItems::default(),
            hash: Sha256::new(),
            ready: Vec::new(),
            index: String::new(),
            archive_bytes: 0,
            tar_bytes: 0,
            item_count: 0,
            member_count: 0,
        }
    }

    /// The items that follow belong to `folder`.
    pub fn enter(&mut self, folder: Folder) {
        self.folder = folder;
    }

    /// Compressed bytes that are ready: whole members, in order.
    pub fn take_archive(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    /// Index lines of the members that were ready, JSON, one item each.
    pub fn take_index(&mut self) -> String {
        std::mem::take(&mut self.index)
    }

    /// End the tar; the last bytes are then there to take.
    ///
    /// # Errors
    /// Where compressing failed.
    pub fn finish(&mut self) -> Result<Digest, EngineError> {
        self.tar.extend_from_slice(&tar::TRAILER);
        self.end_member()?;
        self.members.wait_for_all()?;
        self.collect()?;
        Ok(Digest {
            archive_bytes: self.archive_bytes,
            archive_sha256: hex(&std::mem::take(&mut self.hash).finalize()),
            tar_bytes: self.tar_bytes,
            item_count: self.item_count,
            member_count: self.member_count,
        })
    }

    fn end_member(&mut self) -> Result<(), EngineError> {
        let tar = std::mem::replace(&mut self.tar, Vec::with_capacity(MEMBER_BYTES + MEMBER_BYTES / 4));
        self.tar_bytes += tar.len() as u64;
        self.waiting.push_back(std::mem::take(&mut self.lines));
        self.members.push(tar)?;
        self.collect()
    }

    fn collect(&mut self) -> Result<(), EngineError> {
        while let Some(member) = self.members.next_ready()? {
            let place = format!(",\"member\":[{},{}]}}\n", self.archive_bytes, member.len());
            for line in self.waiting.pop_front().unwrap_or_default() {
                self.index.push_str(&line);
                self.index.push_str(&place);
            }
            self.hash.update(&member);
            self.archive_bytes += member.len() as u64;
            self.member_count += 1;
            self.ready.extend_from_slice(&member);
        }
        Ok(())
    }

    fn path(&self, item: &ItemFields<'_>, version: &str) -> String {
        let separator = if version.is_empty() { "" } else { "/" };
        let resource = &self.folder.group_resource;
        if item.namespace.is_empty() {
            format!("resources/{resource}{separator}{version}/cluster/{}.json", item.name)
        } else {
            format!("resources/{resource}{separator}{version}/namespaces/{}/{}.json", item.namespace, item.name)
        }
    }

    /// The path under which the item comes first.
    fn first_path(&self, item: &ItemFields<'_>) -> String {
        self.path(item, if self.folder.preferred { "" } else { &self.folder.version })
    }

    fn index_line(&self, item: &ItemFields<'_>, written: &Range<usize>, sha256: &str) -> String {
        let mut line = Vec::with_capacity(300);
        let fields = [
            ("{\"groupResource\":", self.folder.group_resource.as_str()),
            (",\"apiVersion\":", item.api_version),
            (",\"kind\":", item.kind),
            (",\"namespace\":", item.namespace),
            (",\"name\":", item.name),
            (",\"sha256\":", sha256),
        ];
        for (key, value) in fields {
            line.extend_from_slice(key.as_bytes());
            text::encode(value, &mut line);
        }
        let place = format!(",\"offset\":{},\"length\":{}", written.start, written.len());
        line.extend_from_slice(place.as_bytes());
        String::from_utf8_lossy(&line).into_owned()
    }
}

impl ItemSink for Archive {
    /// The tar, with room for the header that is only known once the item is written.
    fn buffer(&mut self, item: &ItemFields<'_>) -> Result<&mut Vec<u8>, EngineError> {
        let path = self.first_path(item);
        tar::header(&path, 0, self.mtime_seconds, &mut self.tar);
        Ok(&mut self.tar)
    }

    fn commit(&mut self, item: &ItemFields<'_>, written: Range<usize>) -> Result<(), EngineError> {
        let size = written.len() as u64;
        let mut header = Vec::with_capacity(4 * tar::BLOCK_BYTES);
        tar::header(&self.first_path(item), size, self.mtime_seconds, &mut header);
        self.tar[written.start - header.len()..written.start].copy_from_slice(&header);
        tar::pad(written.len(), &mut self.tar);
        if self.folder.preferred {
            let version = format!("{}-preferredversion", self.folder.version);
            tar::header(&self.path(item, &version), size, self.mtime_seconds, &mut self.tar);
            self.tar.extend_from_within(written.clone());
            tar::pad(written.len(), &mut self.tar);
        }
        let sha256 = hex(&Sha256::digest(&self.tar[written.clone()]));
        self.lines.push(self.index_line(item, &written, &sha256));
        self.item_count += 1;
        if self.tar.len() >= MEMBER_BYTES { self.end_member() } else { Ok(()) }
    }

    fn seen(&mut self) -> &mut SeenItems {
        &mut self.seen
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
