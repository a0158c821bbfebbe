//! Huffman codes as deflate wants them: canonical, of limited length, with their bits reversed.

/// What each symbol is written as.
#[derive(Debug, Clone)]
pub struct Codes<const N: usize> {
    /// Bits of each symbol's code; 0 where it is not used.
    pub lengths: [u8; N],
    /// The code, its first bit the lowest.
    pub bits: [u16; N],
}

/// No code of deflate is longer.
const LONGEST: usize = 15;

impl<const N: usize> Codes<N> {
    /// The best codes of at most `limit` bits for symbols that occur so often.
    ///
    /// At least two symbols have codes, since not every reader takes a code of one.
    pub fn of(counts: &[u32; N], limit: usize) -> Self {
        let mut used: Vec<(u32, usize)> =
            counts.iter().zip(0..).filter(|(count, _)| **count > 0).map(|(count, symbol)| (*count, symbol)).collect();
        for symbol in 0..N {
            if used.len() < 2 && used.iter().all(|(_, other)| *other != symbol) {
                used.push((0, symbol));
            }
        }
        used.sort_unstable();
        let mut lengths = [0; N];
        let mut rarest = used.iter();
        let of_length = limited(&of_each_length(&used), limit);
        for length in (1..=limit).rev() {
            for (_, symbol) in rarest.by_ref().take(of_length[length]) {
                lengths[*symbol] = length as u8;
            }
        }
        Self { bits: canonical(&lengths), lengths }
    }
}

/// How many of the symbols, rarest first, have codes of each length in the tree with the fewest bits.
fn of_each_length(used: &[(u32, usize)]) -> Vec<usize> {
    let leaves = used.len();
    let nodes = 2 * leaves - 1;
    // Leaves first, then inner nodes in the order in which they are made, which is also that of their weights.
    let mut weights: Vec<u64> = used.iter().map(|(count, _)| u64::from(*count)).collect();
    let mut parents = vec![0; nodes];
    let (mut leaf, mut inner) = (0, leaves);
    for node in leaves..nodes {
        let mut weight = 0;
        for _ in 0..2 {
            let is_leaf = leaf < leaves && (inner == node || weights[leaf] <= weights[inner]);
            let lightest = if is_leaf { &mut leaf } else { &mut inner };
            parents[*lightest] = node;
            weight += weights[*lightest];
            *lightest += 1;
        }
        weights.push(weight);
    }
    let mut depths = vec![0; nodes];
    let mut found = vec![0; leaves + 1];
    for node in (0..nodes - 1).rev() {
        depths[node] = depths[parents[node]] + 1;
        if node < leaves {
            found[depths[node]] += 1;
        }
    }
    found
}

/// The same number of symbols, none of which is deeper than `limit`, in a tree that is still full.
fn limited(of_length: &[usize], limit: usize) -> [usize; LONGEST + 1] {
    let mut found = [0; LONGEST + 1];
    for (length, count) in of_length.iter().enumerate() {
        found[length.min(limit)] += count;
    }
    let room = 1 << limit;
    let mut taken: usize = (1..=limit).map(|length| found[length] << (limit - length)).sum();
    while taken > room {
        // A leaf of the lowest level moves up beside another, which goes one level down for it.
        let Some(length) = (1..limit).rev().find(|&length| found[length] > 0) else { break };
        found[limit] -= 1;
        found[length] -= 1;
        found[length + 1] += 2;
        taken -= 1;
    }
    found
}

fn canonical<const N: usize>(lengths: &[u8; N]) -> [u16; N] {
    let mut next = [0_u16; LONGEST + 2];
    for &length in lengths.iter().filter(|length| **length > 0) {
        next[usize::from(length) + 1] += 1;
    }
    for length in 1..=LONGEST {
        next[length] = (next[length] + next[length - 1]) << 1;
    }
    let mut bits = [0; N];
    for (bits, &length) in bits.iter_mut().zip(lengths).filter(|(_, length)| **length > 0) {
        *bits = next[usize::from(length)].reverse_bits() >> (16 - u32::from(length));
        next[usize::from(length)] += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::Codes;

    /// A full tree has no code to spare and none too many.
    fn is_full<const N: usize>(codes: &Codes<N>) -> bool {
        codes.lengths.iter().filter(|length| **length > 0).map(|length| 1 << (15 - length)).sum::<usize>() == 1 << 15
    }

    #[test]
    fn the_example_of_rfc_1951() {
        // Section 3.2.2: lengths 3, 3, 3, 3, 3, 2, 4, 4.
        let codes = Codes::of(&[10, 10, 10, 10, 10, 21, 5, 5], 15);
        assert_eq!(codes.lengths, [3, 3, 3, 3, 3, 2, 4, 4]);
        let written: Vec<u16> =
            codes.bits.iter().zip(codes.lengths).map(|(bits, length)| bits.reverse_bits() >> (16 - length)).collect();
        assert_eq!(written, [0b010, 0b011, 0b100, 0b101, 0b110, 0b00, 0b1110, 0b1111]);
    }

    #[test]
    fn lengths_are_limited_and_the_tree_stays_full() {
        let mut counts = [1_u32; 40];
        for place in 2..40 {
            counts[place] = counts[place - 1] + counts[place - 2];
        }
        for limit in [6, 7, 15] {
            let codes = Codes::of(&counts, limit);
            assert!(codes.lengths.iter().all(|length| (1..=limit as u8).contains(length)), "{codes:?}");
            assert!(is_full(&codes));
        }
    }

    #[test]
    fn there_are_always_two_codes() {
        for counts in [[0; 5], [0, 0, 7, 0, 0]] {
            let codes = Codes::of(&counts, 15);
            assert!(is_full(&codes), "{codes:?}");
        }
    }
}
