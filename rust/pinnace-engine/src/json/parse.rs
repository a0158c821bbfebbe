//! One pass over a value: checks it, notices an item's fields, and keeps what can't be copied as it is.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::lanes::{BLOCK, Lanes, Scalar};
use super::strings::{self, Passed};
use super::tape::{Entry, Fields, MetadataShape, NodeKind, Options, Place, Tape, offset};
use super::{MAX_DEPTH, number, text};
use crate::error::{PageError, Reason};
use crate::filter::EXCLUDE_LABEL;

#[cfg(target_arch = "x86_64")]
use super::lanes::Avx2;

/// Larger sources are refused, so that offsets, also of decoded keys and entries, fit `u32`.
const MAX_SOURCE_BYTES: usize = 1 << 30;

pub(super) type Parsed<T> = Result<T, PageError>;

/// What an object is to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Around the root.
    Outside,
    Root,
    Metadata,
    Labels,
    Other,
}

/// An open container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Its entry on the stack; its children follow.
    entry: usize,
    start: usize,
    is_object: bool,
    /// All so far can be copied as it stands.
    clean: bool,
    /// Its keys are in order, each once.
    sorted: bool,
    role: Role,
}

pub(super) fn parse(tape: &mut Tape, bytes: &[u8], options: Options<'_>) -> Parsed<usize> {
    if bytes.len() >= MAX_SOURCE_BYTES {
        return Err(PageError::new(Reason::TooLarge, 0, "one value of a gigabyte or more"));
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = Avx2::detect() {
        // SAFETY: `lanes` proves that the features are there.
        return unsafe { parse_avx2(lanes, tape, bytes, options) };
    }
    parse_with(Scalar, tape, bytes, options)
}

/// Parse into `tape`, which is empty, by way of `lanes`.
#[inline(always)]
pub(super) fn parse_with<L: Lanes>(lanes: L, tape: &mut Tape, bytes: &[u8], options: Options<'_>) -> Parsed<usize> {
    Parser::new(lanes, tape, bytes, options).run()
}

/// # Safety
/// The processor has the named features; an [`Avx2`] proves it.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn parse_avx2(lanes: Avx2, tape: &mut Tape, bytes: &[u8], options: Options<'_>) -> Parsed<usize> {
    parse_with(lanes, tape, bytes, options)
}

struct Parser<'a, L> {
    lanes: L,
    tape: &'a mut Tape,
    bytes: &'a [u8],
    options: Options<'a>,
    at: usize,
    top: Frame,
}

impl<'a, L: Lanes> Parser<'a, L> {
    #[inline(always)]
    fn new(lanes: L, tape: &'a mut Tape, bytes: &'a [u8], options: Options<'a>) -> Self {
        let top = Frame { entry: 0, start: 0, is_object: false, clean: true, sorted: true, role: Role::Outside };
        Self { lanes, tape, bytes, options, at: 0, top }
    }

    #[inline(always)]
    fn run(mut self) -> Parsed<usize> {
        self.tape.stack.push(Entry::default());
        self.skip_space();
        loop {
            if self.value()? && self.after_value()? {
                return Ok(self.at);
            }
        }
    }

    /// Take a value; false if a container was opened, whose first value comes next.
    #[inline(always)]
    fn value(&mut self) -> Parsed<bool> {
        let start = self.at;
        match self.peek() {
            b'"' => {
                let passed = self.string()?;
                self.at = passed.end;
                self.set(start, if passed.respelled { NodeKind::Respelled } else { NodeKind::Verbatim });
            }
            b'{' => return self.open(true),
            b'[' => return self.open(false),
            b'-' | b'0'..=b'9' => {
                self.at = number::end(self.bytes, start).map_err(|place| self.wrong(place, "not a number"))?;
                self.set(start, NodeKind::Verbatim);
            }
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => return Err(self.wrong(start, "expected a value")),
        }
        Ok(true)
    }

    /// After a value: on to the next one (false), or to the end of the root (true).
    #[inline(always)]
    fn after_value(&mut self) -> Parsed<bool> {
        loop {
            if self.top.role == Role::Outside {
                return Ok(true);
            }
            self.attach();
            self.skip_space();
            match (self.peek(), self.top.is_object) {
                (b',', is_object) => {
                    self.at += 1;
                    self.skip_space();
                    self.begin_child(is_object)?;
                    return Ok(false);
                }
                (b'}', true) | (b']', false) => self.close(),
                (_, true) => return Err(self.wrong(self.at, "expected `,` or `}`")),
                (_, false) => return Err(self.wrong(self.at, "expected `,` or `]`")),
            }
        }
    }

    #[inline(always)]
    fn open(&mut self, is_object: bool) -> Parsed<bool> {
        if self.tape.frames.len() >= MAX_DEPTH {
            return Err(PageError::new(Reason::Depth, self.at as u64, "nested more than 10,000 deep"));
        }
        let role = self.role_of_child(is_object);
        self.tape.frames.push(self.top);
        let entry = self.tape.stack.len() - 1;
        self.top = Frame { entry, start: self.at, is_object, clean: true, sorted: true, role };
        self.at += 1;
        self.skip_space();
        if self.peek() == if is_object { b'}' } else { b']' } {
            self.close();
            return Ok(true);
        }
        self.begin_child(is_object)?;
        Ok(false)
    }

    #[inline(always)]
    fn role_of_child(&mut self, is_object: bool) -> Role {
        match self.top.role {
            Role::Other | Role::Labels => Role::Other,
            Role::Outside if is_object => Role::Root,
            Role::Root if is_object && self.last_key() == b"metadata" => {
                self.tape.fields.forget_metadata(MetadataShape::Object);
                Role::Metadata
            }
            Role::Metadata if is_object && self.last_key() == b"labels" => {
                self.tape.fields.excluded_by_label = false;
                Role::Labels
            }
            _ => Role::Other,
        }
    }

    #[inline(always)]
    fn begin_child(&mut self, is_object: bool) -> Parsed<()> {
        if is_object {
            return self.key();
        }
        self.tape.stack.push(Entry::default());
        Ok(())
    }

    #[inline(always)]
    fn key(&mut self) -> Parsed<()> {
        let start = self.at;
        if self.peek() != b'"' {
            return Err(self.wrong(start, "expected a key"));
        }
        let passed = self.string()?;
        let mut entry = Entry {
            key_start: offset(start),
            key_end: offset(passed.end),
            key_respelled: passed.respelled,
            ..Entry::default()
        };
        if passed.escaped {
            self.decode_key(&mut entry);
        } else {
            entry.prefix = prefix(self.bytes, start + 1, passed.end - 1);
        }
        self.check_order(&entry);
        self.tape.stack.push(entry);
        self.at = passed.end;
        self.skip_space();
        if self.peek() != b':' {
            return Err(self.wrong(self.at, "expected `:`"));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    #[inline(always)]
    fn check_order(&mut self, entry: &Entry) {
        let last = self.tape.stack.len() - 1;
        if last > self.top.entry && self.top.sorted {
            let before = self.tape.compare(&self.tape.stack[last], entry, self.bytes);
            self.top.sorted = before == Ordering::Less;
        }
    }

    #[cold]
    fn decode_key(&mut self, entry: &mut Entry) {
        let raw = &self.bytes[entry.key_start as usize + 1..entry.key_end as usize - 1];
        let start = self.tape.added.len();
        text::decode_into(raw, &mut self.tape.added);
        self.tape.has_veiled_keys |= is_veiled(raw);
        self.name_decoded_key(entry, start);
    }

    fn name_decoded_key(&mut self, entry: &mut Entry, start: usize) {
        let end = self.tape.added.len();
        entry.prefix = prefix(&self.tape.added, start, end);
        self.tape.decoded_keys.push((offset(start), offset(end)));
        entry.decoded_key = offset(self.tape.decoded_keys.len());
    }

    /// The value that ended at `self.at`.
    #[inline(always)]
    fn set(&mut self, start: usize, kind: NodeKind) {
        let end = offset(self.at);
        if let Some(entry) = self.tape.stack.last_mut() {
            entry.start = offset(start);
            entry.end = end;
            entry.kind = kind;
        }
    }

    #[inline(always)]
    fn literal(&mut self, word: &'static [u8]) -> Parsed<()> {
        let start = self.at;
        let rest = &self.bytes[start..];
        if !rest.starts_with(word) {
            let same = rest.iter().zip(word).take_while(|(found, wanted)| found == wanted).count();
            return Err(self.wrong(start + same, "not a literal"));
        }
        self.at += word.len();
        self.set(start, NodeKind::Verbatim);
        Ok(())
    }

    /// Tell the open container of the value that is on top of the stack.
    #[inline(always)]
    fn attach(&mut self) {
        let is_object = self.top.is_object;
        if let Some(entry) = self.tape.stack.last_mut() {
            let verbatim = entry.kind == NodeKind::Verbatim;
            entry.whole = if is_object {
                verbatim && !entry.key_respelled && entry.start == entry.key_end + 1
            } else {
                entry.key_start = entry.start;
                verbatim
            };
            self.top.clean &= entry.whole;
        }
        if !matches!(self.top.role, Role::Other) {
            self.notice();
        }
    }

    #[inline(always)]
    fn close(&mut self) {
        self.at += 1;
        let first = self.top.entry + 1;
        let is_root = self.top.role == Role::Root;
        if is_root && self.options.type_meta.is_some() {
            self.add_type_meta();
        }
        if self.top.clean && self.top.sorted && !(is_root && self.options.keep_members) {
            self.tape.stack.truncate(first);
            self.set(self.top.start, NodeKind::Verbatim);
        } else {
            self.keep_children(first);
        }
        if let Some(frame) = self.tape.frames.pop() {
            self.top = frame;
        }
    }

    fn keep_children(&mut self, first: usize) {
        let (kind, (start, end)) = if !self.top.is_object {
            (NodeKind::Array, self.tape.keep_all(first))
        } else if self.top.sorted {
            (NodeKind::Object, self.tape.keep_all(first))
        } else {
            self.tape.sort_members(first, self.bytes);
            (NodeKind::Object, self.tape.keep_last_of_each_key(first, self.bytes))
        };
        if let Some(entry) = self.tape.stack.last_mut() {
            (entry.start, entry.end, entry.kind) = (start, end, kind);
        }
    }

    /// Give a root whose `apiVersion` or `kind` is missing, empty or no text those of its list, as Go does.
    fn add_type_meta(&mut self) {
        let Some((api_version, kind)) = self.options.type_meta else {
            return;
        };
        let fields = self.tape.fields;
        for (place, key, value) in [(fields.api_version, "apiVersion", api_version), (fields.kind, "kind", kind)] {
            if is_given(place) {
                continue;
            }
            let mut entry = Entry { kind: NodeKind::Added, key_start: u32::MAX, ..Entry::default() };
            let start = self.tape.added.len();
            self.tape.added.extend_from_slice(key.as_bytes());
            self.name_decoded_key(&mut entry, start);
            entry.start = offset(self.tape.added.len());
            text::encode(key, &mut self.tape.added);
            self.tape.added.push(b':');
            text::encode(value, &mut self.tape.added);
            entry.end = offset(self.tape.added.len());
            self.tape.stack.push(entry);
            self.top.sorted = false;
        }
    }

    #[inline(always)]
    fn last_key(&self) -> &[u8] {
        self.tape.stack.last().map_or(&[], |entry| self.tape.key(entry, self.bytes))
    }

    /// Note the place of a field that the engine needs.
    fn notice(&mut self) {
        let Some(&entry) = self.tape.stack.last() else {
            return;
        };
        let place = self.place(&entry);
        let role = self.top.role;
        let plain = matches!(entry.kind, NodeKind::Verbatim | NodeKind::Respelled);
        let value = if plain { &self.bytes[entry.start as usize..entry.end as usize] } else { b"" as &[u8] };
        let is_object = entry.kind == NodeKind::Object || value.starts_with(b"{");
        let key = key_bytes(self.tape, &entry, self.bytes);
        let fields: &mut Fields = &mut self.tape.fields;
        match (role, key.as_ref()) {
            (Role::Root, b"apiVersion") => fields.api_version = place,
            (Role::Root, b"kind") => fields.kind = place,
            (Role::Root, b"metadata") if !is_object => {
                fields.forget_metadata(MetadataShape::Other);
            }
            (Role::Metadata, b"name") => fields.name = place,
            (Role::Metadata, b"namespace") => fields.namespace = place,
            (Role::Metadata, b"uid") => fields.uid = place,
            (Role::Metadata, b"deletionTimestamp") => fields.deleting = value != b"null",
            (Role::Metadata, b"labels") if !is_object => fields.excluded_by_label = false,
            (Role::Labels, key) if key == EXCLUDE_LABEL.as_bytes() => {
                fields.excluded_by_label = place.text(self.bytes).is_some_and(|text| text == "true");
            }
            _ => {}
        }
    }

    fn place(&self, entry: &Entry) -> Place {
        let is_text = matches!(entry.kind, NodeKind::Verbatim | NodeKind::Respelled)
            && self.bytes.get(entry.start as usize) == Some(&b'"');
        if is_text { Place::Text(entry.start, entry.end) } else { Place::Other }
    }

    #[inline(always)]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Pass white space, which Go would not write.
    #[inline(always)]
    fn skip_space(&mut self) {
        if self.peek() > b' ' {
            return;
        }
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
            self.top.clean = false;
        }
    }

    #[cold]
    fn wrong(&self, place: usize, detail: &'static str) -> PageError {
        wrong(self.bytes, place, detail)
    }

    /// Pass the string whose quote is at `self.at`.
    #[inline(always)]
    fn string(&self) -> Parsed<Passed> {
        let from = self.at + 1;
        if let Some(block) = self.bytes.get(from..).and_then(<[u8]>::first_chunk::<BLOCK>) {
            let place = self.lanes.specials(block).trailing_zeros() as usize;
            if place < BLOCK && block[place] == b'"' {
                return Ok(Passed { end: from + place + 1, respelled: false, escaped: false });
            }
        }
        strings::pass(self.lanes, self.bytes, from)
    }
}

/// The error of a byte that can't be at `place`, which may be past the end.
#[cold]
pub(super) fn wrong(bytes: &[u8], place: usize, detail: &'static str) -> PageError {
    let reason = if place >= bytes.len() { Reason::Truncated } else { Reason::Syntax };
    PageError::new(reason, place as u64, detail)
}

/// The first 8 bytes of a key as a number that sorts as they do.
#[inline(always)]
fn prefix(bytes: &[u8], start: usize, end: usize) -> u64 {
    let length = end - start;
    let Some(head) = bytes[start..].first_chunk::<8>() else {
        let mut head = [0; 8];
        let length = length.min(8);
        head[..length].copy_from_slice(&bytes[start..start + length]);
        return u64::from_be_bytes(head);
    };
    let head = u64::from_be_bytes(*head);
    if length >= 8 { head } else { head & !(u64::MAX >> (8 * length)) }
}

fn is_given(place: Place) -> bool {
    match place {
        Place::Missing | Place::Other => false,
        Place::Text(start, end) => end - start > 2,
    }
}

/// Whether plain characters are spelled as escapes. Keys of `managedFields` have quotes, which are not.
fn is_veiled(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(place) = rest.iter().position(|&byte| byte == b'\\') {
        if matches!(rest.get(place + 1), Some(b'u' | b'/')) {
            return true;
        }
        rest = rest.get(place + 2..).unwrap_or_default();
    }
    false
}

fn key_bytes<'a>(tape: &Tape, entry: &Entry, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    if entry.decoded_key == 0 {
        return bytes.get(entry.key_start as usize + 1..entry.key_end as usize - 1).unwrap_or_default().into();
    }
    tape.key(entry, bytes).to_vec().into()
}
