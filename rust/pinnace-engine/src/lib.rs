//! List responses in, archive bytes out: the pure engine below the Python binding.

pub mod error;
pub mod filter;
pub mod item;
pub mod json;
pub mod page;
pub mod tar;
