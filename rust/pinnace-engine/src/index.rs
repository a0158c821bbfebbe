//! The index: a line of JSON for each item, with its place in the archive and its hash; gzipped, streamed.

use std::io::Write as _;

use sha2::{Digest, Sha256};

use crate::deflate::{Deflate, Level, encoder};
use crate::error::EngineError;
use crate::json::text;
use crate::member::Member;

/// Plain bytes after which the index's gzip member ends; about a thousand items.
const MEMBER_BYTES: usize = 256 << 10;

/// What items of one kind have in common, in the index and in the resource list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindLabel {
    /// `deployments.apps`
    pub group_resource: String,
    /// `apps/v1`
    pub api_version: String,
    /// `Deployment`
    pub kind: String,
}

/// The index being written.
pub struct Index {
    deflate: Box<dyn Deflate>,
    plain: Vec<u8>,
    ready: Vec<u8>,
    hash: Sha256,
}

impl Index {
    /// An empty index.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self { deflate: encoder(level), plain: Vec::new(), ready: Vec::new(), hash: Sha256::new() }
    }

    /// Add the items of `member`, whose gzip bytes start at `offset` of the archive.
    ///
    /// # Errors
    /// Where compressing failed.
    pub fn add(&mut self, member: &Member, offset: u64, kinds: &[KindLabel]) -> Result<(), EngineError> {
        let mut texts = member.texts.as_str();
        for item in &member.items {
            let (namespace, rest) = texts.split_at(item.namespace_bytes);
            let (name, rest) = rest.split_at(item.name_bytes);
            texts = rest;
            let Some(label) = kinds.get(item.kind as usize) else { continue };
            let fields: [(&[u8], &str); 5] = [
                (b"{\"groupResource\":", &label.group_resource),
                (b",\"apiVersion\":", &label.api_version),
                (b",\"kind\":", &label.kind),
                (b",\"namespace\":", namespace),
                (b",\"name\":", name),
            ];
            for (key, value) in fields {
                self.plain.extend_from_slice(key);
                text::encode(value, &mut self.plain);
            }
            let (start, length, member_bytes) = (item.json.start, item.json.len(), member.gzip.len());
            // Writing into a vector can't fail.
            let _ = write!(
                self.plain,
                ",\"member\":[{offset},{member_bytes}],\"offset\":{start},\"length\":{length},\"sha256\":\""
            );
            push_hex(&item.sha256, &mut self.plain);
            self.plain.extend_from_slice(b"\"}\n");
            if self.plain.len() >= MEMBER_BYTES {
                self.end_member()?;
            }
        }
        Ok(())
    }

    /// Bytes that are ready.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    /// End the stream; returns the SHA-256 of all its bytes in hex.
    ///
    /// # Errors
    /// Where compressing failed.
    pub fn finish(&mut self) -> Result<String, EngineError> {
        self.end_member()?;
        Ok(hex(&self.hash.finalize_reset()))
    }

    fn end_member(&mut self) -> Result<(), EngineError> {
        let gzip = self.deflate.member(&self.plain)?;
        self.plain.clear();
        self.hash.update(&gzip);
        self.ready.extend_from_slice(&gzip);
        Ok(())
    }
}

/// Lower-case hex digits of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = Vec::with_capacity(2 * bytes.len());
    push_hex(bytes, &mut digits);
    digits.into_iter().map(char::from).collect()
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}
