//! What is known of each message: its fields' numbers, their names in JSON, and when JSON leaves them out.
//!
//! A table is text: `kind APIVERSION KIND MESSAGE` for what is listed, `message NAME` and its fields after it:
//! `NUMBER NAME SHAPE OMISSION CODEC`. Shapes: `one` value (protobuf always has it), `pointer` (protobuf has it where it
//! is not nil), `list`, `map` (with strings as keys), `inline` (its members are members of the outer object, so that it
//! has no name), `fixed` (JSON has this text, protobuf has nothing: its number is 0). A codec is the name of a message or
//! a word of [`Codec`].

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::json::text;

/// Members of an object that protobuf lists leave out, as JSON lists do.
const TYPE_META: [&str; 2] = ["apiVersion", "kind"];

/// Larger numbers are refused, so that fields are found by index.
const MAX_FIELD_NUMBER: u32 = 1023;

/// A line that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the table of protobuf fields, line {line}: {detail}")]
pub struct TableError {
    /// Counted from 1; 0 where it is the whole.
    pub line: usize,
    /// What is wrong.
    pub detail: &'static str,
}

/// A message by its place in the table.
pub(super) type MessageId = usize;

/// How often a field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    Pointer,
    List,
    Map,
    Inline,
    /// Always the same, which is written with its key.
    Fixed,
}

/// What a single value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    String,
    /// As base64.
    Bytes,
    Bool,
    Int32,
    Int64,
    /// `metav1.Time`: seconds, as RFC 3339.
    Time,
    /// `metav1.MicroTime`: with six digits of the second.
    MicroTime,
    /// `resource.Quantity`: its own text.
    Quantity,
    /// `intstr.IntOrString`.
    IntOrString,
    /// `runtime.RawExtension`, `metav1.FieldsV1`: JSON as it was given.
    Raw,
    /// A message that is a list of strings, as the values of `map[string]ExtraValue`.
    Strings,
    Message(MessageId),
}

impl Codec {
    pub(super) fn is_varint(self) -> bool {
        matches!(self, Self::Bool | Self::Int32 | Self::Int64)
    }
}

/// A field as protobuf has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Where it goes in the slots of its message; the first of them if it is inline.
    pub slot: usize,
    pub shape: Shape,
    pub codec: Codec,
}

/// A member as JSON has it.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// With quotes and colon; of a fixed member with its value.
    pub key: Vec<u8>,
    /// None for a fixed member.
    pub slot: Option<usize>,
    pub shape: Shape,
    pub codec: Codec,
    /// Left out where it is empty.
    pub omits_empty: bool,
}

/// One message.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    pub name: String,
    /// By field number.
    pub fields: Vec<Option<Field>>,
    /// How many slots it has, those of inline messages included.
    pub slot_count: usize,
    /// In the order of their names, those of inline messages among them.
    pub members: Vec<Member>,
}

impl Message {
    #[inline]
    pub(super) fn field(&self, number: u32) -> Option<Field> {
        self.fields.get(number as usize).copied().flatten()
    }

    /// The slot of the member called `name`.
    fn slot(&self, name: &str) -> Option<usize> {
        let key = key_of(name);
        self.members.iter().find(|member| member.key == key).and_then(|member| member.slot)
    }
}

/// What items say of themselves, by slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct MetadataSlots {
    /// In the item.
    pub metadata: usize,
    pub message: MessageId,
    /// In its metadata.
    pub name: usize,
    pub namespace: usize,
    pub uid: usize,
    pub deletion_timestamp: usize,
    pub labels: usize,
}

/// One kind that can be listed.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    /// Its message, which has `apiVersion` and `kind` as members.
    pub message: MessageId,
    pub metadata: MetadataSlots,
}

/// The fields of all kinds of one minor version of Kubernetes.
#[derive(Debug, Default)]
pub struct Table {
    version: String,
    kinds: HashMap<(String, String), Kind>,
    pub(super) messages: Vec<Message>,
}

impl Table {
    /// That of the minor version `version`, as `1.35`; None where there is none.
    #[must_use]
    pub fn of(version: &str) -> Option<Arc<Self>> {
        static TABLE: OnceLock<Option<Arc<Table>>> = OnceLock::new();
        let table = TABLE.get_or_init(|| Self::parse(include_str!("kubernetes-1.35.table")).ok().map(Arc::new));
        table.as_ref().filter(|table| table.version == version).cloned()
    }

    /// Read a table.
    ///
    /// # Errors
    /// Where it is none, or one of its messages is part of itself.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let lines = Lines::of(text)?;
        let mut builder =
            Builder { lines: &lines, table: Self::default(), states: vec![State::New; lines.messages.len()] };
        builder.table.version = lines.version.clone();
        builder.table.messages = vec![Message::default(); lines.messages.len()];
        for message in 0..lines.messages.len() {
            builder.message(message)?;
        }
        for kind in &lines.kinds {
            builder.kind(kind)?;
        }
        Ok(builder.table)
    }

    /// `apiVersion` and kind of all that can be listed.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kinds.keys().map(|(api_version, kind)| (api_version.as_str(), kind.as_str()))
    }

    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.kinds.get(&(api_version.to_owned(), kind.to_owned()))
    }
}

/// A field line.
struct FieldLine<'a> {
    line: usize,
    number: u32,
    name: &'a str,
    shape: Shape,
    omits_empty: bool,
    codec: &'a str,
}

struct KindLine<'a> {
    line: usize,
    api_version: &'a str,
    kind: &'a str,
    message: &'a str,
}

struct MessageLines<'a> {
    name: &'a str,
    fields: Vec<FieldLine<'a>>,
}

#[derive(Default)]
struct Lines<'a> {
    version: String,
    kinds: Vec<KindLine<'a>>,
    messages: Vec<MessageLines<'a>>,
    by_name: HashMap<&'a str, MessageId>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Result<Self, TableError> {
        let mut lines = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            let words: Vec<&str> = text.split(' ').collect();
            match words[..] {
                ["#", ..] => {}
                ["version", version] => version.clone_into(&mut lines.version),
                ["kind", api_version, kind, message] => lines.kinds.push(KindLine { line, api_version, kind, message }),
                ["message", name] => {
                    if lines.by_name.insert(name, lines.messages.len()).is_some() {
                        return Err(TableError { line, detail: "the message was there before" });
                    }
                    lines.messages.push(MessageLines { name, fields: Vec::new() });
                }
                [number, name, shape, omission, codec] => {
                    let field = field_line(line, number, name, (shape, omission), codec)?;
                    let message = lines.messages.last_mut();
                    message.ok_or(TableError { line, detail: "a field of no message" })?.fields.push(field);
                }
                _ => return Err(TableError { line, detail: "not a line of a table" }),
            }
        }
        Ok(lines)
    }
}

fn field_line<'a>(
    line: usize,
    number: &str,
    name: &'a str,
    (shape, omission): (&str, &str),
    codec: &'a str,
) -> Result<FieldLine<'a>, TableError> {
    let wrong = |detail| TableError { line, detail };
    let shape = match shape {
        "one" => Shape::One,
        "pointer" => Shape::Pointer,
        "list" => Shape::List,
        "map" => Shape::Map,
        "inline" => Shape::Inline,
        "fixed" => Shape::Fixed,
        _ => return Err(wrong("no such shape")),
    };
    let omits_empty = match omission {
        "always" => false,
        "omitempty" => true,
        _ => return Err(wrong("no such omission")),
    };
    let first = u32::from(shape != Shape::Fixed);
    let number = number.parse().ok().filter(|number| (first..=MAX_FIELD_NUMBER * first).contains(number));
    Ok(FieldLine { line, number: number.ok_or(wrong("not a field's number"))?, name, shape, omits_empty, codec })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

struct Builder<'a> {
    lines: &'a Lines<'a>,
    table: Table,
    states: Vec<State>,
}

impl Builder<'_> {
    /// Build a message after those that it is made of. None is part of itself, so that depth needs no bound of its own.
    fn message(&mut self, id: MessageId) -> Result<(), TableError> {
        let lines = &self.lines.messages[id];
        let first_line = lines.fields.first().map_or(0, |field| field.line);
        match self.states[id] {
            State::Done => return Ok(()),
            State::Open => return Err(TableError { line: first_line, detail: "the message is part of itself" }),
            State::New => self.states[id] = State::Open,
        }
        let mut message = Message { name: lines.name.to_owned(), ..Message::default() };
        for field in &lines.fields {
            self.field(field, &mut message)?;
        }
        message.members.sort_by(|left, right| name_of(&left.key).cmp(name_of(&right.key)));
        if message.members.windows(2).any(|pair| pair[0].key == pair[1].key) {
            return Err(TableError { line: first_line, detail: "two members of one name" });
        }
        self.table.messages[id] = message;
        self.states[id] = State::Done;
        Ok(())
    }

    fn field(&mut self, line: &FieldLine<'_>, message: &mut Message) -> Result<(), TableError> {
        let wrong = |detail| TableError { line: line.line, detail };
        if line.shape == Shape::Fixed {
            message.members.push(fixed(line.name, line.codec));
            return Ok(());
        }
        let codec = self.codec(line)?;
        let slot = message.slot_count;
        match (line.shape, codec) {
            (Shape::Inline, Codec::Message(inner)) => {
                let inner = &self.table.messages[inner];
                message.slot_count += inner.slot_count;
                let moved = |member: &Member| Member { slot: member.slot.map(|inner| slot + inner), ..member.clone() };
                message.members.extend(inner.members.iter().map(moved));
            }
            (Shape::Inline, _) => return Err(wrong("inline, but no message")),
            _ => {
                message.slot_count += 1;
                let (shape, omits_empty) = (line.shape, line.omits_empty);
                message.members.push(Member { key: key_of(line.name), slot: Some(slot), shape, codec, omits_empty });
            }
        }
        let number = line.number as usize;
        if message.fields.len() <= number {
            message.fields.resize(number + 1, None);
        }
        if message.fields[number].replace(Field { slot, shape: line.shape, codec }).is_some() {
            return Err(wrong("the number was there before"));
        }
        Ok(())
    }

    fn codec(&mut self, line: &FieldLine<'_>) -> Result<Codec, TableError> {
        Ok(match line.codec {
            "string" => Codec::String,
            "bytes" => Codec::Bytes,
            "bool" => Codec::Bool,
            "int32" => Codec::Int32,
            "int64" => Codec::Int64,
            "time" => Codec::Time,
            "microtime" => Codec::MicroTime,
            "quantity" => Codec::Quantity,
            "intorstring" => Codec::IntOrString,
            "raw" => Codec::Raw,
            "strings" => Codec::Strings,
            name => {
                let missing = TableError { line: line.line, detail: "no such message or codec" };
                let id = *self.lines.by_name.get(name).ok_or(missing)?;
                self.message(id)?;
                Codec::Message(id)
            }
        })
    }

    /// The kind's message is its own, since it says what kind it is.
    fn kind(&mut self, line: &KindLine<'_>) -> Result<(), TableError> {
        let wrong = |detail| TableError { line: line.line, detail };
        let id = *self.lines.by_name.get(line.message).ok_or(wrong("no such message"))?;
        let mut message = self.table.messages[id].clone();
        let metadata = self.metadata(&message).ok_or(wrong("an item without metadata"))?;
        for (name, value) in TYPE_META.into_iter().zip([line.api_version, line.kind]) {
            message.members.push(fixed(name, value));
        }
        message.members.sort_by(|left, right| name_of(&left.key).cmp(name_of(&right.key)));
        self.table.messages.push(message);
        let kind = Kind { message: self.table.messages.len() - 1, metadata };
        let name = (line.api_version.to_owned(), line.kind.to_owned());
        match self.table.kinds.insert(name, kind) {
            Some(_) => Err(wrong("the kind was there before")),
            None => Ok(()),
        }
    }

    fn metadata(&self, message: &Message) -> Option<MetadataSlots> {
        let slot = message.slot("metadata")?;
        let member = message.members.iter().find(|member| member.slot == Some(slot))?;
        let Codec::Message(id) = member.codec else { return None };
        let inner = &self.table.messages[id];
        Some(MetadataSlots {
            metadata: slot,
            message: id,
            name: inner.slot("name")?,
            namespace: inner.slot("namespace")?,
            uid: inner.slot("uid")?,
            deletion_timestamp: inner.slot("deletionTimestamp")?,
            labels: inner.slot("labels")?,
        })
    }
}

/// A member that always has the text `value`.
fn fixed(name: &str, value: &str) -> Member {
    let mut key = key_of(name);
    text::encode(value, &mut key);
    Member { key, slot: None, shape: Shape::Fixed, codec: Codec::String, omits_empty: false }
}

/// A name as JSON has it before a value.
fn key_of(name: &str) -> Vec<u8> {
    let mut key = Vec::new();
    text::encode(name, &mut key);
    key.push(b':');
    key
}

/// The name in a member's key, which is spelled plainly.
fn name_of(key: &[u8]) -> &[u8] {
    key.get(1..).and_then(|rest| rest.split(|&byte| byte == b'"').next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = "message Meta\n1 name one omitempty string\n3 namespace one omitempty string\n\
        5 uid one omitempty string\n9 deletionTimestamp pointer omitempty time\n11 labels map omitempty string\n";

    fn failure(text: &str) -> (usize, &'static str) {
        match Table::parse(text) {
            Err(error) => (error.line, error.detail),
            Ok(_) => (0, "taken"),
        }
    }

    #[test]
    fn the_table_that_is_built_in_is_read_and_is_of_its_version_alone() {
        let text = include_str!("kubernetes-1.35.table");
        assert_eq!(Table::parse(text).err(), None);
        assert!(Table::of("1.34").is_none());
        assert!(Table::of("1.35").is_some_and(|table| table.kinds().any(|kind| kind == ("apps/v1", "Deployment"))));
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        for (text, expected) in [
            ("what is this", (1, "not a line of a table")),
            ("version 1\n1 a one always string", (2, "a field of no message")),
            ("message A\n0 a one always string", (2, "not a field's number")),
            ("message A\n1 a fixed always string", (2, "not a field's number")),
            ("message A\n1024 a one always string", (2, "not a field's number")),
            ("message A\n1 a two always string", (2, "no such shape")),
            ("message A\n1 a one never string", (2, "no such omission")),
            ("message A\n1 a one always text", (2, "no such message or codec")),
            ("message A\n1 - inline always string", (2, "inline, but no message")),
            ("message A\n1 a one always string\n1 b one always string", (3, "the number was there before")),
            ("message A\n1 a one always string\n2 a one always string", (2, "two members of one name")),
            ("message A\nmessage A", (2, "the message was there before")),
            ("message A\n1 b one always B\nmessage B\n1 a pointer always A", (2, "the message is part of itself")),
            ("kind v1 A A", (1, "no such message")),
            ("message A\n1 a one always string\nkind v1 A A", (3, "an item without metadata")),
        ] {
            assert_eq!(failure(text), expected, "{text}");
        }
        let item = format!("{METADATA}message A\n1 metadata one always Meta\n");
        assert_eq!(failure(&format!("{item}kind v1 A A")), (0, "taken"));
        assert_eq!(failure(&format!("{item}kind v1 A A\nkind v1 A A")), (10, "the kind was there before"));
    }

    #[test]
    fn members_stand_in_the_order_of_their_names_those_of_inline_messages_among_them() {
        let inner = "message In\n1 b one always string\n2 d one always string\n";
        let table = Table::parse(&format!(
            "{inner}message Out\n1 c one always string\n2 - inline always In\n3 a one always bool\n"
        ));
        let names = table
            .map(|table| table.messages[1].members.iter().map(|member| (member.key.clone(), member.slot)).collect());
        let expected: Vec<_> = [("a", 3), ("b", 1), ("c", 0), ("d", 2)]
            .map(|(name, slot)| (format!("\"{name}\":").into_bytes(), Some(slot)))
            .into();
        assert_eq!(names, Ok(expected));
    }
}
