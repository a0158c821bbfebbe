//! One gzip member made by one thread: of a draft of the archive, or of a stretch of the index.

use std::mem;

use crate::deflate::{Deflate, Level, Repeat, encoder};
use crate::draft::{Draft, ItemPlace};
use crate::error::EngineError;

/// A buffer that one huge item has grown beyond this is not kept for the next member.
const KEPT_BUFFER_BYTES: usize = 4 << 20;

/// What is to become a member.
#[derive(Debug)]
pub enum Unpacked {
    /// Of the archive.
    Draft(Draft),
    /// Of the index.
    Lines(Vec<u8>),
}

/// What became one.
#[derive(Debug)]
pub enum Packed {
    /// Of the archive.
    Member(Member),
    /// Of the index: its gzip bytes.
    Lines(Vec<u8>),
}

/// A draft that was laid out, hashed and compressed.
#[derive(Debug)]
pub struct Member {
    /// One complete gzip member.
    pub gzip: Vec<u8>,
    /// Its bytes uncompressed.
    pub tar_bytes: usize,
    /// As in the draft, now with their places in the tar and their hashes.
    pub items: Vec<ItemPlace>,
    /// As in the draft.
    pub texts: String,
}

impl Unpacked {
    /// About how large it is before it is compressed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Draft(draft) => draft.tar_bytes(),
            Self::Lines(lines) => lines.len(),
        }
    }

    /// Its buffer, emptied, if it is worth keeping.
    #[must_use]
    pub fn into_buffer(self) -> Option<Vec<u8>> {
        let (Self::Draft(Draft { json: mut buffer, .. }) | Self::Lines(mut buffer)) = self;
        buffer.clear();
        (buffer.capacity() <= KEPT_BUFFER_BYTES).then_some(buffer)
    }
}

/// What a thread keeps from member to member.
pub struct Packer {
    deflate: Box<dyn Deflate>,
    mtime_seconds: u64,
    /// The tar of the member at hand; it stays in the processor's cache from laying out to compressing.
    tar: Vec<u8>,
    /// Where in it second copies are.
    copies: Vec<Repeat>,
}

impl Packer {
    /// A packer whose tar entries all have the time `mtime_seconds`.
    #[must_use]
    pub fn new(level: Level, mtime_seconds: u64) -> Self {
        Self { deflate: encoder(level), mtime_seconds, tar: Vec::new(), copies: Vec::new() }
    }

    /// Make a member.
    ///
    /// # Errors
    /// Where the library refuses, which no input is known to cause.
    pub fn pack(&mut self, unpacked: &mut Unpacked) -> Result<Packed, EngineError> {
        match unpacked {
            Unpacked::Draft(draft) => self.member(draft).map(Packed::Member),
            Unpacked::Lines(lines) => self.deflate.member(lines, &[]).map(Packed::Lines),
        }
    }

    fn member(&mut self, draft: &mut Draft) -> Result<Member, EngineError> {
        self.copies.clear();
        draft.lay_out(self.mtime_seconds, &mut self.tar, &mut self.copies);
        let gzip = self.deflate.member(&self.tar, &self.copies)?;
        let tar_bytes = self.tar.len();
        self.tar.clear();
        self.tar.shrink_to(KEPT_BUFFER_BYTES);
        Ok(Member { gzip, tar_bytes, items: mem::take(&mut draft.items), texts: mem::take(&mut draft.texts) })
    }
}
