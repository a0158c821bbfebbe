//! Deflate that is told where an item's second copy lies, and spends nothing on it.
//!
//! Half of an archive is second copies. A library looks for every repeat anew and enters its bytes into its tables;
//! here a known one becomes matches at once, and the tables keep twice as much of what is new.
//! docs/decisions/0001-deflate-library.md has the figures.

mod bits;
mod block;
mod huffman;
mod matches;

use bits::Bits;
use block::{BLOCK_TOKENS, Tokens};
use matches::{Finder, MAX_MATCH, MIN_MATCH, TAIL_BYTES};

use super::{Deflate, GZIP_HEADER, Repeat, check_length, gzip_trailer};
use crate::error::EngineError;

/// Its name in `build_info` and the manifest.
pub const LIBRARY: &str = "pinnace";

/// A match of fewer bytes can't be written.
const SHORTEST_WRITTEN: usize = 3;

/// One encoder.
#[derive(Debug, Default)]
pub struct Own {
    finder: Finder,
    tokens: Tokens,
    bits: Bits,
}

impl Deflate for Own {
    fn member(&mut self, source: &[u8], repeats: &[Repeat]) -> Result<Vec<u8>, EngineError> {
        check_length(source)?;
        self.finder.forget();
        self.bits.begin(&GZIP_HEADER);
        let mut at = 0;
        for repeat in repeats {
            debug_assert!(repeat.is_true(source), "{repeat:?}");
            let first = repeat.start - repeat.distance;
            let end = repeat.start.min(first + repeat.length.saturating_sub(SHORTEST_WRITTEN - 1));
            self.finder.expect_copy(first..end, repeat.distance);
            self.scan(source, at, repeat.start);
            at = repeat.start + self.repeat(repeat);
        }
        self.finder.expect_copy(0..0, 0);
        self.scan(source, at, source.len());
        self.tokens.write(&mut self.bits, true);
        Ok(self.bits.end(&gzip_trailer(source)))
    }
}

impl Own {
    /// Write the known repeat as matches; gives how many of its bytes that are, all but two at the most.
    fn repeat(&mut self, repeat: &Repeat) -> usize {
        let mut left = repeat.length;
        while left >= SHORTEST_WRITTEN {
            let length = left.min(MAX_MATCH);
            self.tokens.matched(length, repeat.distance);
            left -= length;
        }
        self.end_block_if_full();
        repeat.length - left
    }

    /// Write `source[from..to]`, taking the longest match at each place: looking whether one byte later there is a
    /// longer one makes tars of JSON 0.2 % smaller, which is not worth its code.
    fn scan(&mut self, source: &[u8], from: usize, to: usize) {
        let to = to.min(source.len());
        let stop = to.min(source.len().saturating_sub(TAIL_BYTES));
        let mut at = from;
        while at < stop {
            let (length, distance) = self.finder.find(source, at, to);
            if length < MIN_MATCH {
                self.tokens.literal(source[at]);
                at += 1;
            } else {
                self.tokens.matched(length, distance);
                self.finder.enter(source, at + 1..(at + length).min(stop));
                at += length;
            }
            self.end_block_if_full();
        }
        for &byte in source.get(at..to).unwrap_or_default() {
            self.tokens.literal(byte);
        }
    }

    fn end_block_if_full(&mut self) {
        if self.tokens.len() >= BLOCK_TOKENS {
            self.tokens.write(&mut self.bits, false);
        }
    }
}
