//! Literals and matches, and the deflate block with codes of its own that they become (RFC 1951, section 3.2.7).

use super::bits::{Bits, ROOM_FOR_MATCH};
use super::huffman::Codes;

/// Literals and matches after which a block ends: codes follow what they write, and cost about 100 bytes.
pub const BLOCK_TOKENS: usize = 1 << 13;

const END_OF_BLOCK: usize = 256;
const FIRST_LENGTH: usize = 257;
const LONGEST_CODE: usize = 15;
const IS_MATCH: u32 = 1 << 31;
const DISTANCE_BITS: u32 = 16;

/// Shortest length of each length symbol, and the bits that follow it.
#[rustfmt::skip]
const LENGTHS: [(u16, u32); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1), (15, 1), (17, 1), (19, 2),
    (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3), (67, 4), (83, 4), (99, 4), (115, 4), (131, 5),
    (163, 5), (195, 5), (227, 5), (258, 0),
];

/// The length symbol of each length, less 3.
static LENGTH_SYMBOLS: [u8; 256] = length_symbols();

/// The order in which the lengths of the codes of lengths are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const fn length_symbols() -> [u8; 256] {
    let mut found = [0; 256];
    let mut length = 0;
    while length < found.len() {
        let mut symbol = LENGTHS.len() - 1;
        while LENGTHS[symbol].0 as usize > length + 3 {
            symbol -= 1;
        }
        found[length] = symbol as u8;
        length += 1;
    }
    found
}

/// The distance symbol of a distance less 1, and how many of that number's lowest bits follow.
#[inline]
fn distance_symbol(less_one: u32) -> (usize, u32) {
    if less_one < 4 {
        return (less_one as usize, 0);
    }
    let top = 31 - less_one.leading_zeros();
    ((2 * top + (less_one >> (top - 1) & 1)) as usize, top - 1)
}

/// What the next block holds.
#[derive(Debug)]
pub struct Tokens {
    /// A literal's byte, or [`IS_MATCH`] with length less 3 and distance less 1.
    all: Vec<u32>,
    /// How often each symbol occurs; both are larger than their alphabets so that every index fits.
    literals_and_lengths: [u32; 512],
    distances: [u32; 32],
}

impl Default for Tokens {
    fn default() -> Self {
        Self { all: Vec::with_capacity(BLOCK_TOKENS), literals_and_lengths: [0; 512], distances: [0; 32] }
    }
}

impl Tokens {
    /// Literals and matches so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// One byte.
    #[inline]
    pub fn literal(&mut self, byte: u8) {
        self.literals_and_lengths[usize::from(byte)] += 1;
        self.all.push(u32::from(byte));
    }

    /// `length` bytes (3 to 258) that also lie `distance` before (1 to 32,768).
    #[inline]
    pub fn matched(&mut self, length: usize, distance: usize) {
        let (length, distance) = ((length - 3) as u32 & 0xff, (distance - 1) as u32 & 0x7fff);
        self.literals_and_lengths[FIRST_LENGTH + usize::from(LENGTH_SYMBOLS[length as usize])] += 1;
        self.distances[distance_symbol(distance).0 % 32] += 1;
        self.all.push(IS_MATCH | length << DISTANCE_BITS | distance);
    }

    /// Write them as one block, and begin anew.
    pub fn write(&mut self, bits: &mut Bits, is_last: bool) {
        let mut counts = [0; 286];
        counts.copy_from_slice(&self.literals_and_lengths[..286]);
        counts[END_OF_BLOCK] = 1;
        let literals_and_lengths = Codes::of(&counts, LONGEST_CODE);
        let distances = Codes::of(&self.distances, LONGEST_CODE);
        bits.put(u64::from(is_last), 1);
        bits.put(0b10, 2);
        write_codes(&literals_and_lengths.lengths, &distances.lengths, bits);
        self.write_tokens(&literals_and_lengths, &distances, bits);
        bits.put(literals_and_lengths.bits[END_OF_BLOCK].into(), literals_and_lengths.lengths[END_OF_BLOCK].into());
        bits.flush();
        self.all.clear();
        self.literals_and_lengths.fill(0);
        self.distances.fill(0);
    }

    fn write_tokens(&self, literals_and_lengths: &Codes<286>, distances: &Codes<32>, bits: &mut Bits) {
        let lengths = whole_lengths(literals_and_lengths);
        let mut literals = [(0_u16, 0_u8); 256];
        for (literal, (code, length)) in
            literals.iter_mut().zip(literals_and_lengths.bits.iter().zip(literals_and_lengths.lengths))
        {
            *literal = (*code, length);
        }
        for &token in &self.all {
            if token & IS_MATCH == 0 {
                let (code, count) = literals[token as usize & 0xff];
                bits.put(code.into(), count.into());
                if bits.waiting() >= 48 {
                    bits.flush();
                }
                continue;
            }
            if bits.waiting() > ROOM_FOR_MATCH {
                bits.flush();
            }
            let (code, count) = lengths[(token >> DISTANCE_BITS) as usize & 0xff];
            bits.put(code.into(), count);
            let less_one = token & 0x7fff;
            let (symbol, extra) = distance_symbol(less_one);
            bits.put(distances.bits[symbol % 32].into(), distances.lengths[symbol % 32].into());
            bits.put(u64::from(less_one & ((1 << extra) - 1)), extra);
            if bits.waiting() >= 32 {
                bits.flush();
            }
        }
        bits.flush();
    }
}

/// For each length less 3 its code with the bits that follow, and how many these are.
fn whole_lengths(codes: &Codes<286>) -> [(u32, u32); 256] {
    let mut found = [(0, 0); 256];
    for (length, (whole, symbol)) in (3_u16..).zip(found.iter_mut().zip(LENGTH_SYMBOLS)) {
        let (shortest, extra) = LENGTHS[usize::from(symbol)];
        let place = FIRST_LENGTH + usize::from(symbol);
        let count = u32::from(codes.lengths[place]);
        *whole = (u32::from(codes.bits[place]) | u32::from(length - shortest) << count, count + extra);
    }
    found
}

/// Write the lengths of both codes, themselves coded.
fn write_codes(literals_and_lengths: &[u8; 286], distances: &[u8; 32], bits: &mut Bits) {
    let literal_count = used(literals_and_lengths).max(FIRST_LENGTH);
    let distance_count = used(distances).max(1);
    let runs = runs(&[&literals_and_lengths[..literal_count], &distances[..distance_count]].concat());
    let mut counts = [0; 19];
    for (symbol, _) in &runs {
        counts[usize::from(*symbol)] += 1;
    }
    let codes = Codes::of(&counts, 7);
    let ordered = ORDER.map(|symbol| codes.lengths[symbol]);
    let ordered = &ordered[..used(&ordered).max(4)];
    bits.put((literal_count - FIRST_LENGTH) as u64, 5);
    bits.put(distance_count as u64 - 1, 5);
    bits.put(ordered.len() as u64 - 4, 4);
    for length in ordered {
        bits.flush();
        bits.put(u64::from(*length), 3);
    }
    for (symbol, more) in runs {
        bits.flush();
        let place = usize::from(symbol);
        bits.put(codes.bits[place].into(), codes.lengths[place].into());
        let extra = [2, 3, 7].get(place.wrapping_sub(16)).copied().unwrap_or(0);
        bits.put(more.into(), extra);
    }
    bits.flush();
}

/// How many of the lengths there are up to the last that is not 0.
fn used(lengths: &[u8]) -> usize {
    lengths.iter().rposition(|&length| length > 0).map_or(0, |last| last + 1)
}

/// Lengths as the symbols that write them, each with the number that follows it: 16 repeats the one before 3 to 6
/// times, 17 is 3 to 10 zeros, 18 is 11 to 138.
fn runs(lengths: &[u8]) -> Vec<(u8, u8)> {
    let mut found = Vec::new();
    for run in lengths.chunk_by(|a, b| a == b) {
        let (length, mut left) = (run[0], run.len());
        if length > 0 {
            found.push((length, 0));
            left -= 1;
        }
        while left >= 3 {
            let (symbol, least, most) = match (length, left) {
                (0, 11..) => (18, 11, 138),
                (0, _) => (17, 3, 10),
                _ => (16, 3, 6),
            };
            let count = left.min(most);
            found.push((symbol, (count - least) as u8));
            left -= count;
        }
        found.extend(std::iter::repeat_n((length, 0), left));
    }
    found
}
