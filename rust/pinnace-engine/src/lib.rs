//! List responses in, archive bytes out: the pure engine below the Python binding.

pub mod archive;
pub mod deflate;
pub mod error;
pub mod filter;
pub mod item;
pub mod json;
pub mod member;
pub mod page;
pub mod tar;
