//! Velero's resource list: `{"apps/v1/Deployment":["ns/name", ...], ...}`, keys and names sorted as Go's map and Velero write them.
//!
//! Kinds arrive in the plan's order (pods first, namespaces last) and one may come again (a list per namespace,
//! `orLabelSelectors`, single items), while the object's keys are sorted and no key may come twice. So each kind's
//! names are held *compressed* until the end: gzip members concatenate, and the list is put together without
//! unpacking them. That costs 5 to 12 bytes an item (300,000 items: 3 MB). Lists come sorted by `namespace/name`;
//! a kind whose names did not is unpacked, sorted and packed at the end, one kind at a time.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use crate::deflate::{Deflate, Level, encoder};
use crate::error::EngineError;
use crate::json::text;

/// Plain bytes after which names are compressed.
const BLOCK_BYTES: usize = 64 << 10;

/// Fewer stay plain when another kind is entered: kinds alternate where one pulls in the other.
const SMALL_BLOCK_BYTES: usize = 4 << 10;

/// The names of one kind.
#[derive(Debug, Default)]
struct Names {
    /// Gzip members of JSON strings with a comma before each but the list's first.
    packed: Vec<u8>,
    plain: Vec<u8>,
    last: String,
    out_of_order: bool,
}

impl Names {
    fn push(&mut self, name: &str) {
        if !self.last.is_empty() {
            self.out_of_order |= *name < *self.last;
            self.plain.push(b',');
        }
        text::encode(name, &mut self.plain);
        self.last.clear();
        self.last.push_str(name);
    }

    fn pack(&mut self, deflate: &mut dyn Deflate) -> Result<(), EngineError> {
        if !self.plain.is_empty() {
            self.packed.extend_from_slice(&deflate.member(&self.plain, &[])?);
            self.plain.clear();
        }
        Ok(())
    }

    /// Unpack, sort by characters and pack again. The names are quoted, and `"` sorts before what a name holds,
    /// but escapes do not, so they are compared decoded.
    fn sort(&mut self, deflate: &mut dyn Deflate) -> Result<(), EngineError> {
        let mut plain = Vec::new();
        MultiGzDecoder::new(self.packed.as_slice())
            .read_to_end(&mut plain)
            .map_err(|error| EngineError::archive(format!("the resource list can't be read back: {error}")))?;
        let mut names: Vec<_> = strings(&plain).map(text::decode).collect();
        names.sort_unstable();
        self.packed.clear();
        self.last.clear();
        for name in names {
            self.push(&name);
            if self.plain.len() >= BLOCK_BYTES {
                self.pack(deflate)?;
            }
        }
        self.pack(deflate)
    }
}

/// Raw bytes between the quotes of `"a","b"`; a quote inside is escaped.
pub(crate) fn strings(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let body = rest.get(1..)?;
        let mut end = 0;
        while *body.get(end)? != b'"' {
            end += if body[end] == b'\\' { 2 } else { 1 };
        }
        rest = body.get(end + 2..).unwrap_or_default();
        body.get(..end)
    })
}

/// The resource list being gathered.
pub struct ResourceList {
    deflate: Box<dyn Deflate>,
    kinds: BTreeMap<String, Names>,
    /// The kind of the last item, which most items share.
    at_hand: (String, Names),
    scratch: String,
    ready: Vec<u8>,
}

impl ResourceList {
    /// An empty list.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self {
            deflate: encoder(level),
            kinds: BTreeMap::new(),
            at_hand: Default::default(),
            scratch: String::new(),
            ready: Vec::new(),
        }
    }

    /// The items that follow are of this kind.
    ///
    /// # Errors
    /// Where compressing failed.
    pub fn enter(&mut self, api_version: &str, kind: &str) -> Result<(), EngineError> {
        let key = format!("{api_version}/{kind}");
        if key != self.at_hand.0 {
            self.leave()?;
            let names = self.kinds.remove(&key).unwrap_or_default();
            self.at_hand = (key, names);
        }
        Ok(())
    }

    /// Add one item.
    ///
    /// # Errors
    /// Where compressing failed.
    pub fn add(&mut self, namespace: &str, name: &str) -> Result<(), EngineError> {
        self.scratch.clear();
        if !namespace.is_empty() {
            self.scratch.push_str(namespace);
            self.scratch.push('/');
        }
        self.scratch.push_str(name);
        let names = &mut self.at_hand.1;
        names.push(&self.scratch);
        if names.plain.len() >= BLOCK_BYTES { names.pack(self.deflate.as_mut()) } else { Ok(()) }
    }

    /// Put the list together.
    ///
    /// # Errors
    /// Where compressing failed.
    pub fn finish(&mut self) -> Result<(), EngineError> {
        self.leave()?;
        let mut between = b"{".to_vec();
        for (key, mut names) in std::mem::take(&mut self.kinds) {
            names.pack(self.deflate.as_mut())?;
            if names.out_of_order {
                names.sort(self.deflate.as_mut())?;
            }
            text::encode(&key, &mut between);
            between.extend_from_slice(b":[");
            self.ready.extend_from_slice(&self.deflate.member(&between, &[])?);
            self.ready.append(&mut names.packed);
            between = b"],".to_vec();
        }
        let end: &[u8] = if between == b"{" { b"{}\n" } else { b"]}\n" };
        self.ready.extend_from_slice(&self.deflate.member(end, &[])?);
        Ok(())
    }

    /// All of its bytes, once finished.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    fn leave(&mut self) -> Result<(), EngineError> {
        let (key, mut names) = std::mem::take(&mut self.at_hand);
        if names.plain.len() >= SMALL_BLOCK_BYTES {
            names.pack(self.deflate.as_mut())?;
        }
        if !names.last.is_empty() {
            self.kinds.insert(key, names);
        }
        Ok(())
    }
}
