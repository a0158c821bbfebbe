//! Gzip members: the default level by our own encoder, the others by the libraries that the build chose, ISA-L and
//! libdeflate with the feature `isal`, else zlib-rs.
//!
//! docs/decisions/0001-deflate-library.md has the measurements behind the libraries and levels.

#[cfg(feature = "isal")]
mod native;
pub mod own;
pub mod zlib_rs;

use crate::error::EngineError;

#[cfg(feature = "isal")]
pub use native::{LIBRARY, VERSION};
#[cfg(not(feature = "isal"))]
pub use zlib_rs::{LIBRARY, VERSION};

/// How much time a smaller archive is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The least time.
    Fast,
    /// At most a tenth larger than `gzip -6`.
    Default,
    /// About as small as `gzip -6`.
    Small,
}

impl Level {
    /// The level called `word`.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "fast" => Some(Self::Fast),
            "default" => Some(Self::Default),
            "small" => Some(Self::Small),
            _ => None,
        }
    }
}

/// Gzip, deflate, no flags, no time, no extra flags, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A stretch of a source that is the same as what lies `distance` before it, and that follows what went before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// Where it begins.
    pub start: usize,
    /// Bytes of it.
    pub length: usize,
    /// At most [`Repeat::FARTHEST`], and not more than `start`.
    pub distance: usize,
}

impl Repeat {
    /// How far back deflate can point.
    pub const FARTHEST: usize = 1 << 15;

    /// Whether it is as it says.
    #[must_use]
    pub fn is_true(&self, source: &[u8]) -> bool {
        let Some(first) = self.start.checked_sub(self.distance) else { return false };
        let at = |start: usize| source.get(start..start + self.length);
        (1..=Self::FARTHEST).contains(&self.distance) && at(self.start).is_some() && at(first) == at(self.start)
    }
}

/// Makes gzip members; one per thread, because it keeps its working memory.
pub trait Deflate: Send {
    /// `source` as one complete gzip member without name and time: the same bytes for the same source.
    ///
    /// `repeats` are known to be in it, in order, none over another; what is not told is found.
    ///
    /// # Errors
    /// Where the library refuses, which no input is known to cause.
    fn member(&mut self, source: &[u8], repeats: &[Repeat]) -> Result<Vec<u8>, EngineError>;
}

/// Refuse a source whose length and places do not fit into 32 bits.
fn check_length(source: &[u8]) -> Result<(), EngineError> {
    let fits = u32::try_from(source.len()).is_ok();
    if fits { Ok(()) } else { Err(EngineError::archive("a gzip member of 4 GiB or more")) }
}

/// What a gzip member ends with: the checksum of its contents, and their length modulo 4 GiB.
fn gzip_trailer(source: &[u8]) -> [u32; 2] {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(source);
    [checksum.finalize(), source.len() as u32]
}

/// The build's encoder of `level`.
#[must_use]
pub fn encoder(level: Level) -> Box<dyn Deflate> {
    if level == Level::Default {
        return Box::new(own::Own::default());
    }
    #[cfg(feature = "isal")]
    return native::encoder(level);
    #[cfg(not(feature = "isal"))]
    Box::new(zlib_rs::ZlibRs::new(level))
}
