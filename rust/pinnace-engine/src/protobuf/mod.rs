//! Lists of built-in kinds as protobuf, turned into the JSON that the API server would have sent.
//!
//! A table for one minor version of Kubernetes says what each field is. What it does not say (a field that it does not
//! have, another wire type, another encoding) is an error and never a guess: such a kind is to be listed as JSON.

mod codecs;
mod item;
mod list;
mod table;
mod wire;

pub use item::Decoder;
pub use list::{ListEvent, ListMetadata, ListReader};
pub use table::{Table, TableError};
