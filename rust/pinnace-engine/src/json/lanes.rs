//! Classifies 32 or 64 bytes at once: with AVX2 where the processor has it, else byte by byte.

/// Bytes looked at together inside strings.
pub const BLOCK: usize = 32;
/// Bytes looked at together when searching the end of a value.
pub const WIDE: usize = 64;

/// Bit masks of one wide block; bit *i* speaks of byte *i*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure {
    /// `"`
    pub quotes: u64,
    /// `\`
    pub backslashes: u64,
    /// `{` and `[`
    pub opens: u64,
    /// `}` and `]`
    pub closes: u64,
}

/// A way of classifying bytes. A value of an implementing type proves that its instructions are there.
pub trait Lanes: Copy {
    /// Bytes of a string that need a look: `"` `\` `<` `>` `&`, control bytes, and all that is not ASCII.
    fn specials(self, block: &[u8; BLOCK]) -> u32;
    /// The bytes that decide where a value ends.
    fn structure(self, block: &[u8; WIDE]) -> Structure;
    /// Bit *i* of the result is the parity of bits 0 to *i*.
    fn prefix_xor(self, bits: u64) -> u64;
}

/// Works everywhere.
#[derive(Debug, Clone, Copy)]
pub struct Scalar;

/// Whether a byte inside a string needs a look.
pub const fn is_special(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'"' | b'\\' | b'<' | b'>' | b'&' | 0x80..)
}

impl Lanes for Scalar {
    #[inline(always)]
    fn specials(self, block: &[u8; BLOCK]) -> u32 {
        block.iter().rev().fold(0, |mask, &byte| mask << 1 | u32::from(is_special(byte)))
    }

    #[inline(always)]
    fn structure(self, block: &[u8; WIDE]) -> Structure {
        let mask = |wanted: fn(u8) -> bool| block.iter().rev().fold(0, |mask, &b| mask << 1 | u64::from(wanted(b)));
        Structure {
            quotes: mask(|byte| byte == b'"'),
            backslashes: mask(|byte| byte == b'\\'),
            opens: mask(|byte| byte | 0x20 == b'{'),
            closes: mask(|byte| byte | 0x20 == b'}'),
        }
    }

    #[inline(always)]
    fn prefix_xor(self, bits: u64) -> u64 {
        [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, shift| bits ^ bits << shift)
    }
}

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_cmpeq_epi8,
        _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    };

    use super::{BLOCK, Lanes, Structure, WIDE};

    /// Proof that AVX2 and PCLMULQDQ are there: only `detect` makes one.
    #[derive(Debug, Clone, Copy)]
    pub struct Avx2(());

    impl Avx2 {
        /// The proof, if this processor can give it (std caches the answer).
        #[inline]
        pub fn detect() -> Option<Self> {
            let present = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("pclmulqdq")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            present.then_some(Self(()))
        }
    }

    impl Lanes for Avx2 {
        #[inline(always)]
        fn specials(self, block: &[u8; BLOCK]) -> u32 {
            // SAFETY: `self` proves AVX2; the unaligned load reads the 32 bytes of the array, no more.
            unsafe {
                let bytes = _mm256_loadu_si256(block.as_ptr().cast());
                // Signed: below 0x20 are the control bytes and, being negative, everything from 0x80 on.
                let outside = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes);
                let ampersand_or_quote = equals_with(bytes, 0x04, b'&');
                let angle = equals_with(bytes, 0x02, b'>');
                let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\'.cast_signed()));
                let any =
                    _mm256_or_si256(_mm256_or_si256(outside, backslash), _mm256_or_si256(ampersand_or_quote, angle));
                _mm256_movemask_epi8(any).cast_unsigned()
            }
        }

        #[inline(always)]
        fn structure(self, block: &[u8; WIDE]) -> Structure {
            // SAFETY: `self` proves AVX2; both unaligned loads lie within the 64 bytes of the array.
            unsafe {
                let low = _mm256_loadu_si256(block.as_ptr().cast());
                let high = _mm256_loadu_si256(block.as_ptr().add(BLOCK).cast());
                Structure {
                    quotes: mask(low, high, 0, b'"'),
                    backslashes: mask(low, high, 0, b'\\'),
                    opens: mask(low, high, 0x20, b'{'),
                    closes: mask(low, high, 0x20, b'}'),
                }
            }
        }

        #[inline(always)]
        fn prefix_xor(self, bits: u64) -> u64 {
            // SAFETY: `self` proves PCLMULQDQ (and SSE2 is part of x86-64). A carry-less product with all
            // ones is the prefix parity.
            unsafe {
                let product = _mm_clmulepi64_si128(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1), 0);
                _mm_cvtsi128_si64(product).cast_unsigned()
            }
        }
    }

    /// Lanes that equal `wanted` after setting the bits of `fold`.
    ///
    /// # Safety
    /// The caller has AVX2.
    #[inline(always)]
    unsafe fn equals_with(bytes: __m256i, fold: u8, wanted: u8) -> __m256i {
        // SAFETY: register-only instructions, present by this function's contract.
        unsafe {
            let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(fold.cast_signed()));
            _mm256_cmpeq_epi8(folded, _mm256_set1_epi8(wanted.cast_signed()))
        }
    }

    /// The mask of both halves for [`equals_with`].
    ///
    /// # Safety
    /// The caller has AVX2.
    #[inline(always)]
    unsafe fn mask(low: __m256i, high: __m256i, fold: u8, wanted: u8) -> u64 {
        // SAFETY: register-only instructions, present by this function's contract.
        unsafe {
            let low = _mm256_movemask_epi8(equals_with(low, fold, wanted)).cast_unsigned();
            let high = _mm256_movemask_epi8(equals_with(high, fold, wanted)).cast_unsigned();
            u64::from(low) | u64::from(high) << 32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn avx2_and_scalar_agree_on_every_byte_at_every_place() {
        let Some(fast) = Avx2::detect() else { return };
        for byte in 0..=255u8 {
            for place in 0..WIDE {
                let mut wide = [b'x'; WIDE];
                wide[place] = byte;
                assert_eq!(fast.structure(&wide), Scalar.structure(&wide), "byte {byte} at {place}");
                if let Ok(block) = <&[u8; BLOCK]>::try_from(&wide[..BLOCK]) {
                    assert_eq!(fast.specials(block), Scalar.specials(block), "byte {byte} at {place}");
                }
                let bits = u64::from(byte) << place;
                assert_eq!(fast.prefix_xor(bits), Scalar.prefix_xor(bits), "{bits:x}");
            }
        }
    }
}
