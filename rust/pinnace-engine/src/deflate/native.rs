//! ISA-L (igzip), assembly that is fast but not small, and libdeflate, the fastest that is smallest.

use isal::{Codec, CompressionLevel, compress_into};
use libdeflater::{CompressionLvl, Compressor};

use super::{Deflate, Level, Repeat, check_length};
use crate::error::EngineError;

/// Their names in `build_info` and the manifest.
pub const LIBRARY: &str = "isa-l (fast), pinnace (default), libdeflate (small)";

/// Of isal-sys, which names the ISA-L commit, and of libdeflate-sys, as Cargo.lock pins them; a test compares.
pub const VERSION: &str = "0.5.3+496255c, 1.26.1";

/// ISA-L's levels beyond 1 cost much and give little: see the decision.
pub(super) fn encoder(level: Level) -> Box<dyn Deflate> {
    if level == Level::Fast {
        return Box::new(Isal::default());
    }
    let compressor = Compressor::new(CompressionLvl::new(9).unwrap_or_default());
    Box::new(Libdeflate { compressor, scratch: Vec::new() })
}

/// Kept at its largest so far: zeroing a megabyte per member would cost as much as writing it.
fn room(scratch: &mut Vec<u8>, source: &[u8]) {
    // For stored blocks, the worst case: 5 bytes for each 64 KiB at the most, header and trailer.
    let room = source.len() + source.len() / 1024 + 1024;
    if scratch.len() < room {
        scratch.resize(room, 0);
    }
}

#[derive(Default)]
struct Isal {
    scratch: Vec<u8>,
}

impl Deflate for Isal {
    fn member(&mut self, source: &[u8], _repeats: &[Repeat]) -> Result<Vec<u8>, EngineError> {
        check_length(source)?;
        room(&mut self.scratch, source);
        let length = compress_into(source, &mut self.scratch, CompressionLevel::One, Codec::Gzip)
            .map_err(|error| EngineError::archive(format!("isa-l: {error}")))?;
        Ok(self.scratch[..length].to_vec())
    }
}

struct Libdeflate {
    compressor: Compressor,
    scratch: Vec<u8>,
}

impl Deflate for Libdeflate {
    fn member(&mut self, source: &[u8], _repeats: &[Repeat]) -> Result<Vec<u8>, EngineError> {
        room(&mut self.scratch, source);
        let length = self
            .compressor
            .gzip_compress(source, &mut self.scratch)
            .map_err(|error| EngineError::archive(format!("libdeflate: {error}")))?;
        Ok(self.scratch[..length].to_vec())
    }
}
