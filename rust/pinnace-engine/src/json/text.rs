//! Strings: what an escape means, and how Go's `json.Marshal` writes each character.

use std::borrow::Cow;

use super::lanes::is_special;

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

fn encode_plain(utf8: &[u8], out: &mut Vec<u8>) {
    // Without a branch for each byte the compiler looks at many at once; names and most strings end here.
    if !utf8.iter().fold(false, |found, &byte| found | is_special(byte)) {
        out.extend_from_slice(utf8);
        return;
    }
    let mut copied = 0;
    for (place, &byte) in utf8.iter().enumerate() {
        let separator = byte == 0xe2 && matches!(utf8.get(place + 1..place + 3), Some([0x80, 0xa8 | 0xa9]));
        if !(matches!(byte, 0..0x20 | b'"' | b'\\' | b'<' | b'>' | b'&') || separator) {
            continue;
        }
        out.extend_from_slice(&utf8[copied..place]);
        copied = place + if separator { 3 } else { 1 };
        if separator {
            out.extend_from_slice(if utf8[place + 2] == 0xa8 { b"\\u2028" } else { b"\\u2029" });
        } else {
            encode_ascii(byte, out);
        }
    }
    out.extend_from_slice(&utf8[copied..]);
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
