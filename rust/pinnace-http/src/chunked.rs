//! A chunked body without its framing (RFC 9112, section 7.1), from pieces of any length.

use crate::error::TransportError;

/// Digits of a chunk's size that are read; no body is as long.
const MOST_DIGITS: u8 = 15;

/// Bytes of one line (a size with its extensions, or a trailer) and of all trailers together.
const LONGEST_LINES: usize = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the digits of a size, of which there were so many.
    Size {
        digits: u8,
    },
    /// Behind the digits, where extensions may stand that nobody uses.
    Extension,
    /// At the line feed after a size.
    SizeEnd,
    /// In a chunk's bytes.
    Data,
    /// At the line break after them.
    DataReturn,
    DataEnd,
    /// At the start of a trailer, or of the empty line that ends all.
    Trailer,
    InTrailer,
    TrailerEnd,
    LastEnd,
    Ended,
}

/// The framing of one body, up to where it was read.
#[derive(Debug)]
pub struct Chunked {
    state: State,
    /// Of the size that is being read, and then what is missing of the chunk.
    left_bytes: u64,
    line_bytes: usize,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { state: State::Size { digits: 0 }, left_bytes: 0, line_bytes: 0 }
    }
}

impl Chunked {
    /// Whether the body's end was read.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Append to `body` what is the body's of `bytes`; gives how many of them were taken: all, but for those after its end.
    ///
    /// # Errors
    /// `Framing` at the first byte that can't be.
    pub fn take(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<usize, TransportError> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.state == State::Ended {
                break;
            }
            if self.state == State::Data {
                let rest = &bytes[at..];
                let taken = usize::try_from(self.left_bytes).map_or(rest.len(), |left| left.min(rest.len()));
                body.extend_from_slice(&rest[..taken]);
                at += taken;
                self.left_bytes -= taken as u64;
                if self.left_bytes == 0 {
                    self.state = State::DataReturn;
                }
                continue;
            }
            self.state = self.after(byte)?;
            at += 1;
        }
        Ok(at)
    }

    /// As `take`, where nothing may follow the end, since only one request is in flight.
    ///
    /// # Errors
    /// `Framing` at the first byte that can't be.
    pub fn take_all(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<(), TransportError> {
        if self.take(bytes, body)? < bytes.len() {
            return Err(TransportError::Framing("bytes follow its end"));
        }
        Ok(())
    }

    /// The state after one byte of the framing.
    fn after(&mut self, byte: u8) -> Result<State, TransportError> {
        let refused = |what| Err(TransportError::Framing(what));
        self.line_bytes += 1;
        if self.line_bytes > LONGEST_LINES {
            return refused("a line is too long");
        }
        Ok(match (self.state, byte) {
            (State::Size { digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == MOST_DIGITS {
                    return refused("a chunk is too large");
                }
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                self.left_bytes = self.left_bytes << 4 | u64::from(digit);
                State::Size { digits: digits + 1 }
            }
            (State::Size { digits: 0 }, _) => return refused("a chunk has no size"),
            (State::Size { .. } | State::Extension, b'\r') => State::SizeEnd,
            (State::Size { .. }, b';' | b' ' | b'\t') => State::Extension,
            (State::Extension, _) if byte != b'\n' => State::Extension,
            (State::SizeEnd, b'\n') if self.left_bytes == 0 => State::Trailer,
            (State::SizeEnd, b'\n') => {
                self.line_bytes = 0;
                State::Data
            }
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => {
                self.line_bytes = 0;
                State::Size { digits: 0 }
            }
            (State::Trailer, b'\r') => State::LastEnd,
            (State::InTrailer, b'\r') => State::TrailerEnd,
            (State::Trailer | State::InTrailer, _) if byte != b'\n' => State::InTrailer,
            (State::TrailerEnd, b'\n') => State::Trailer,
            (State::LastEnd, b'\n') => State::Ended,
            (State::Size { .. } | State::Extension, _) => return refused("a chunk's size is not a number"),
            _ => return refused("a line break is missing"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Chunked, LONGEST_LINES};
    use crate::error::TransportError;

    /// The body, and how many bytes were taken.
    fn read(bytes: &[u8], piece_bytes: usize) -> Result<(Vec<u8>, usize, bool), TransportError> {
        let (mut chunked, mut body, mut taken) = (Chunked::default(), Vec::new(), 0);
        for piece in bytes.chunks(piece_bytes) {
            taken += chunked.take(piece, &mut body)?;
        }
        Ok((body, taken, chunked.has_ended()))
    }

    #[test]
    fn chunks_extensions_and_trailers() -> Result<(), TransportError> {
        let text =
            b"4\r\nWiki\r\n6;name=\"value\"\r\npedia \r\nE \r\nin \r\n\r\nchunks.\r\n0\r\nExpires: never\r\n\r\n";
        for piece_bytes in 1..=text.len() {
            assert_eq!(read(text, piece_bytes)?, (b"Wikipedia in \r\n\r\nchunks.".to_vec(), text.len(), true));
        }
        Ok(())
    }

    #[test]
    fn what_follows_the_end_is_not_taken() -> Result<(), TransportError> {
        assert_eq!(read(b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200", 99)?, (b"a".to_vec(), 11, true));
        Ok(())
    }

    #[test]
    fn a_body_that_breaks_off_has_not_ended() -> Result<(), TransportError> {
        let text = b"3\r\nabc\r\n0\r\n\r\n";
        for length in 0..text.len() {
            assert!(!read(&text[..length], 99)?.2, "{length} bytes");
        }
        Ok(())
    }

    #[test]
    fn broken_framing_is_refused() {
        let long = [b"1;".to_vec(), vec![b'x'; LONGEST_LINES]].concat();
        let trailers = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(LONGEST_LINES / 6 + 1)].concat();
        let broken: [(&[u8], &str); 10] = [
            (b"\r\n", "has no size"),
            (b"g\r\n", "has no size"),
            (b"-1\r\n", "has no size"),
            (b"1g\r\n", "is not a number"),
            (b"1\n", "is not a number"),
            (b"1\rx", "line break"),
            (b"1\r\nab", "line break"),
            (b"1000000000000000\r\n", "too large"),
            (&long, "too long"),
            (&trailers, "too long"),
        ];
        for (bytes, why) in broken {
            let refused = read(bytes, 7);
            assert!(matches!(&refused, Err(TransportError::Framing(what)) if what.contains(why)), "{why}: {refused:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_chunks_and_pieces(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..9),
            piece_bytes in 1_usize..200,
        ) {
            let framed = chunks.iter().map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
            let text = [framed.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat();
            prop_assert_eq!(read(&text, piece_bytes).ok(), Some((chunks.concat(), text.len(), true)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), piece_bytes in 1_usize..50) {
            let _ = read(&bytes, piece_bytes);
        }
    }
}
