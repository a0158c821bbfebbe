//! An archive takes over what another one made of the items that come next: its index now, its bytes later and elsewhere.
//!
//! Each line of a stretch's index says all that the archive has to know of the item, so that index, resource list and
//! counts become what they would be if the item had been archived here. Only the hash of the whole can't be had.

use crate::archive::Archive;
use crate::error::EngineError;
use crate::json::text;
use crate::resource_list::strings;

/// No line is longer: names and kinds have at most 253 characters each.
const MAX_LINE_BYTES: usize = 1 << 20;

const KEYS: [&[u8]; 5] = [b"groupResource", b"apiVersion", b"kind", b"namespace", b"name"];
const MEMBER: &[u8] = b",\"member\":[";

/// A part of an archive that was made at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Compressed.
    pub bytes: u64,
    /// Of these bytes, in hex.
    pub sha256: String,
}

/// A stretch whose index is being read.
pub struct Adoption {
    /// Where in the archive the stretch begins.
    start: u64,
    /// The member that the last line names.
    member: u64,
    /// API version and kind of the last item, as they are written.
    kind: (Vec<u8>, Vec<u8>),
    /// The beginning of a line.
    rest: Vec<u8>,
}

impl Archive {
    /// Take the next bytes of the plain index of a stretch that begins where this archive is now.
    ///
    /// # Errors
    /// Where they are no lines of an index, or compressing failed.
    pub fn adopt_index(&mut self, lines: &[u8]) -> Result<(), EngineError> {
        let mut adoption = self.adoption()?;
        let mut rest = lines;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if adoption.rest.is_empty() {
                self.adopt_line(&mut adoption, &rest[..end])?;
            } else {
                adoption.rest.extend_from_slice(&rest[..end]);
                let line = std::mem::take(&mut adoption.rest);
                self.adopt_line(&mut adoption, &line)?;
            }
            rest = &rest[end + 1..];
        }
        adoption.rest.extend_from_slice(rest);
        if adoption.rest.len() > MAX_LINE_BYTES {
            return Err(malformed(&adoption.rest));
        }
        self.adoption = Some(adoption);
        Ok(())
    }

    /// End the stretch whose index was taken, or one without items: its bytes are the archive's next ones.
    ///
    /// # Errors
    /// Where its index ended within a line, or compressing failed.
    pub fn adopt(&mut self, stretch: Stretch, tar_bytes: u64, member_count: u64) -> Result<(), EngineError> {
        let adoption = self.adoption()?;
        if !adoption.rest.is_empty() {
            return Err(malformed(&adoption.rest));
        }
        self.pack_index_lines()?;
        self.collect_all()?;
        self.digest.archive_bytes += stretch.bytes;
        self.digest.tar_bytes += tar_bytes;
        self.digest.member_count += member_count;
        self.digest.stretches.push(stretch);
        Ok(())
    }

    /// The stretch that is being adopted; where none is, one begins after all that was archived so far.
    fn adoption(&mut self) -> Result<Adoption, EngineError> {
        if let Some(adoption) = self.adoption.take() {
            return Ok(adoption);
        }
        self.cut()?;
        self.collect_all()?;
        self.end_own_stretch();
        let start = self.digest.archive_bytes;
        Ok(Adoption { start, member: 0, kind: Default::default(), rest: Vec::new() })
    }

    fn adopt_line(&mut self, adoption: &mut Adoption, line: &[u8]) -> Result<(), EngineError> {
        let (before, offset, after) = split(line).ok_or_else(|| malformed(line))?;
        let [api_version, kind, namespace, name] = texts(before).ok_or_else(|| malformed(line))?;
        if (adoption.kind.0.as_slice(), adoption.kind.1.as_slice()) != (api_version, kind) {
            self.resource_list.enter(&text::decode(api_version), &text::decode(kind))?;
            adoption.kind = (api_version.to_vec(), kind.to_vec());
        }
        if offset != adoption.member {
            adoption.member = offset;
            self.pack_index_lines()?;
            self.collect_ready()?;
        }
        let place = adoption.start.checked_add(offset).ok_or_else(|| malformed(line))?;
        self.resource_list.add(&text::decode(namespace), &text::decode(name))?;
        self.index.add_line(before, place, after);
        self.digest.item_count += 1;
        Ok(())
    }
}

/// What is before a member's offset, that offset, and what is after it.
fn split(line: &[u8]) -> Option<(&[u8], u64, &[u8])> {
    // In a string the quotes of the key would have backslashes.
    let start = memchr::memmem::rfind(line, MEMBER)? + MEMBER.len();
    let end = start + memchr::memchr(b',', &line[start..])?;
    let offset = std::str::from_utf8(&line[start..end]).ok()?.parse().ok()?;
    Some((&line[..start], offset, &line[end..]))
}

/// API version, kind, namespace and name, as they are written between their quotes.
fn texts(before: &[u8]) -> Option<[&[u8]; 4]> {
    let mut strings = strings(before.strip_prefix(b"{")?);
    let mut texts = [b"".as_slice(); 5];
    for (key, text) in KEYS.iter().zip(&mut texts) {
        (strings.next()? == *key).then_some(())?;
        *text = strings.next()?;
    }
    let [_, wanted @ ..] = texts;
    Some(wanted)
}

fn malformed(line: &[u8]) -> EngineError {
    let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
    EngineError::archive(format!("not a line of an index: {shown}"))
}
