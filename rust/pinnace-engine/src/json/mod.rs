//! JSON as the engine needs it: where a value ends, what an item says of itself, and how Go would write it.

#[cfg(test)]
mod agreement;
mod boundary;
pub mod canonical;
mod lanes;
mod number;
mod parse;
mod strings;
mod tape;
pub mod text;

pub use boundary::Boundary;
pub(crate) use tape::ItemTexts;
pub use tape::{Fields, MetadataShape, Options, Tape};

/// How deep values may nest, as in Go's `encoding/json`.
pub const MAX_DEPTH: usize = 10_000;
