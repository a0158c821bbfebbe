//! Passes strings block by block: where they end, whether they are well-formed, whether Go would spell them alike.

use super::lanes::{BLOCK, Lanes};
use super::parse::{Parsed, wrong};
use super::text;
use crate::error::{PageError, Reason};

/// A string that was passed.
pub(super) struct Passed {
    pub end: usize,
    /// Go would spell it otherwise.
    pub respelled: bool,
    /// Its bytes are not its characters.
    pub escaped: bool,
}

/// Pass the string whose first character is at `from`.
#[inline(always)]
pub(super) fn pass<L: Lanes>(lanes: L, bytes: &[u8], from: usize) -> Parsed<Passed> {
    let mut passed = Passed { end: from, respelled: false, escaped: false };
    let mut at = from;
    loop {
        let mut mask = specials_at(lanes, bytes, at);
        loop {
            if mask == 0 {
                at += BLOCK;
                break;
            }
            let place = mask.trailing_zeros() as usize;
            let length = match bytes.get(at + place).copied() {
                Some(b'"') => {
                    passed.end = at + place + 1;
                    return Ok(passed);
                }
                Some(b'\\') => pass_escape(bytes, at + place, &mut passed)?,
                Some(byte) => pass_special(bytes, at + place, byte, &mut passed)?,
                None => return Err(wrong(bytes, bytes.len(), "a string without end")),
            };
            if place + length >= BLOCK {
                at += place + length;
                break;
            }
            mask &= u32::MAX << (place + length);
        }
    }
}

/// The mask of the block at `at`; past the end of `bytes` every byte is special.
#[inline(always)]
fn specials_at<L: Lanes>(lanes: L, bytes: &[u8], at: usize) -> u32 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(block) = rest.first_chunk::<BLOCK>() {
        return lanes.specials(block);
    }
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    lanes.specials(&block)
}

#[inline(always)]
fn pass_escape(bytes: &[u8], at: usize, passed: &mut Passed) -> Parsed<usize> {
    passed.escaped = true;
    if matches!(bytes.get(at + 1), Some(b'"' | b'\\' | b'n' | b't' | b'r' | b'b' | b'f')) {
        return Ok(2);
    }
    let rest = &bytes[at..];
    let Some(escape) = text::escape(rest) else {
        return Err(wrong(bytes, at, "not an escape sequence"));
    };
    passed.respelled |= !text::is_canonical(escape, rest);
    Ok(escape.length)
}

fn pass_special(bytes: &[u8], at: usize, byte: u8, passed: &mut Passed) -> Parsed<usize> {
    match byte {
        b'<' | b'>' | b'&' => {
            passed.respelled = true;
            Ok(1)
        }
        0x80.. => pass_characters(bytes, at, passed),
        _ => Err(wrong(bytes, at, "a control character in a string")),
    }
}

/// Pass characters that are not ASCII; U+2028 and U+2029 are spelled anew.
fn pass_characters(bytes: &[u8], from: usize, passed: &mut Passed) -> Parsed<usize> {
    let mut at = from;
    while bytes.get(at).is_some_and(|byte| *byte >= 0x80) {
        let rest = &bytes[at..];
        let Some(length) = text::character_length(rest) else {
            return Err(PageError::new(Reason::InvalidUtf8, at as u64, "a string that is not UTF-8"));
        };
        passed.respelled |= matches!(rest, [0xe2, 0x80, 0xa8 | 0xa9, ..]);
        at += length;
    }
    Ok(at - from)
}
