//! The envelope of a list, read as it arrives: `k8s\0`, `runtime.Unknown`, and in its `raw` the list with its items.

use super::wire::{Varint, Wire, WireType, overlong, tag_of};
use crate::error::{PageError, Reason};

/// With which each body begins (`protobuf.go` of apimachinery's serializers).
const MAGIC: [u8; 4] = *b"k8s\0";

/// Of what stands beside the list: its type, and how it is encoded.
const MAX_ENVELOPE_BYTES: u64 = 64 << 10;

/// What a list says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListMetadata {
    /// `continue`, if not empty.
    pub continue_token: Option<String>,
    /// `resourceVersion`, if not empty.
    pub resource_version: Option<String>,
    /// `remainingItemCount`.
    pub remaining_item_count: Option<u64>,
}

/// What was met.
#[derive(Debug, PartialEq, Eq)]
pub enum ListEvent<'a> {
    /// Of the list.
    Metadata(ListMetadata),
    /// The bytes of an item, and where they start in the body.
    Item(&'a [u8], u64),
}

/// A value that has a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    TypeMeta,
    Raw,
    ContentEncoding,
    ContentType,
    Metadata,
    Item,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// So many bytes of it were met.
    Magic(usize),
    Tag(Varint),
    Length(Role, Varint),
    /// So many bytes of it are to come.
    Value(Role, u64),
}

/// The envelope of one list, fed in chunks of any length; of it only a value that a chunk's end cut is held.
#[derive(Debug)]
pub struct ListReader {
    api_version: String,
    list_kind: String,
    max_item_bytes: usize,
    stage: Stage,
    /// Of the body, passed so far.
    offset: u64,
    /// Where the tag or value at hand starts.
    start: u64,
    /// Bytes of the list that are to come; None outside of it.
    list_bytes: Option<u64>,
    has_type: bool,
    has_list: bool,
    has_metadata: bool,
    carried: Vec<u8>,
    carried_was_given: bool,
}

impl ListReader {
    /// A reader of lists of `kind` in `api_version`.
    #[must_use]
    pub fn new(api_version: &str, kind: &str, max_item_bytes: usize) -> Self {
        Self {
            api_version: api_version.to_owned(),
            list_kind: format!("{kind}List"),
            max_item_bytes,
            stage: Stage::Magic(0),
            offset: 0,
            start: 0,
            list_bytes: None,
            has_type: false,
            has_list: false,
            has_metadata: false,
            carried: Vec::new(),
            carried_was_given: false,
        }
    }

    /// Go on at `at` of `chunk`, up to what is to be told; None at the end of the chunk.
    ///
    /// # Errors
    /// Where the body is no such list, with the offset in the body.
    pub fn next<'a>(&'a mut self, chunk: &'a [u8], at: &mut usize) -> Result<Option<ListEvent<'a>>, PageError> {
        if std::mem::take(&mut self.carried_was_given) {
            self.carried.clear();
        }
        loop {
            if let Stage::Value(role, length) = self.stage {
                let rest = chunk.get(*at..).unwrap_or_default();
                let wanted = length - self.carried.len() as u64;
                let taken = usize::try_from(wanted).map_or(rest.len(), |wanted| wanted.min(rest.len()));
                *at += taken;
                self.offset += taken as u64;
                if (taken as u64) < wanted {
                    self.carried.extend_from_slice(&rest[..taken]);
                    return Ok(None);
                }
                self.stage = Stage::Tag(Varint::default());
                let start = self.start;
                self.start = self.offset;
                if role == Role::Item {
                    let value = self.whole(&rest[..taken]);
                    return Ok(Some(ListEvent::Item(value, start)));
                }
                if let Some(metadata) = self.complete(role, &rest[..taken], start)? {
                    return Ok(Some(ListEvent::Metadata(metadata)));
                }
                continue;
            }
            let Some(&byte) = chunk.get(*at) else { return Ok(None) };
            *at += 1;
            self.step(byte)?;
            self.offset += 1;
        }
    }

    /// The body has ended.
    ///
    /// # Errors
    /// If it may not end here.
    pub fn finish(&self) -> Result<(), PageError> {
        let is_between = matches!(self.stage, Stage::Tag(_)) && self.start == self.offset && self.list_bytes.is_none();
        if is_between && self.has_list {
            return Ok(());
        }
        Err(PageError::new(Reason::Truncated, self.offset, "the body ends before the list does"))
    }

    /// The value that ends with `rest`.
    fn whole<'a>(&'a mut self, rest: &'a [u8]) -> &'a [u8] {
        if self.carried.is_empty() {
            return rest;
        }
        self.carried.extend_from_slice(rest);
        self.carried_was_given = true;
        &self.carried
    }

    /// Take one byte outside values.
    fn step(&mut self, byte: u8) -> Result<(), PageError> {
        match self.stage {
            Stage::Magic(met) => {
                if byte != MAGIC[met] {
                    return Err(PageError::new(Reason::NotAList, self.offset, "the body is not Kubernetes' protobuf"));
                }
                self.start = self.offset + 1;
                self.stage = if met + 1 == MAGIC.len() { Stage::Tag(Varint::default()) } else { Stage::Magic(met + 1) };
            }
            Stage::Tag(varint) => {
                self.stage = match self.push(varint, byte)? {
                    (_, Some(tag)) => Stage::Length(self.role(tag)?, Varint::default()),
                    (varint, None) => Stage::Tag(varint),
                }
            }
            Stage::Length(role, varint) => {
                self.stage = match self.push(varint, byte)? {
                    (_, Some(length)) => self.begin(role, length)?,
                    (varint, None) => Stage::Length(role, varint),
                }
            }
            Stage::Value(..) => {}
        }
        Ok(())
    }

    /// Take one byte of a varint, which in the list counts as one of its own.
    fn push(&mut self, mut varint: Varint, byte: u8) -> Result<(Varint, Option<u64>), PageError> {
        if let Some(left) = &mut self.list_bytes {
            *left = left.checked_sub(1).ok_or_else(|| beyond(self.offset))?;
        }
        let value = varint.push(byte).map_err(|()| PageError { offset: self.start, ..overlong(0) })?;
        Ok((varint, value))
    }

    fn role(&self, tag: u64) -> Result<Role, PageError> {
        let (number, wire_type) = tag_of(tag, 0).map_err(|error| error.shifted(self.start))?;
        let is_in_list = self.list_bytes.is_some();
        match (is_in_list, number, wire_type) {
            (false, 1, WireType::Length) => Ok(Role::TypeMeta),
            (false, 2, WireType::Length) if !self.has_type => {
                Err(PageError::new(Reason::NotAList, self.start, "the list comes before its type"))
            }
            (false, 2, WireType::Length) if self.has_list => {
                Err(PageError::new(Reason::NotAList, self.start, "the list comes twice"))
            }
            (false, 2, WireType::Length) => Ok(Role::Raw),
            (false, 3, WireType::Length) => Ok(Role::ContentEncoding),
            (false, 4, WireType::Length) => Ok(Role::ContentType),
            (true, 1, WireType::Length) if !self.has_metadata => Ok(Role::Metadata),
            (true, 2, WireType::Length) => Ok(Role::Item),
            _ => {
                let place = if is_in_list { "list" } else { "envelope" };
                let detail = format!("the {place} of {} has an unknown field {number}", self.list_kind);
                Err(PageError::new(Reason::UnknownField, self.start, detail))
            }
        }
    }

    /// A value of `length` bytes begins after the byte at hand.
    fn begin(&mut self, role: Role, length: u64) -> Result<Stage, PageError> {
        self.start = self.offset + 1;
        if role == Role::Raw {
            self.has_list = true;
            self.list_bytes = (length > 0).then_some(length);
            return Ok(Stage::Tag(Varint::default()));
        }
        if let Some(left) = &mut self.list_bytes {
            *left = left.checked_sub(length).ok_or_else(|| beyond(self.start))?;
        }
        let limit = match role {
            Role::Metadata | Role::Item => self.max_item_bytes as u64,
            _ => MAX_ENVELOPE_BYTES,
        };
        if length > limit {
            let detail = format!("one value of more than {limit} bytes");
            return Err(PageError::new(Reason::TooLarge, self.start, detail));
        }
        if self.list_bytes == Some(0) {
            self.list_bytes = None;
        }
        Ok(Stage::Value(role, length))
    }

    /// A value of another role than an item, which ends with `rest` and starts at `start` of the body.
    fn complete(&mut self, role: Role, rest: &[u8], start: u64) -> Result<Option<ListMetadata>, PageError> {
        let mut value = std::mem::take(&mut self.carried);
        value.extend_from_slice(rest);
        let found = match role {
            Role::TypeMeta => self.type_meta(&value).map(|()| None),
            Role::Metadata => {
                self.has_metadata = true;
                list_metadata(&value).map(Some)
            }
            Role::ContentEncoding if !value.is_empty() => Err(unknown_content("an unknown content encoding")),
            Role::ContentType if !value.is_empty() => Err(unknown_content("an unknown content type")),
            _ => Ok(None),
        };
        value.clear();
        self.carried = value;
        found.map_err(|error| error.shifted(start))
    }

    fn type_meta(&mut self, value: &[u8]) -> Result<(), PageError> {
        let (mut api_version, mut kind) = (&value[..0], &value[..0]);
        each_field(value, |number, place| match (number, place) {
            (1, Place::Bytes(bytes)) => {
                api_version = bytes;
                true
            }
            (2, Place::Bytes(bytes)) => {
                kind = bytes;
                true
            }
            _ => false,
        })?;
        self.has_type = true;
        if (api_version, kind) == (self.api_version.as_bytes(), self.list_kind.as_bytes()) {
            return Ok(());
        }
        let found = String::from_utf8_lossy(kind).into_owned();
        Err(PageError::new(
            Reason::NotAList,
            0,
            format!("{found:?} and not a {} of {}", self.list_kind, self.api_version),
        ))
    }
}

enum Place<'a> {
    Bytes(&'a [u8]),
    Number(u64),
}

/// Give each field of a message to `take`, which returns false for one that it does not know.
fn each_field<'a>(value: &'a [u8], mut take: impl FnMut(u32, Place<'a>) -> bool) -> Result<(), PageError> {
    let mut wire = Wire::new(value, 0, value.len());
    while !wire.is_done() {
        let at = wire.at;
        let (number, wire_type) = wire.tag()?;
        let place = match wire_type {
            WireType::Varint => Place::Number(wire.varint()?),
            WireType::Length => {
                let (from, to) = wire.length()?;
                Place::Bytes(&value[from..to])
            }
        };
        if !take(number, place) {
            let detail = format!("what describes the list has an unknown field {number}");
            return Err(PageError::new(Reason::UnknownField, at as u64, detail));
        }
    }
    Ok(())
}

/// `metav1.ListMeta`: 1 selfLink, 2 resourceVersion, 3 continue, 4 remainingItemCount.
fn list_metadata(value: &[u8]) -> Result<ListMetadata, PageError> {
    let mut metadata = ListMetadata::default();
    let given = |bytes: &[u8]| (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned());
    each_field(value, |number, place| {
        match (number, place) {
            (1, Place::Bytes(_)) => {}
            (2, Place::Bytes(bytes)) => metadata.resource_version = given(bytes),
            (3, Place::Bytes(bytes)) => metadata.continue_token = given(bytes),
            (4, Place::Number(count)) => metadata.remaining_item_count = u64::try_from(count.cast_signed()).ok(),
            _ => return false,
        }
        true
    })?;
    Ok(metadata)
}

fn beyond(offset: u64) -> PageError {
    PageError::new(Reason::Syntax, offset, "a length that goes beyond the list")
}

fn unknown_content(detail: &'static str) -> PageError {
    PageError::new(Reason::UnknownField, 0, detail)
}
