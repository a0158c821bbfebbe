//! One item: protobuf in, canonical JSON out, by what the table says of its kind.

use std::str::Utf8Error;
use std::sync::Arc;

use super::codecs;
use super::table::{Codec, Field, Kind, Member, Message, MessageId, MetadataSlots, Shape, Table};
use super::wire::{Wire, WireType};
use crate::error::{PageError, Reason};
use crate::filter::EXCLUDE_LABEL;
use crate::item::{Item, ItemFields};
use crate::json::{Options, Tape, canonical, text};

/// Larger items are refused, so that offsets fit `u32`.
const MAX_SOURCE_BYTES: usize = 1 << 30;

/// Where the value of a field is, of a list or map all of its entries with their tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    start: u32,
    end: u32,
}

impl Slot {
    /// Of a field that is not there.
    const ABSENT: Self = Self { start: u32::MAX, end: u32::MAX };

    fn of((start, end): (usize, usize)) -> Self {
        // `Decoder::read` refuses sources whose offsets would not fit.
        let offset = |place| u32::try_from(place).unwrap_or(u32::MAX);
        Self { start: offset(start), end: offset(end) }
    }

    /// Where its bytes are; nowhere if it is absent.
    fn range(self) -> (usize, usize) {
        if self == Self::ABSENT { (0, 0) } else { (self.start as usize, self.end as usize) }
    }

    fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// An entry of a map.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Slot,
    value: Slot,
}

/// Turns items of one kind into JSON, one after the other, reusing its memory.
#[derive(Debug)]
pub struct Decoder {
    table: Arc<Table>,
    kind: Kind,
    api_version: String,
    kind_name: String,
    refuses_nil: bool,
    scratch: Scratch,
    json: Vec<u8>,
}

/// What is reused from item to item; messages within messages use the ends of the vectors.
#[derive(Debug, Default)]
struct Scratch {
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    tape: Tape,
}

impl Decoder {
    /// A decoder of items of `kind` in `api_version`; `refuses_nil` is [`crate::page::PageSpec::refuses_nil`].
    ///
    /// # Errors
    /// Where the table does not have the kind.
    pub fn new(table: Arc<Table>, api_version: &str, kind: &str, refuses_nil: bool) -> Result<Self, PageError> {
        let Some(found) = table.kind(api_version, kind).cloned() else {
            let detail = format!("{kind} of {api_version} is not in the table of protobuf fields");
            return Err(PageError::new(Reason::UnknownField, 0, detail));
        };
        let (api_version, kind_name) = (api_version.to_owned(), kind.to_owned());
        let (scratch, json) = (Scratch::default(), Vec::new());
        Ok(Self { table, kind: found, api_version, kind_name, refuses_nil, scratch, json })
    }

    /// Turn `bytes`, which are one item, into JSON.
    ///
    /// # Errors
    /// A [`PageError`] whose offset counts from the start of `bytes`.
    pub fn read<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Item<'a>, PageError> {
        if bytes.len() >= MAX_SOURCE_BYTES {
            return Err(PageError::new(Reason::TooLarge, 0, "one item of a gigabyte or more"));
        }
        self.json.clear();
        self.scratch.slots.clear();
        self.scratch.entries.clear();
        let Self { table, refuses_nil, .. } = self;
        let mut writer =
            Writer { table, bytes, refuses_nil: *refuses_nil, scratch: &mut self.scratch, out: &mut self.json };
        let root = writer.open(self.kind.message, (0, bytes.len()))?;
        let metadata = writer.metadata(root, &self.kind.metadata)?;
        writer.write(self.kind.message, root)?;
        let fields = ItemFields { api_version: &self.api_version, kind: &self.kind_name, ..metadata };
        Ok(Item::canonical(&self.json, fields))
    }
}

struct Writer<'a, 'b> {
    table: &'b Table,
    bytes: &'a [u8],
    refuses_nil: bool,
    scratch: &'b mut Scratch,
    out: &'b mut Vec<u8>,
}

impl<'a> Writer<'a, '_> {
    /// Find the fields of the message at `range`; returns where its slots begin.
    fn open(&mut self, id: MessageId, range: (usize, usize)) -> Result<usize, PageError> {
        let base = self.scratch.slots.len();
        let message = &self.table.messages[id];
        self.scratch.slots.resize(base + message.slot_count, Slot::ABSENT);
        self.scan(id, range, base)?;
        Ok(base)
    }

    fn scan(&mut self, id: MessageId, (start, end): (usize, usize), base: usize) -> Result<(), PageError> {
        let message = &self.table.messages[id];
        let mut wire = Wire::new(self.bytes, start, end);
        while !wire.is_done() {
            let at = wire.at;
            let (number, wire_type) = wire.tag()?;
            let Some(field) = message.field(number) else {
                return Err(unknown(message, number, at));
            };
            let place = value_place(&mut wire, field, wire_type).ok_or_else(|| other_type(message, number, at))??;
            if let (Shape::Inline, Codec::Message(inner)) = (field.shape, field.codec) {
                self.scan(inner, place, base + field.slot)?;
                continue;
            }
            let slot = &mut self.scratch.slots[base + field.slot];
            let is_repeated = matches!(field.shape, Shape::List | Shape::Map);
            if *slot == Slot::ABSENT {
                *slot = Slot::of(if is_repeated { (at, place.1) } else { place });
            } else if is_repeated && slot.end as usize == at {
                slot.end = Slot::of(place).end;
            } else {
                return Err(scattered(message, number, at));
            }
        }
        Ok(())
    }

    /// What the item whose slots begin at `root` says of itself, but for its kind.
    fn metadata(&mut self, root: usize, slots: &MetadataSlots) -> Result<ItemFields<'a>, PageError> {
        let range = self.scratch.slots[root + slots.metadata].range();
        let base = self.open(slots.message, range)?;
        let found = |slot: usize| self.scratch.slots[base + slot];
        let [name, namespace, uid] =
            [slots.name, slots.namespace, slots.uid].map(|slot| self.text(found(slot).range()));
        let fields = ItemFields {
            api_version: "",
            kind: "",
            namespace: namespace?,
            name: name?,
            uid: uid?,
            deleting: self.moment(found(slots.deletion_timestamp).range(), Codec::Time)?.is_some(),
            excluded_by_label: self.is_excluded(found(slots.labels))?,
        };
        self.scratch.slots.truncate(base);
        Ok(fields)
    }

    fn is_excluded(&self, labels: Slot) -> Result<bool, PageError> {
        let (start, end) = labels.range();
        let mut wire = Wire::new(self.bytes, start, end);
        while !wire.is_done() {
            wire.tag()?;
            let entry = self.entry(wire.length()?, Codec::String)?;
            if self.span(entry.key) == EXCLUDE_LABEL.as_bytes() && self.span(entry.value) == b"true" {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Write the message whose slots begin at `base` and are the last ones, and forget them.
    fn write(&mut self, id: MessageId, base: usize) -> Result<(), PageError> {
        let table = self.table;
        self.out.push(b'{');
        let mut is_first = true;
        for member in &table.messages[id].members {
            let slot = member.slot.map(|slot| self.scratch.slots[base + slot]);
            if member.omits_empty && self.is_empty(member, slot.unwrap_or(Slot::ABSENT))? {
                continue;
            }
            if !is_first {
                self.out.push(b',');
            }
            is_first = false;
            self.out.extend_from_slice(&member.key);
            if let Some(slot) = slot {
                self.member(member, slot)?;
            }
        }
        self.out.push(b'}');
        self.scratch.slots.truncate(base);
        Ok(())
    }

    fn is_empty(&self, member: &Member, slot: Slot) -> Result<bool, PageError> {
        if slot == Slot::ABSENT {
            return Ok(true);
        }
        if member.shape != Shape::One {
            return Ok(false);
        }
        Ok(match member.codec {
            Codec::String | Codec::Bytes => slot.is_empty(),
            Codec::Bool | Codec::Int32 | Codec::Int64 => self.number(slot.range())? == 0,
            Codec::Time | Codec::MicroTime => self.moment(slot.range(), member.codec)?.is_none(),
            // Structs are never empty to `omitempty`.
            _ => false,
        })
    }

    fn member(&mut self, member: &Member, slot: Slot) -> Result<(), PageError> {
        if slot == Slot::ABSENT && (member.shape != Shape::One || member.codec == Codec::Bytes) {
            if self.refuses_nil && matches!(member.shape, Shape::List | Shape::Map) {
                return Err(nil_or_empty(&member.key));
            }
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        match member.shape {
            Shape::One | Shape::Pointer | Shape::Inline | Shape::Fixed => self.value(member.codec, slot.range()),
            Shape::List => self.list(member.codec, slot),
            Shape::Map => self.map(member.codec, slot),
        }
    }

    fn list(&mut self, codec: Codec, slot: Slot) -> Result<(), PageError> {
        let (start, end) = slot.range();
        let mut wire = Wire::new(self.bytes, start, end);
        self.out.push(b'[');
        while !wire.is_done() {
            if wire.at != start {
                self.out.push(b',');
            }
            wire.tag()?;
            let place = if codec.is_varint() { varint_place(&mut wire)? } else { wire.length()? };
            self.value(codec, place)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, codec: Codec, slot: Slot) -> Result<(), PageError> {
        let (start, end) = slot.range();
        let first = self.scratch.entries.len();
        let mut wire = Wire::new(self.bytes, start, end);
        while !wire.is_done() {
            wire.tag()?;
            let entry = self.entry(wire.length()?, codec)?;
            self.scratch.entries.push(entry);
        }
        self.sort_entries(first, start)?;
        self.out.push(b'{');
        for index in first..self.scratch.entries.len() {
            if index > first {
                self.out.push(b',');
            }
            let Entry { key, value } = self.scratch.entries[index];
            if self.refuses_nil && codec == Codec::Strings && value.is_empty() {
                return Err(nil_or_empty(self.span(key)));
            }
            self.string(key.range())?;
            self.out.push(b':');
            if value == Slot::ABSENT && codec == Codec::Bytes {
                self.out.extend_from_slice(b"null");
            } else {
                self.value(codec, value.range())?;
            }
        }
        self.out.push(b'}');
        self.scratch.entries.truncate(first);
        Ok(())
    }

    /// Sort the entries from `first` on, those of the map that starts at `start`; Go writes them sorted already.
    fn sort_entries(&mut self, first: usize, start: usize) -> Result<(), PageError> {
        let bytes = self.bytes;
        let key = |entry: &Entry| {
            let (from, to) = entry.key.range();
            &bytes[from..to]
        };
        let entries = &mut self.scratch.entries[first..];
        if !entries.is_sorted_by_key(key) {
            entries.sort_by_key(|entry| key(entry));
        }
        if entries.windows(2).any(|pair| key(&pair[0]) == key(&pair[1])) {
            return Err(PageError::new(Reason::UnknownField, start as u64, "a map with a key that comes twice"));
        }
        Ok(())
    }

    /// The entry of a map at `range`.
    fn entry(&self, (start, end): (usize, usize), codec: Codec) -> Result<Entry, PageError> {
        let mut entry = Entry { key: Slot::ABSENT, value: Slot::ABSENT };
        let mut wire = Wire::new(self.bytes, start, end);
        while !wire.is_done() {
            let at = wire.at;
            let place = match wire.tag()? {
                (1, WireType::Length) if entry.key == Slot::ABSENT => &mut entry.key,
                (2, WireType::Length) if !codec.is_varint() && entry.value == Slot::ABSENT => &mut entry.value,
                (2, WireType::Varint) if codec.is_varint() && entry.value == Slot::ABSENT => {
                    entry.value = Slot::of(varint_place(&mut wire)?);
                    continue;
                }
                _ => {
                    return Err(PageError::new(
                        Reason::UnknownField,
                        at as u64,
                        "an entry of a map with another field",
                    ));
                }
            };
            *place = Slot::of(wire.length()?);
        }
        Ok(entry)
    }

    /// One value; at an empty `range` the zero value, which for a number protobuf may leave out.
    fn value(&mut self, codec: Codec, range: (usize, usize)) -> Result<(), PageError> {
        match codec {
            Codec::String => self.string(range)?,
            Codec::Bytes => codecs::base64(&self.bytes[range.0..range.1], self.out),
            Codec::Bool => {
                let word: &[u8] = if self.number(range)? == 0 { b"false" } else { b"true" };
                self.out.extend_from_slice(word);
            }
            Codec::Int32 => self.int32(range)?,
            Codec::Int64 => codecs::integer(self.number(range)?, self.out),
            Codec::Time | Codec::MicroTime => self.time(range, codec)?,
            Codec::Quantity => self.quantity(range)?,
            Codec::IntOrString => self.int_or_string(range)?,
            Codec::Raw => self.raw(range)?,
            Codec::Strings => self.strings(range)?,
            Codec::Message(id) => {
                let base = self.open(id, range)?;
                self.write(id, base)?;
            }
        }
        Ok(())
    }

    fn span(&self, slot: Slot) -> &'a [u8] {
        let (start, end) = slot.range();
        &self.bytes[start..end]
    }

    fn text(&self, (start, end): (usize, usize)) -> Result<&'a str, PageError> {
        std::str::from_utf8(&self.bytes[start..end]).map_err(|error| not_utf8(start, error))
    }

    #[inline]
    fn string(&mut self, range: (usize, usize)) -> Result<(), PageError> {
        text::encode_utf8(&self.bytes[range.0..range.1], self.out).map_err(|error| not_utf8(range.0, error))
    }

    /// The varint at `range`; 0 where there is none.
    fn number(&self, (start, end): (usize, usize)) -> Result<i64, PageError> {
        if start == end {
            return Ok(0);
        }
        Wire::new(self.bytes, start, end).varint().map(u64::cast_signed)
    }

    fn int32(&mut self, range: (usize, usize)) -> Result<(), PageError> {
        let number = self.number(range)?;
        if i32::try_from(number).is_err() {
            return Err(PageError::new(Reason::Syntax, range.0 as u64, "a number of more than 32 bits"));
        }
        codecs::integer(number, self.out);
        Ok(())
    }

    /// The members of a small message of one or two numbers and a text at most, by number from 1 on.
    fn small<const COUNT: usize>(
        &self,
        (start, end): (usize, usize),
        types: [WireType; COUNT],
    ) -> Result<[Slot; COUNT], PageError> {
        let mut slots = [Slot::ABSENT; COUNT];
        let mut wire = Wire::new(self.bytes, start, end);
        while !wire.is_done() {
            let at = wire.at;
            let (number, wire_type) = wire.tag()?;
            let index = (number as usize).wrapping_sub(1);
            let is_expected = types.get(index) == Some(&wire_type);
            let Some(slot) = slots.get_mut(index).filter(|slot| is_expected && **slot == Slot::ABSENT) else {
                return Err(PageError::new(Reason::UnknownField, at as u64, "a small message with another field"));
            };
            let is_varint = wire_type == WireType::Varint;
            *slot = Slot::of(if is_varint { varint_place(&mut wire)? } else { wire.length()? });
        }
        Ok(slots)
    }

    /// Second and microsecond of a `Time` or `MicroTime`; None where Go would call it zero.
    fn moment(&self, range: (usize, usize), codec: Codec) -> Result<Option<(i64, Option<u32>)>, PageError> {
        if range.0 == range.1 {
            return Ok(None);
        }
        let [seconds, nanos] = self.small(range, [WireType::Varint; 2])?;
        let (second, nanos) = (self.number(seconds.range())?, self.number(nanos.range())?);
        let Some(nanos) = u32::try_from(nanos).ok().filter(|&nanos| nanos < 1_000_000_000) else {
            return Err(PageError::new(Reason::Syntax, range.0 as u64, "a time with a second of more than a second"));
        };
        let microseconds = (codec == Codec::MicroTime).then_some(nanos / 1000);
        let is_zero = second == codecs::ZERO_SECOND && microseconds.unwrap_or(0) == 0;
        Ok((!is_zero).then_some((second, microseconds)))
    }

    fn time(&mut self, range: (usize, usize), codec: Codec) -> Result<(), PageError> {
        match self.moment(range, codec)? {
            None => self.out.extend_from_slice(b"null"),
            Some((second, microseconds)) => {
                if !codecs::time(second, microseconds, self.out) {
                    return Err(PageError::new(
                        Reason::Syntax,
                        range.0 as u64,
                        "a time whose year has not four digits",
                    ));
                }
            }
        }
        Ok(())
    }

    fn quantity(&mut self, range: (usize, usize)) -> Result<(), PageError> {
        let [text] = self.small(range, [WireType::Length])?;
        if text.is_empty() {
            self.out.extend_from_slice(b"\"0\"");
            return Ok(());
        }
        self.string(text.range())
    }

    fn int_or_string(&mut self, range: (usize, usize)) -> Result<(), PageError> {
        let [kind, number, text] = self.small(range, [WireType::Varint, WireType::Varint, WireType::Length])?;
        match self.number(kind.range())? {
            0 => self.int32(number.range()),
            1 => self.string(text.range()),
            _ => Err(PageError::new(Reason::Syntax, range.0 as u64, "neither a number nor a string")),
        }
    }

    /// JSON that stands in protobuf as it was given.
    fn raw(&mut self, range: (usize, usize)) -> Result<(), PageError> {
        let [json] = self.small(range, [WireType::Length])?;
        if json == Slot::ABSENT {
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        let source = self.span(json);
        let tape = &mut self.scratch.tape;
        tape.parse_all(source, Options::default()).map_err(|error| error.shifted(u64::from(json.start)))?;
        canonical::write_tape(tape, source, self.out);
        Ok(())
    }

    /// Go reads an empty message of this kind as an empty list, and not as null.
    fn strings(&mut self, range: (usize, usize)) -> Result<(), PageError> {
        let mut wire = Wire::new(self.bytes, range.0, range.1);
        self.out.push(b'[');
        while !wire.is_done() {
            let at = wire.at;
            if wire.tag()? != (1, WireType::Length) {
                return Err(PageError::new(Reason::UnknownField, at as u64, "a list of strings with another field"));
            }
            if at != range.0 {
                self.out.push(b',');
            }
            self.string(wire.length()?)?;
        }
        self.out.push(b']');
        Ok(())
    }
}

/// Of the member or entry `key`, which may have quotes and a colon.
#[cold]
fn nil_or_empty(key: &[u8]) -> PageError {
    let key = String::from_utf8_lossy(key.strip_suffix(b":").unwrap_or(key)).replace('"', "");
    PageError::new(Reason::NilOrEmpty, 0, format!("{key}: protobuf does not tell null from an empty list or map"))
}

#[cold]
fn not_utf8(start: usize, error: Utf8Error) -> PageError {
    let offset = start + error.valid_up_to();
    PageError::new(Reason::InvalidUtf8, offset as u64, "bytes of a string that are not UTF-8")
}

/// Pass a varint; where it is.
#[inline]
fn varint_place(wire: &mut Wire<'_>) -> Result<(usize, usize), PageError> {
    let start = wire.at;
    wire.varint()?;
    Ok((start, wire.at))
}

/// Pass a field's value; None where it is not of the field's wire type.
#[inline]
fn value_place(wire: &mut Wire<'_>, field: Field, wire_type: WireType) -> Option<Result<(usize, usize), PageError>> {
    let is_varint = field.codec.is_varint() && field.shape != Shape::Map;
    match wire_type {
        WireType::Varint if is_varint => Some(varint_place(wire)),
        WireType::Length if !is_varint => Some(wire.length()),
        _ => None,
    }
}

#[cold]
fn unknown(message: &Message, number: u32, at: usize) -> PageError {
    let detail = format!("{} has a field {number} that the table does not have", message.name);
    PageError::new(Reason::UnknownField, at as u64, detail)
}

#[cold]
fn other_type(message: &Message, number: u32, at: usize) -> PageError {
    let detail = format!("field {number} of {} is not of the type that the table says", message.name);
    PageError::new(Reason::UnknownField, at as u64, detail)
}

#[cold]
fn scattered(message: &Message, number: u32, at: usize) -> PageError {
    let detail = format!("field {number} of {} comes again, which Go's encoding does not do", message.name);
    PageError::new(Reason::UnknownField, at as u64, detail)
}
