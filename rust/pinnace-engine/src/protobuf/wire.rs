//! Protobuf's wire format: tags, varints and lengths, none of which leads beyond the message that it is in.

use crate::error::{PageError, Reason};

/// How the bytes of a field are delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    Length,
}

/// Reads what stands between `at` and `end` of a buffer; errors have offsets in that buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    pub end: usize,
}

impl<'a> Wire<'a> {
    /// All of `bytes` from `start` to `end`, which lie within.
    pub(super) fn new(bytes: &'a [u8], start: usize, end: usize) -> Self {
        Self { bytes, at: start, end: end.min(bytes.len()) }
    }

    pub(super) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    /// A field's number and how its value is delimited.
    #[inline]
    pub(super) fn tag(&mut self) -> Result<(u32, WireType), PageError> {
        let start = self.at;
        let tag = self.varint()?;
        tag_of(tag, start)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, PageError> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 && self.at < self.end => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, PageError> {
        let start = self.at;
        let mut varint = Varint::default();
        while let Some(&byte) = self.bytes.get(self.at).filter(|_| self.at < self.end) {
            self.at += 1;
            if let Some(value) = varint.push(byte).map_err(|()| overlong(start))? {
                return Ok(value);
            }
        }
        Err(PageError::new(Reason::Syntax, start as u64, "a varint that goes beyond its message"))
    }

    /// A length and so many bytes, as where they start and end.
    #[inline]
    pub(super) fn length(&mut self) -> Result<(usize, usize), PageError> {
        let start = self.at;
        let length = self.varint()?;
        let from = self.at;
        match usize::try_from(length).ok().and_then(|length| from.checked_add(length)).filter(|&end| end <= self.end) {
            Some(end) => {
                self.at = end;
                Ok((from, end))
            }
            None => Err(PageError::new(Reason::Syntax, start as u64, "a length that goes beyond its message")),
        }
    }
}

/// The number and the wire type of a tag that stands at `offset`.
pub(super) fn tag_of(tag: u64, offset: usize) -> Result<(u32, WireType), PageError> {
    let wrong = |reason, detail| Err(PageError::new(reason, offset as u64, detail));
    let Some(number) = u32::try_from(tag >> 3).ok().filter(|&number| number > 0) else {
        return wrong(Reason::Syntax, "not a field's number");
    };
    match tag & 7 {
        0 => Ok((number, WireType::Varint)),
        2 => Ok((number, WireType::Length)),
        1 | 5 => wrong(Reason::UnknownField, "a field of fixed length, which no kind has"),
        3 | 4 => wrong(Reason::UnknownField, "a group, which no kind has"),
        _ => wrong(Reason::Syntax, "no such wire type"),
    }
}

pub(super) fn overlong(start: usize) -> PageError {
    PageError::new(Reason::Syntax, start as u64, "a varint of more than 64 bits")
}

/// A varint whose bytes come one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Varint {
    value: u64,
    shift: u32,
}

impl Varint {
    /// Take a byte; the value if it was the last one, an error where it would have more than 64 bits.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<u64>, ()> {
        if self.shift > 63 || (self.shift == 63 && byte > 1) {
            return Err(());
        }
        self.value |= u64::from(byte & 0x7f) << self.shift;
        self.shift += 7;
        Ok((byte < 0x80).then_some(self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Result<u64, (Reason, u64)> {
        Wire::new(bytes, 0, bytes.len()).varint().map_err(|error| (error.reason, error.offset))
    }

    #[test]
    fn varints_have_up_to_64_bits() {
        assert_eq!(varint(&[0x7f]), Ok(127));
        assert_eq!(varint(&[0xac, 0x02]), Ok(300));
        let mut bytes = [0xff; 10];
        bytes[9] = 1;
        assert_eq!(varint(&bytes), Ok(u64::MAX));
        bytes[9] = 2;
        assert_eq!(varint(&bytes), Err((Reason::Syntax, 0)));
        assert_eq!(varint(&[0x80; 11]), Err((Reason::Syntax, 0)));
        assert_eq!(varint(&[0x80]), Err((Reason::Syntax, 0)));
    }

    #[test]
    fn nothing_leads_beyond_the_end_of_its_message() {
        let bytes = [3, b'a', b'b', b'c'];
        assert_eq!(Wire::new(&bytes, 0, 4).length(), Ok((1, 4)));
        assert!(Wire::new(&bytes, 0, 3).length().is_err());
        assert!(Wire::new(&bytes, 0, 0).varint().is_err());
        let mut largest = [0xff; 10];
        largest[9] = 1;
        assert!(Wire::new(&largest, 0, 10).length().is_err());
    }

    #[test]
    fn only_varints_and_lengths_are_wire_types_of_kinds() {
        assert_eq!(tag_of(0x0a, 0), Ok((1, WireType::Length)));
        assert_eq!(tag_of(0x10, 0), Ok((2, WireType::Varint)));
        let reason = |tag| tag_of(tag, 7).map_err(|error| (error.reason, error.offset)).err();
        for wire_type in [1, 3, 4, 5] {
            assert_eq!(reason(8 | wire_type), Some((Reason::UnknownField, 7)));
        }
        assert_eq!(reason(0x02), Some((Reason::Syntax, 7)));
        assert_eq!(reason(0x0e), Some((Reason::Syntax, 7)));
        assert_eq!(reason(u64::MAX), Some((Reason::Syntax, 7)));
    }
}
