//! List responses in, archive bytes out: the pure engine below the Python binding.

pub mod adoption;
pub mod archive;
pub mod deflate;
pub mod draft;
pub mod error;
pub mod filter;
pub mod folder;
pub mod held;
pub mod index;
pub mod item;
pub mod json;
pub mod member;
pub mod pack;
pub mod page;
pub mod protobuf;
pub mod resource_list;
pub mod tar;
