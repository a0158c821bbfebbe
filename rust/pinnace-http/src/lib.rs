//! Responses of the API server over TLS, read in large pieces by one call each.
//!
//! An API server writes a list in chunks of about 4 kB, each in a TLS record of its own. Python's `ssl` gives one record at
//! a time, to code that holds the interpreter's lock in between: 220,000 times for 300,000 objects, in several threads.
//! Here a call decrypts what fills a large piece, and undoes the chunks on the way.
//! docs/decisions/0019-bodies-are-read-by-the-extension.md has the figures.

pub mod chunked;
pub mod connection;
pub mod error;
pub mod trust;
