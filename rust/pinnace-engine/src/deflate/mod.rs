//! Gzip members by the libraries that the build chose: ISA-L and libdeflate with the feature `isal`, else zlib-rs.
//!
//! docs/decisions/0001-deflate-library.md has the measurements behind the libraries and levels.

#[cfg(feature = "isal")]
mod native;
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

/// Makes gzip members; one per thread, because it keeps its working memory.
pub trait Deflate: Send {
    /// `source` as one complete gzip member without name and time: the same bytes for the same source.
    ///
    /// # Errors
    /// Where the library refuses, which no input is known to cause.
    fn member(&mut self, source: &[u8]) -> Result<Vec<u8>, EngineError>;
}

/// The build's library at `level`.
#[must_use]
pub fn encoder(level: Level) -> Box<dyn Deflate> {
    #[cfg(feature = "isal")]
    return native::encoder(level);
    #[cfg(not(feature = "isal"))]
    Box::new(zlib_rs::ZlibRs::new(level))
}
