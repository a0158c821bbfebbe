//! The index: a line of JSON for each item, with its place in the archive and its hash; gzipped, streamed.

use std::io::Write as _;

use sha2::{Digest, Sha256};

use crate::draft::next_texts;
use crate::json::text;
use crate::pack::Member;

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
    /// How every line of the index for one of them begins: these three, and the key of the fourth.
    line_start: Vec<u8>,
}

impl KindLabel {
    /// The label of `kind` in `api_version`, listed as `group_resource`.
    #[must_use]
    pub fn new(group_resource: &str, api_version: &str, kind: &str) -> Self {
        let mut line_start = Vec::new();
        for (key, value) in
            [("{\"groupResource\":", group_resource), (",\"apiVersion\":", api_version), (",\"kind\":", kind)]
        {
            line_start.extend_from_slice(key.as_bytes());
            text::encode(value, &mut line_start);
        }
        line_start.extend_from_slice(b",\"namespace\":");
        let [group_resource, api_version, kind] = [group_resource, api_version, kind].map(str::to_owned);
        Self { group_resource, api_version, kind, line_start }
    }
}

/// The index being written.
#[derive(Default)]
pub struct Index {
    plain: Vec<u8>,
    ready: Vec<u8>,
    hash: Sha256,
}

impl Index {
    /// Add the items of `member`, whose gzip bytes start at `offset` of the archive.
    pub fn add(&mut self, member: &Member, offset: u64, kinds: &[KindLabel]) {
        let mut texts = member.texts.as_str();
        let place = format!(",\"member\":[{offset},{}],\"offset\":", member.gzip.len());
        for item in &member.items {
            let (namespace, name) = next_texts(item, &mut texts);
            let Some(label) = kinds.get(item.kind as usize) else { continue };
            self.plain.extend_from_slice(&label.line_start);
            text::encode(namespace, &mut self.plain);
            self.plain.extend_from_slice(b",\"name\":");
            text::encode(name, &mut self.plain);
            self.plain.extend_from_slice(place.as_bytes());
            // Writing into a vector can't fail.
            let _ = write!(self.plain, "{},\"length\":{},\"sha256\":\"", item.json.start, item.json.len());
            push_hex(&item.sha256, &mut self.plain);
            self.plain.extend_from_slice(b"\"}\n");
        }
    }

    /// Add a line that another index has: what is before its member's offset, that offset here, and what is after it.
    pub fn add_line(&mut self, before: &[u8], offset: u64, after: &[u8]) {
        self.plain.extend_from_slice(before);
        // Writing into a vector can't fail.
        let _ = write!(self.plain, "{offset}");
        self.plain.extend_from_slice(after);
        self.plain.push(b'\n');
    }

    /// Whether the lines gathered are enough for a member.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.plain.len() >= MEMBER_BYTES
    }

    /// The lines gathered; the next are gathered in `buffer`, which is empty.
    pub fn take_lines(&mut self, buffer: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut self.plain, buffer)
    }

    /// The stream goes on with `gzip`, which was made of lines taken.
    pub fn append(&mut self, gzip: &[u8]) {
        self.hash.update(gzip);
        self.ready.extend_from_slice(gzip);
    }

    /// Bytes that are ready.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    /// The SHA-256 of all bytes of the stream, in hex.
    pub fn finish(&mut self) -> String {
        hex(&self.hash.finalize_reset())
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
