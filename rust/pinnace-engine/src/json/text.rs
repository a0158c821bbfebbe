//! Strings: what an escape means, and how Go's `json.Marshal` writes each character.

use std::borrow::Cow;
use std::str::Utf8Error;

use super::lanes::{BLOCK, Lanes, Scalar, is_special};

#[cfg(target_arch = "x86_64")]
use super::lanes::Avx2;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// One decoded escape sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escape {
    /// What it means; U+FFFD for a lone surrogate, as in Go.
    pub character: char,
    /// Its bytes, backslash included.
    pub length: usize,
}

/// Decode the escape at the start of `bytes`, or None where it is malformed or cut.
#[must_use]
pub fn escape(bytes: &[u8]) -> Option<Escape> {
    let short = |character| Some(Escape { character, length: 2 });
    match *bytes.get(1)? {
        b'"' => short('"'),
        b'\\' => short('\\'),
        b'/' => short('/'),
        b'b' => short('\u{8}'),
        b'f' => short('\u{c}'),
        b'n' => short('\n'),
        b'r' => short('\r'),
        b't' => short('\t'),
        b'u' => unicode_escape(bytes),
        _ => None,
    }
}

fn unicode_escape(bytes: &[u8]) -> Option<Escape> {
    let unit = hex4(bytes.get(2..6)?)?;
    if let Some(character) = char::from_u32(unit) {
        return Some(Escape { character, length: 6 });
    }
    let low = match bytes.get(6..12) {
        Some([b'\\', b'u', digits @ ..]) => hex4(digits).filter(|low| (0xdc00..0xe000).contains(low)),
        _ => None,
    };
    let pair = low.filter(|_| unit < 0xdc00).map(|low| 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
    Some(match pair.and_then(char::from_u32) {
        Some(character) => Escape { character, length: 12 },
        None => Escape { character: char::REPLACEMENT_CHARACTER, length: 6 },
    })
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

/// Whether `escape`, spelled as at the start of `bytes`, is what Go would write for its character.
#[must_use]
pub fn is_canonical(escape: Escape, bytes: &[u8]) -> bool {
    match escape.character {
        '"' | '\\' | '\u{8}' | '\u{c}' | '\n' | '\r' | '\t' => escape.length == 2,
        '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
            bytes.iter().take(escape.length).all(|byte| !byte.is_ascii_uppercase())
        }
        _ => false,
    }
}

/// The characters of a string whose raw bytes (without quotes, already validated) are `raw`.
#[must_use]
pub fn decode(raw: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw).is_none() {
        return std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    decode_into(raw, &mut bytes);
    Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Append the characters of `raw` (without quotes, already validated) to `out` as UTF-8.
pub fn decode_into(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(place) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..place]);
        let (character, length) = escape_or_replacement(&rest[place..]);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[place + length..];
    }
    out.extend_from_slice(rest);
}

/// Append the string with raw bytes `raw` (without quotes, already validated) as Go writes it, with quotes.
pub fn recode(raw: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = raw;
    while let Some(place) = memchr::memchr(b'\\', rest) {
        encode_plain(&rest[..place], out);
        let (character, length) = escape_or_replacement(&rest[place..]);
        encode_plain(character.encode_utf8(&mut [0; 4]).as_bytes(), out);
        rest = &rest[place + length..];
    }
    encode_plain(rest, out);
    out.push(b'"');
}

/// Append `text` as a JSON string as Go writes it, with quotes.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    encode_plain(text.as_bytes(), out);
    out.push(b'"');
}

fn escape_or_replacement(bytes: &[u8]) -> (char, usize) {
    escape(bytes).map_or((char::REPLACEMENT_CHARACTER, bytes.len().min(2)), |escape| (escape.character, escape.length))
}

/// Append the string whose bytes are `utf8` as Go writes it, with quotes.
///
/// # Errors
/// Where they are no UTF-8; `out` is then unchanged.
pub(crate) fn encode_utf8(utf8: &[u8], out: &mut Vec<u8>) -> Result<(), Utf8Error> {
    let text = std::str::from_utf8(utf8)?;
    out.reserve(text.len() + 2);
    encode(text, out);
    Ok(())
}

#[inline]
fn encode_plain(utf8: &[u8], out: &mut Vec<u8>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = Avx2::detect() {
        // SAFETY: `lanes` proves that the features are there.
        return unsafe { encode_avx2(lanes, utf8, out) };
    }
    encode_lanes(Scalar, utf8, out);
}

/// # Safety
/// The processor has the named features; an [`Avx2`] proves it.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn encode_avx2(lanes: Avx2, utf8: &[u8], out: &mut Vec<u8>) {
    encode_lanes(lanes, utf8, out);
}

#[inline(always)]
fn encode_lanes<L: Lanes>(lanes: L, utf8: &[u8], out: &mut Vec<u8>) {
    let mut copied = 0;
    let (blocks, tail) = utf8.as_chunks::<BLOCK>();
    for (start, block) in (0..).step_by(BLOCK).zip(blocks) {
        let mut specials = lanes.specials(block);
        while specials != 0 {
            respell(utf8, start + specials.trailing_zeros() as usize, &mut copied, out);
            specials &= specials - 1;
        }
    }
    // Without a branch for each byte the compiler looks at many at once; names and most strings end here.
    if tail.iter().fold(false, |found, &byte| found | is_special(byte)) {
        for (place, &byte) in (utf8.len() - tail.len()..).zip(tail) {
            if is_special(byte) {
                respell(utf8, place, &mut copied, out);
            }
        }
    }
    out.extend_from_slice(&utf8[copied..]);
}

/// Append the character at `place` if Go spells it otherwise, and before it what stands from `copied` on.
#[inline]
fn respell(utf8: &[u8], place: usize, copied: &mut usize, out: &mut Vec<u8>) {
    let last = match utf8[place..] {
        [0xe2, 0x80, last @ (0xa8 | 0xa9), ..] => Some(last),
        [0x80..=0xff, ..] | [] => return,
        _ => None,
    };
    out.extend_from_slice(&utf8[*copied..place]);
    *copied = place + if last.is_some() { 3 } else { 1 };
    match last {
        Some(0xa8) => out.extend_from_slice(b"\\u2028"),
        Some(_) => out.extend_from_slice(b"\\u2029"),
        None => encode_ascii(utf8[place], out),
    }
}

fn encode_ascii(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let high = HEX[usize::from(byte >> 4)];
            let low = HEX[usize::from(byte & 15)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The length of the UTF-8 character at the start of `bytes` (which is not ASCII), or None if it is none.
#[must_use]
pub fn character_length(bytes: &[u8]) -> Option<usize> {
    let continues = |place: usize| bytes.get(place).is_some_and(|byte| byte & 0xc0 == 0x80);
    let second = bytes.get(1).copied().unwrap_or(0);
    let length = match (bytes.first()?, second) {
        (0xc2..=0xdf, 0x80..=0xbf) => 2,
        (0xe0, 0xa0..=0xbf) | (0xe1..=0xec | 0xee | 0xef, 0x80..=0xbf) | (0xed, 0x80..=0x9f) => 3,
        (0xf0, 0x90..=0xbf) | (0xf1..=0xf3, 0x80..=0xbf) | (0xf4, 0x80..=0x8f) => 4,
        _ => return None,
    };
    (2..length).all(continues).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_spelled_alike_at_every_place_of_a_string() {
        for (character, expected) in [
            ("<", "\\u003c"),
            ("\n", "\\n"),
            ("\u{2028}", "\\u2028"),
            ("\u{2029}", "\\u2029"),
            ("é", "é"),
            ("\"", "\\\""),
        ] {
            for before in 0..=2 * BLOCK + 2 {
                for after in [0, 1, BLOCK] {
                    let (head, tail) = ("x".repeat(before), "y".repeat(after));
                    let text = format!("{head}{character}{tail}");
                    let (mut out, mut scalar) = (Vec::new(), Vec::new());
                    assert_eq!(encode_utf8(text.as_bytes(), &mut out), Ok(()));
                    encode_lanes(Scalar, text.as_bytes(), &mut scalar);
                    assert_eq!(String::from_utf8_lossy(&out), format!("\"{head}{expected}{tail}\""));
                    assert_eq!(out[1..out.len() - 1], scalar);
                }
            }
        }
    }
}
