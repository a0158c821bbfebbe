//! ISA-L (igzip): assembly for the machine at hand; needs nasm and autotools to build.

use isal::{Codec, CompressionLevel, compress_into};

use super::{Deflate, Level, zlib_rs};
use crate::error::EngineError;

/// Its name in `build_info` and the manifest.
pub const LIBRARY: &str = "isa-l";

/// The version that Cargo.lock pins with its ISA-L commit; a test compares.
pub const VERSION: &str = "0.5.3+496255c";

/// ISA-L up to level 3; `small` is beyond what it can do.
pub(super) fn encoder(level: Level) -> Box<dyn Deflate> {
    let level = match level {
        Level::Fast => CompressionLevel::One,
        Level::Default => CompressionLevel::Three,
        Level::Small => return Box::new(zlib_rs::ZlibRs::new(level)),
    };
    Box::new(Isal { level, scratch: Vec::new() })
}

struct Isal {
    level: CompressionLevel,
    /// Kept at its largest so far: zeroing a megabyte per member would cost as much as writing it.
    scratch: Vec<u8>,
}

impl Deflate for Isal {
    fn member(&mut self, source: &[u8]) -> Result<Vec<u8>, EngineError> {
        if u32::try_from(source.len()).is_err() {
            return Err(EngineError::archive("a gzip member of 4 GiB or more"));
        }
        // Room for stored blocks, the worst case: 5 bytes for each 64 KiB, header and trailer.
        let room = source.len() + source.len() / 1024 + 1024;
        if self.scratch.len() < room {
            self.scratch.resize(room, 0);
        }
        let length = compress_into(source, &mut self.scratch, self.level, Codec::Gzip)
            .map_err(|error| EngineError::archive(format!("isa-l: {error}")))?;
        Ok(self.scratch[..length].to_vec())
    }
}
