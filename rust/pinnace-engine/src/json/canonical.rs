//! Writes a parsed value as Go's `json.Marshal` does: sorted keys, no white space, Go's escapes.

use std::ops::Range;

use super::tape::{Entry, NodeKind, Options, Tape};
use super::text;
use crate::error::PageError;

/// Append the value in `source` to `out` in canonical form; an object without `apiVersion` or `kind` gets
/// those of `type_meta`. For one value; items go through [`crate::item::ItemReader`], which keeps its memory.
///
/// # Errors
/// A [`PageError`] whose offset counts from the start of `source`; `out` is then unchanged.
pub fn write(source: &[u8], type_meta: Option<(&str, &str)>, out: &mut Vec<u8>) -> Result<(), PageError> {
    let mut tape = Tape::default();
    tape.parse_all(source, Options { type_meta, ..Options::default() })?;
    write_tape(&tape, source, out);
    Ok(())
}

/// A container being written.
struct Cursor {
    first: usize,
    next: usize,
    end: usize,
    is_object: bool,
}

struct Writer<'a> {
    tape: &'a Tape,
    source: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Source bytes that are due; neighbours in the source that stay neighbours are copied together.
    due: Range<usize>,
    open: Vec<Cursor>,
}

/// Append the value that `tape` was parsed from, `source`, to `out`.
pub fn write_tape(tape: &Tape, source: &[u8], out: &mut Vec<u8>) {
    let Some(root) = tape.stack.first() else {
        return;
    };
    out.reserve(source.len() + tape.added.len());
    let mut writer = Writer { tape, source, out, due: 0..0, open: Vec::with_capacity(16) };
    writer.value(root);
    while let Some(cursor) = writer.open.last_mut() {
        if cursor.next == cursor.end {
            writer.close();
            continue;
        }
        let entry = &tape.entries[cursor.next];
        let is_first = cursor.next == cursor.first;
        let is_object = cursor.is_object;
        cursor.next += 1;
        writer.child(entry, is_first, is_object);
    }
}

impl Writer<'_> {
    #[inline]
    fn child(&mut self, entry: &Entry, is_first: bool, is_object: bool) {
        if entry.whole {
            let (start, end) = (entry.key_start as usize, entry.end as usize);
            if !self.due.is_empty() && self.due.end + 1 == start {
                self.due.end = end;
                return;
            }
            self.separate(is_first);
            self.due = start..end;
            return;
        }
        self.separate(is_first);
        if is_object && entry.kind != NodeKind::Added {
            let key = &self.source[entry.key_start as usize..entry.key_end as usize];
            if entry.key_respelled {
                text::recode(&key[1..key.len() - 1], self.out);
            } else {
                self.out.extend_from_slice(key);
            }
            self.out.push(b':');
        }
        self.value(entry);
    }

    fn value(&mut self, entry: &Entry) {
        let range = entry.start as usize..entry.end as usize;
        match entry.kind {
            NodeKind::Verbatim => self.out.extend_from_slice(&self.source[range]),
            NodeKind::Respelled => text::recode(&self.source[range.start + 1..range.end - 1], self.out),
            NodeKind::Added => self.out.extend_from_slice(&self.tape.added[range]),
            NodeKind::Object | NodeKind::Array => {
                let is_object = entry.kind == NodeKind::Object;
                self.out.push(if is_object { b'{' } else { b'[' });
                self.open.push(Cursor { first: range.start, next: range.start, end: range.end, is_object });
            }
        }
    }

    fn close(&mut self) {
        self.copy_due();
        if let Some(cursor) = self.open.pop() {
            self.out.push(if cursor.is_object { b'}' } else { b']' });
        }
    }

    #[inline]
    fn separate(&mut self, is_first: bool) {
        self.copy_due();
        if !is_first {
            self.out.push(b',');
        }
    }

    #[inline]
    fn copy_due(&mut self) {
        let due = std::mem::take(&mut self.due);
        self.out.extend_from_slice(&self.source[due]);
    }
}
