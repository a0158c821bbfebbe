//! One item: what it says of itself, whether its name may become a path, and its canonical bytes.

use std::ops::Range;

use crate::error::{EngineError, PageError};
use crate::filter::SeenItems;
use crate::held::Hold;
use crate::json::{ItemTexts, MetadataShape, Options, Tape, canonical};

/// What filters, paths and the index need of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemFields<'a> {
    /// Its own, or that of its list.
    pub api_version: &'a str,
    /// Its own, or that of its list.
    pub kind: &'a str,
    /// Empty for cluster-scoped items.
    pub namespace: &'a str,
    /// `metadata.name`.
    pub name: &'a str,
    /// `metadata.uid`; empty where there is none.
    pub uid: &'a str,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// The exclude label is `"true"`.
    pub excluded_by_label: bool,
}

/// Where items go.
pub trait ItemSink {
    /// The buffer to whose end the canonical JSON of `item` is appended; what is there stays.
    ///
    /// # Errors
    /// Where the sink can't take the item.
    fn buffer(&mut self, item: &ItemFields<'_>) -> Result<&mut Vec<u8>, EngineError>;

    /// The item's bytes are at `written` of that buffer.
    ///
    /// # Errors
    /// Where the sink can't take the item.
    fn commit(&mut self, item: &ItemFields<'_>, written: Range<usize>) -> Result<(), EngineError>;

    /// The items that deduplicating pages wrote.
    fn seen(&mut self) -> &mut SeenItems;
}

/// Why an item of a well-formed page can't be archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// `no_metadata`, `no_name` or `unsafe_name`.
    pub reason: &'static str,
    /// The same as a sentence.
    pub detail: &'static str,
}

/// Parses items one after the other, reusing its memory.
#[derive(Debug, Default)]
pub struct ItemReader {
    tape: Tape,
}

/// One item, borrowed from its bytes.
pub struct Item<'a>(Form<'a>);

/// What an item was read from.
enum Form<'a> {
    /// JSON that was parsed; `api_version` and `kind` are for an item without its own.
    Parsed { tape: &'a Tape, source: &'a [u8], texts: ItemTexts<'a>, api_version: &'a str, kind: &'a str },
    /// Something else, of which canonical JSON was made already.
    Canonical { json: &'a [u8], fields: ItemFields<'a> },
}

impl ItemReader {
    /// Parse `source`, which is one JSON object; `api_version` and `kind` are those of its list.
    ///
    /// # Errors
    /// A [`PageError`] whose offset counts from the start of `source`.
    pub fn read<'a>(
        &'a mut self,
        source: &'a [u8],
        api_version: &'a str,
        kind: &'a str,
    ) -> Result<Item<'a>, PageError> {
        let options = Options { type_meta: Some((api_version, kind)), keep_members: false };
        self.tape.parse_all(source, options)?;
        let texts = self.tape.fields().texts(source);
        Ok(Item(Form::Parsed { tape: &self.tape, source, texts, api_version, kind }))
    }
}

impl<'a> Item<'a> {
    /// An item whose canonical JSON, with `apiVersion` and `kind`, is `json`, and that has metadata.
    pub(crate) fn canonical(json: &'a [u8], fields: ItemFields<'a>) -> Self {
        Self(Form::Canonical { json, fields })
    }

    /// What it says of itself.
    #[must_use]
    pub fn fields(&self) -> ItemFields<'_> {
        let (tape, texts, api_version, kind) = match &self.0 {
            Form::Parsed { tape, texts, api_version, kind, .. } => (tape, texts, *api_version, *kind),
            Form::Canonical { fields, .. } => return *fields,
        };
        let own = |text: &'_ Option<std::borrow::Cow<'_, str>>| text.as_deref().is_some_and(|text| !text.is_empty());
        ItemFields {
            api_version: if own(&texts.api_version) {
                texts.api_version.as_deref().unwrap_or_default()
            } else {
                api_version
            },
            kind: if own(&texts.kind) { texts.kind.as_deref().unwrap_or_default() } else { kind },
            namespace: texts.namespace.as_deref().unwrap_or_default(),
            name: texts.name.as_deref().unwrap_or_default(),
            uid: texts.uid.as_deref().unwrap_or_default(),
            deleting: tape.fields().deleting(),
            excluded_by_label: tape.fields().excluded_by_label(),
        }
    }

    fn metadata(&self) -> MetadataShape {
        match &self.0 {
            Form::Parsed { tape, .. } => tape.fields().metadata(),
            Form::Canonical { .. } => MetadataShape::Object,
        }
    }

    /// Its JSON, as it was given or canonical already.
    pub(crate) fn source(&self) -> &'a [u8] {
        match &self.0 {
            Form::Parsed { source, .. } => source,
            Form::Canonical { json, .. } => json,
        }
    }

    /// Why it can't be archived, if it can't.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        let (reason, detail) = match self.metadata() {
            MetadataShape::Missing => ("no_metadata", "the item has no metadata"),
            MetadataShape::Other => ("no_metadata", "the item's metadata is not an object"),
            MetadataShape::Object => {
                let fields = self.fields();
                if fields.name.is_empty() {
                    ("no_name", "the item has no name")
                } else if !is_path_segment(fields.name) {
                    ("unsafe_name", "the item's name would not stay within its folder")
                } else if !fields.namespace.is_empty() && !is_path_segment(fields.namespace) {
                    ("unsafe_name", "the item's namespace would not stay within its folder")
                } else {
                    return None;
                }
            }
        };
        Some(Refusal { reason, detail })
    }

    /// Whether `hold` names it.
    #[must_use]
    pub fn is_held_by(&self, hold: &Hold) -> bool {
        // What is written canonically spells plain characters plainly.
        let has_veiled_keys = matches!(&self.0, Form::Parsed { tape, .. } if tape.has_veiled_keys());
        hold.holds(&self.fields(), self.source(), has_veiled_keys)
    }

    /// Append its canonical JSON to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Form::Parsed { tape, source, .. } => canonical::write_tape(tape, source, out),
            Form::Canonical { json, .. } => out.extend_from_slice(json),
        }
    }
}

/// Whether `text` can be one segment of a path in the archive.
fn is_path_segment(text: &str) -> bool {
    !matches!(text, "." | "..") && !text.bytes().any(|byte| matches!(byte, b'/' | 0))
}
