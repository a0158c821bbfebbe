//! Bits appended to bytes, the lowest first, as deflate packs them.

/// The most bits that may wait before more are put: a whole match (48 bits) then still fits.
pub const ROOM_FOR_MATCH: u32 = 15;

/// Bytes that get ready, and the bits that do not fill one yet.
#[derive(Debug, Default)]
pub struct Bits {
    /// Kept at its largest so far; beyond `at` it holds what earlier members left.
    out: Vec<u8>,
    at: usize,
    waiting: u64,
    count: u32,
}

impl Bits {
    /// Begin anew, with these bytes.
    pub fn begin(&mut self, header: &[u8]) {
        (self.at, self.waiting, self.count) = (0, 0, 0);
        self.bytes(header);
    }

    /// Append the lowest `count` bits of `value`, in which no others are set; at most 64 may wait.
    #[inline]
    pub fn put(&mut self, value: u64, count: u32) {
        self.waiting |= value << self.count;
        self.count += count;
    }

    /// Bits that wait.
    #[inline]
    pub fn waiting(&self) -> u32 {
        self.count
    }

    /// Pass on whole bytes, so that fewer than 8 bits wait.
    #[inline]
    pub fn flush(&mut self) {
        let bytes = self.waiting.to_le_bytes();
        if self.out.len() < self.at + bytes.len() {
            self.grow();
        }
        self.out[self.at..self.at + bytes.len()].copy_from_slice(&bytes);
        // At most 63 bits wait, so that less than the whole is shifted out.
        self.at += (self.count / 8) as usize;
        self.waiting >>= self.count / 8 * 8;
        self.count %= 8;
    }

    /// Fill the last byte, append `trailer`, and give all.
    pub fn end(&mut self, trailer: &[u32]) -> Vec<u8> {
        self.flush();
        self.at += usize::from(self.count > 0);
        (self.waiting, self.count) = (0, 0);
        for number in trailer {
            self.bytes(&number.to_le_bytes());
        }
        self.out[..self.at].to_vec()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.put(u64::from(byte), 8);
            self.flush();
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.out.resize((2 * self.out.len()).max(1 << 16), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn bits_fill_bytes_from_the_lowest() {
        let mut bits = Bits::default();
        bits.begin(&[7]);
        bits.put(0b1, 1);
        bits.put(0b01, 2);
        bits.put(0b1111_0000, 8);
        assert_eq!(bits.end(&[0x0403_0201]), [7, 0b1000_0011, 0b111, 1, 2, 3, 4]);
    }

    #[test]
    fn more_than_was_there_before_fits() {
        let mut bits = Bits::default();
        bits.begin(&[]);
        for number in 0..200_000_u64 {
            bits.put(number & 0xff, 8);
            bits.flush();
        }
        let all = bits.end(&[]);
        assert!(all.iter().enumerate().all(|(place, &byte)| byte == place as u8));
        assert_eq!(all.len(), 200_000);
    }
}
