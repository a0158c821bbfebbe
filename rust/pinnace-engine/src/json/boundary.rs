//! Finds where a value ends without looking into it, over chunks of any length.
//!
//! It counts brackets outside strings and trusts that somebody parses the span afterwards: `[}` ends here
//! and is refused there.

use super::lanes::{Lanes, Scalar, Structure, WIDE};

#[cfg(target_arch = "x86_64")]
use super::lanes::Avx2;

/// The state of one search; it may go on in the next chunk.
#[derive(Debug, Clone)]
pub struct Boundary {
    shape: Shape,
    depth: u64,
    in_string: bool,
    escaped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Container,
    String,
    /// A number or literal, which ends before the next delimiter.
    Word,
}

impl Boundary {
    /// A search that expects the value's `first` byte next.
    #[must_use]
    pub fn starting_with(first: u8) -> Self {
        let shape = match first {
            b'{' | b'[' => Shape::Container,
            b'"' => Shape::String,
            _ => Shape::Word,
        };
        Self { shape, depth: 0, in_string: false, escaped: false }
    }

    /// How many of `bytes` belong to the value if it ends in them.
    pub fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.shape {
            Shape::Word => bytes.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | 0..=b' ')),
            Shape::String => self.step_through(bytes),
            Shape::Container => self.advance_container(bytes),
        }
    }

    fn advance_container(&mut self, bytes: &[u8]) -> Option<usize> {
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = Avx2::detect() {
            // SAFETY: `lanes` proves that the features are there.
            return unsafe { self.advance_avx2(lanes, bytes) };
        }
        self.advance_lanes(Scalar, bytes)
    }

    /// # Safety
    /// The processor has the named features; an [`Avx2`] proves it.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn advance_avx2(&mut self, lanes: Avx2, bytes: &[u8]) -> Option<usize> {
        self.advance_lanes(lanes, bytes)
    }

    #[inline(always)]
    pub(super) fn advance_lanes<L: Lanes>(&mut self, lanes: L, bytes: &[u8]) -> Option<usize> {
        let mut done = 0;
        let mut rest = bytes;
        if self.depth == 0 {
            if let Some(end) = self.step_through(bytes.get(..1)?) {
                return Some(end);
            }
            done = 1;
            rest = &bytes[1..];
        }
        let (blocks, tail) = rest.as_chunks::<WIDE>();
        for block in blocks {
            if let Some(end) = self.block(lanes, lanes.structure(block)) {
                return Some(done + end);
            }
            done += WIDE;
        }
        self.step_through(tail).map(|end| done + end)
    }

    #[inline(always)]
    fn block<L: Lanes>(&mut self, lanes: L, structure: Structure) -> Option<usize> {
        let quotes = structure.quotes & !self.escaped_bytes(structure.backslashes);
        let strings = lanes.prefix_xor(quotes) ^ u64::from(self.in_string).wrapping_neg();
        self.in_string = strings >> 63 == 1;
        let opens = structure.opens & !strings;
        let closes = structure.closes & !strings;
        if u64::from(closes.count_ones()) < self.depth {
            self.depth = self.depth + u64::from(opens.count_ones()) - u64::from(closes.count_ones());
            return None;
        }
        self.walk(opens, closes)
    }

    /// Bit by bit through a block in which the value may end.
    #[inline(always)]
    fn walk(&mut self, opens: u64, closes: u64) -> Option<usize> {
        let mut brackets = opens | closes;
        while brackets != 0 {
            let place = brackets.trailing_zeros();
            brackets &= brackets - 1;
            if opens >> place & 1 == 1 {
                self.depth += 1;
            } else {
                self.depth -= 1;
                if self.depth == 0 {
                    return Some(place as usize + 1);
                }
            }
        }
        None
    }

    /// Bytes that an odd run of backslashes precedes (simdjson's carry trick: Langdale, Lemire 2019).
    #[inline(always)]
    fn escaped_bytes(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let carried = u64::from(self.escaped);
        if backslashes == 0 {
            self.escaped = false;
            return carried;
        }
        let backslashes = backslashes & !carried;
        let follows = backslashes << 1 | carried;
        let odd_starts = backslashes & !EVEN & !follows;
        let (sequences, overflow) = odd_starts.overflowing_add(backslashes);
        self.escaped = overflow;
        (EVEN ^ sequences << 1) & follows
    }

    fn step_through(&mut self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|&byte| self.step(byte)).map(|place| place + 1)
    }

    /// Take one byte; true if it is the value's last.
    ///
    /// Backslashes outside strings are malformed; they hide a quote here because they do so in `block`.
    #[inline]
    fn step(&mut self, byte: u8) -> bool {
        let escaped = std::mem::take(&mut self.escaped);
        match byte {
            b'\\' => self.escaped = !escaped,
            b'"' if !escaped => {
                self.in_string = !self.in_string;
                return !self.in_string && self.depth == 0;
            }
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_in_chunks_of(value: &[u8], length: usize) -> Option<usize> {
        let mut boundary = Boundary::starting_with(value[0]);
        let mut done = 0;
        for chunk in value.chunks(length) {
            if let Some(end) = boundary.advance(chunk) {
                return Some(done + end);
            }
            done += chunk.len();
        }
        None
    }

    #[test]
    fn a_value_ends_at_the_same_byte_whatever_the_chunks() {
        let padding = "y".repeat(70);
        for body in [
            r#"{"a":[1,{"b":"}]"}],"c":"\\\"}"}"#.to_owned(),
            r#"[[],[[]],"\\\\",{}]"#.to_owned(),
            format!(r#"{{"{padding}\\":["{padding}\"}}{padding}\\\\",{{"z":"\\"}}]}}"#),
            format!(r#"{{"k":"{}"}}"#, r"\\".repeat(100)),
        ] {
            let text = format!("{body}, {{}}]}}{padding}");
            for length in (1..=130).chain([text.len()]) {
                assert_eq!(end_in_chunks_of(text.as_bytes(), length), Some(body.len()), "{body} by {length}");
            }
        }
    }

    #[test]
    fn strings_end_at_their_quote_and_words_before_the_delimiter() {
        assert_eq!(end_in_chunks_of(br#""a\"b" :"#, 3), Some(6));
        assert_eq!(end_in_chunks_of(b"12345,", 2), Some(5));
        assert_eq!(end_in_chunks_of(b"12345", 2), None);
    }
}
