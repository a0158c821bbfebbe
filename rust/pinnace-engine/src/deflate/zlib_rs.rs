//! zlib-rs: pure Rust, so that pinnace builds without a C toolchain, nasm or autotools.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::{Deflate, Level};
use crate::error::EngineError;

/// Its name in `build_info` and the manifest.
pub const LIBRARY: &str = "zlib-rs";

/// The version that Cargo.lock pins; a test compares.
pub const VERSION: &str = "0.6.8";

/// Gzip, deflate, no flags, no time, no extra flags, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// One encoder.
#[derive(Debug)]
pub struct ZlibRs {
    state: Compress,
    scratch: Vec<u8>,
}

impl ZlibRs {
    /// zlib-rs compresses less at a number than gzip does: in members its 6 is 12 to 15 % larger than `gzip -6`,
    /// its 7 is 2 to 4 %.
    #[must_use]
    pub fn new(level: Level) -> Self {
        let number = match level {
            Level::Fast => 1,
            Level::Default => 7,
            Level::Small => 8,
        };
        Self { state: Compress::new(Compression::new(number), false), scratch: Vec::new() }
    }
}

impl Deflate for ZlibRs {
    fn member(&mut self, source: &[u8]) -> Result<Vec<u8>, EngineError> {
        self.state.reset();
        self.scratch.clear();
        self.scratch.extend_from_slice(&HEADER);
        // Room for stored blocks, the worst case: 5 bytes for each 16 KiB at the least.
        self.scratch.reserve(source.len() + source.len() / 1024 + 1024);
        let status = self.state.compress_vec(source, &mut self.scratch, FlushCompress::Finish);
        if !matches!(status, Ok(Status::StreamEnd)) {
            return Err(EngineError::archive(format!("zlib-rs ended a member with {status:?}")));
        }
        let mut crc = Crc::new();
        crc.update(source);
        self.scratch.extend_from_slice(&crc.sum().to_le_bytes());
        self.scratch.extend_from_slice(&(source.len() as u32).to_le_bytes());
        Ok(self.scratch.as_slice().to_vec())
    }
}
