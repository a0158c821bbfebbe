//! Where bytes have been before: chains of earlier places whose next bytes have the same hash.
//!
//! A place of an item's first copy is entered as where the second copy will have it. That is nearer to what comes later,
//! so that items remain in reach for longer (those of 16 KiB or more only so), at no cost: the second copy is not
//! looked at.

use std::ops::Range;

/// The shortest match that is looked for; shorter ones save next to nothing in JSON.
pub const MIN_MATCH: usize = 4;

/// The longest that deflate can write.
pub const MAX_MATCH: usize = 258;

/// At the last bytes of the source nothing is looked for: eight are read at once.
pub const TAIL_BYTES: usize = 8;

/// How far back deflate can point.
pub const WINDOW: usize = 1 << 15;

/// Six bytes are hashed: with fewer, chains are full of places that match no further. What shorter matches would save
/// is less than the time that it takes to find them.
const HASHED_BYTES: u32 = 6;
const HASH_BITS: u32 = 16;

/// How many earlier places are tried: with 6 the golden tar takes 2 % more, with 24 the time is a third longer.
const DEPTH: usize = 8;

/// And how many if none of them had a match of [`LONGISH`] bytes: where there is no long one, more do not find one.
const FEW: usize = 5;
const LONGISH: usize = 16;

/// A match this long is taken without looking for a longer one.
const NICE: usize = 128;

/// Places are kept as their number plus one, so that 0 is none.
type Place = u32;

/// Places of this many bytes have chains: those in reach, and of second copies to come those that lie ahead as far.
const RING: usize = 2 * WINDOW;

/// The places of one source.
pub struct Finder {
    newest: Box<[Place; 1 << HASH_BITS]>,
    /// Of the place at hand the one before it with the same hash. Never emptied: only places that were entered for
    /// this source are reached from `newest`.
    before: Box<[Place; RING]>,
    copied: Range<usize>,
    ahead: usize,
}

impl std::fmt::Debug for Finder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Finder")
    }
}

impl Default for Finder {
    fn default() -> Self {
        Self { newest: Box::new([0; 1 << HASH_BITS]), before: Box::new([0; RING]), copied: 0..0, ahead: 0 }
    }
}

impl Finder {
    /// Begin with another source.
    pub fn forget(&mut self) {
        self.newest.fill(0);
        self.expect_copy(0..0, 0);
    }

    /// What comes up to the second copy of `copied`, which lies `ahead` of it and is never looked at. Until then places
    /// from there on stand for those of `copied`; afterwards they are behind, for what they are.
    pub fn expect_copy(&mut self, copied: Range<usize>, ahead: usize) {
        (self.copied, self.ahead) = (copied, ahead);
    }

    /// The longest match at `at` that ends at `end` or before, as length and distance, and enter the place; a length
    /// below [`MIN_MATCH`] is none. The source must have [`TAIL_BYTES`] from `at` on, and less than 4 GiB.
    #[inline]
    pub fn find(&mut self, source: &[u8], at: usize, end: usize) -> (usize, usize) {
        let ahead = if self.copied.contains(&at) { self.ahead } else { 0 };
        let mut earlier = self.enter_one(eight(source, at), at + ahead);
        let longest = (end - at).min(MAX_MATCH);
        let nice = NICE.min(longest);
        let (mut length, mut distance) = (MIN_MATCH - 1, 0);
        let (number, ahead) = (at as Place, self.ahead as Place);
        let oldest = (number + 1).saturating_sub(WINDOW as Place);
        // A longer match has these bytes at the end of the one that is known, which few other places have.
        let mut beyond = four(source, at + length + 1 - 4);
        for tried in 0..DEPTH {
            if earlier <= oldest || (tried >= FEW && length < LONGISH) {
                break;
            }
            let entered = earlier - 1;
            let place = if entered >= number { entered.wrapping_sub(ahead) } else { entered } as usize;
            if four(source, place + length + 1 - 4) == beyond {
                let common = common_length(source, place, at, longest);
                if common > length {
                    (length, distance) = (common, at - place);
                    if length >= nice {
                        break;
                    }
                    beyond = four(source, at + length + 1 - 4);
                }
            }
            earlier = self.before[entered as usize % RING];
        }
        (length, distance)
    }

    /// Enter `places`, each of which has [`TAIL_BYTES`].
    #[inline]
    pub fn enter(&mut self, source: &[u8], places: Range<usize>) {
        // A match that begins before `copied` may end in it: then only that the places are nearer is lost.
        let is_copied = self.copied.contains(&places.start);
        let border = if is_copied { places.end.min(self.copied.end) } else { places.start };
        self.enter_all(source, places.start..border, self.ahead);
        self.enter_all(source, border..places.end, 0);
    }

    #[inline]
    fn enter_all(&mut self, source: &[u8], places: Range<usize>, ahead: usize) {
        if places.is_empty() {
            return;
        }
        let bytes = source.get(places.start..places.end + TAIL_BYTES - 1).unwrap_or_default();
        for (place, window) in (places.start + ahead..).zip(bytes.windows(TAIL_BYTES)) {
            self.enter_one(eight(window, 0), place);
        }
    }

    /// Enter `place`, where `bytes` are; gives the place before it.
    #[inline]
    fn enter_one(&mut self, bytes: u64, place: usize) -> Place {
        let newest = &mut self.newest[hash(bytes)];
        let before = std::mem::replace(newest, (place + 1) as Place);
        self.before[place % RING] = before;
        before
    }
}

#[inline]
fn hash(bytes: u64) -> usize {
    let hashed = bytes << (64 - 8 * HASHED_BYTES);
    (hashed.wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - HASH_BITS)) as usize
}

#[inline]
fn four(source: &[u8], at: usize) -> u32 {
    source.get(at..at + 4).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[inline]
fn eight(source: &[u8], at: usize) -> u64 {
    source.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// How many bytes from `a` and from `b` on are the same, at most `longest`; both have so many.
#[inline]
fn common_length(source: &[u8], a: usize, b: usize, longest: usize) -> usize {
    let (a, a_rest) = source[a..a + longest].as_chunks::<8>();
    let (b, b_rest) = source[b..b + longest].as_chunks::<8>();
    let mut length = 0;
    for (a, b) in a.iter().zip(b) {
        let difference = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if difference != 0 {
            return length + (difference.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + a_rest.iter().zip(b_rest).take_while(|(a, b)| a == b).count()
}
