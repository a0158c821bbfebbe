//! zlib-rs: pure Rust, so that pinnace builds without a C toolchain, nasm or autotools.

use flate2::{Compress, Compression, FlushCompress, Status};

use super::{Deflate, GZIP_HEADER, Level, Repeat, gzip_trailer};
use crate::error::EngineError;

/// Its name in `build_info` and the manifest.
pub const LIBRARY: &str = "zlib-rs (fast, small), pinnace (default)";

/// The version that Cargo.lock pins; a test compares.
pub const VERSION: &str = "0.6.8";

/// One encoder.
#[derive(Debug)]
pub struct ZlibRs {
    state: Compress,
    scratch: Vec<u8>,
}

impl ZlibRs {
    /// zlib-rs compresses less at a number than gzip does: in members its 8 is 2 to 3 % larger than `gzip -6`.
    #[must_use]
    pub fn new(level: Level) -> Self {
        let number = if level == Level::Fast { 1 } else { 8 };
        Self { state: Compress::new(Compression::new(number), false), scratch: Vec::new() }
    }
}

impl Deflate for ZlibRs {
    fn member(&mut self, source: &[u8], _repeats: &[Repeat]) -> Result<Vec<u8>, EngineError> {
        self.state.reset();
        self.scratch.clear();
        self.scratch.extend_from_slice(&GZIP_HEADER);
        // Room for stored blocks, the worst case: 5 bytes for each 16 KiB at the least.
        self.scratch.reserve(source.len() + source.len() / 1024 + 1024);
        let status = self.state.compress_vec(source, &mut self.scratch, FlushCompress::Finish);
        if !matches!(status, Ok(Status::StreamEnd)) {
            return Err(EngineError::archive(format!("zlib-rs ended a member with {status:?}")));
        }
        for number in gzip_trailer(source) {
            self.scratch.extend_from_slice(&number.to_le_bytes());
        }
        Ok(self.scratch.as_slice().to_vec())
    }
}
