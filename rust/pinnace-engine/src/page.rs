//! One list response, fed in chunks as they arrive: each item goes to the sink as soon as its last byte is there.
//!
//! Of the page only a value that a chunk's end cut is held, so memory depends on the largest item.

mod protobuf_body;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::error::{EngineError, PageError, Reason};
use crate::filter::{ItemFilter, SeenItems, SkipCounts, SkipReason};
use crate::held::{HeldItem, Hold};
use crate::item::{Item, ItemFields, ItemReader, ItemSink, Refusal};
use crate::json::{Boundary, Options, Tape, text};
use crate::page::protobuf_body::ProtobufBody;
use crate::protobuf::Table;

/// The largest single value taken by default; etcd's own limit for an object is 1.5 MiB.
pub const MAX_ITEM_BYTES: usize = 64 << 20;

/// How many refused items a summary describes.
pub const REFUSED_KEPT: usize = 100;

/// What is known of a page before its first byte.
#[derive(Debug, Clone)]
pub struct PageSpec {
    /// For items that do not carry their own.
    pub api_version: String,
    /// For items that do not carry their own.
    pub kind: String,
    /// Which items are left out.
    pub filter: ItemFilter,
    /// Which items are handed out instead of given to the sink.
    pub hold: Hold,
    /// Leading items that an earlier, broken response already archived.
    pub skip_items: u64,
    /// The uid of the last of them, if known.
    pub skip_uid: Option<String>,
    /// The largest single value taken.
    pub max_item_bytes: usize,
    /// The body is protobuf, and this says what its fields are; without it the body is JSON.
    pub protobuf: Option<Arc<Table>>,
    /// Of protobuf nothing is guessed: an item fails the page where JSON would show whether a list or map is nil or
    /// empty. Without it nil is shown, as servers have it that keep their objects as protobuf.
    pub refuses_nil: bool,
}

impl PageSpec {
    /// A page of `kind` in `api_version` from which everything is taken.
    pub fn new(api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            api_version: api_version.into(),
            kind: kind.into(),
            filter: ItemFilter::default(),
            hold: Hold::default(),
            skip_items: 0,
            skip_uid: None,
            max_item_bytes: MAX_ITEM_BYTES,
            protobuf: None,
            refuses_nil: false,
        }
    }
}

/// An item that can't be archived though the page is well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedItem {
    /// As far as known.
    pub namespace: String,
    /// As far as known.
    pub name: String,
    /// Of its first byte in the body.
    pub offset: u64,
    /// A word.
    pub reason: &'static str,
    /// A sentence.
    pub detail: &'static str,
}

/// What one page held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageSummary {
    /// Items passed, whatever became of them.
    pub item_count: u64,
    /// Items given to the sink.
    pub written_count: u64,
    /// Bytes fed.
    pub page_bytes: u64,
    /// Canonical bytes given to the sink.
    pub archived_bytes: u64,
    /// `metadata.continue`, if not empty.
    pub continue_token: Option<String>,
    /// `metadata.resourceVersion`, if not empty.
    pub resource_version: Option<String>,
    /// `metadata.remainingItemCount`.
    pub remaining_item_count: Option<u64>,
    /// Items given to the sink by namespace.
    pub namespaces: BTreeMap<String, u64>,
    /// Items left out by reason.
    pub skipped: SkipCounts,
    /// The first [`REFUSED_KEPT`] items that can't be archived.
    pub refused: Vec<RefusedItem>,
    /// All of them.
    pub refused_count: u64,
    /// Items handed out.
    pub held_count: u64,
}

/// What comes next in the outermost object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    List,
    KeyOrEnd,
    Key,
    Colon,
    Value,
    CommaOrEnd,
    ItemOrEnd,
    Item,
    ItemCommaOrEnd,
    Nothing,
}

/// A value whose end is being looked for.
#[derive(Debug)]
struct Pending {
    boundary: Boundary,
    /// Of its first byte in the body.
    offset: u64,
    role: ValueRole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueRole {
    Key,
    Value,
    Item,
}

/// Keys of the outermost object that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListKey {
    Kind,
    Metadata,
    Items,
    Other,
}

/// From the first held item of a chunk on, what waits for its caller, in the list's order.
#[derive(Debug)]
enum Waiting {
    /// None once it was taken.
    Held(Option<HeldItem>),
    /// An item that goes to the sink once those before it are done with: its bytes, and where they start.
    Plain(Vec<u8>, u64),
}

/// One list response being read.
#[derive(Debug)]
pub struct Page {
    spec: Arc<PageSpec>,
    /// What reads a body of protobuf; the fields of JSON's grammar below are then idle.
    protobuf: Option<Box<ProtobufBody>>,
    expected: Expected,
    key: ListKey,
    pending: Option<Pending>,
    /// The beginning of the pending value, from earlier chunks.
    carried: Vec<u8>,
    /// Bytes before the chunk at hand.
    offset: u64,
    items_seen: bool,
    list_kind: String,
    last_uid: Option<String>,
    run: NamespaceRun,
    reader: ItemReader,
    tape: Tape,
    /// Whether any item may be held.
    holds: bool,
    waiting: VecDeque<Waiting>,
    summary: PageSummary,
    failed: Option<EngineError>,
}

impl Page {
    /// A page of which nothing has been read.
    #[must_use]
    pub fn new(spec: PageSpec) -> Self {
        let holds = !spec.hold.is_empty();
        let protobuf = spec.protobuf.clone().map(|table| ProtobufBody::new(table, &spec)).transpose();
        let (protobuf, failed) = match protobuf {
            Ok(body) => (body.map(Box::new), None),
            Err(error) => (None, Some(error.into())),
        };
        Self {
            spec: Arc::new(spec),
            protobuf,
            expected: Expected::List,
            key: ListKey::Other,
            pending: None,
            carried: Vec::new(),
            offset: 0,
            items_seen: false,
            list_kind: String::new(),
            last_uid: None,
            run: NamespaceRun::default(),
            reader: ItemReader::default(),
            tape: Tape::default(),
            holds,
            waiting: VecDeque::new(),
            summary: PageSummary::default(),
            failed,
        }
    }

    /// Take the next bytes of the body. What waits behind taken held items goes to the sink first.
    ///
    /// # Errors
    /// At the first value that can't be; the page then stays failed. Items given to the sink before are whole.
    /// An archive error where held items were not taken.
    pub fn feed(&mut self, chunk: &[u8], sink: &mut impl ItemSink) -> Result<(), EngineError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.settle(sink)?;
        let result = match self.protobuf.take() {
            Some(body) => self.take_protobuf(body, chunk, sink),
            None => self.take(chunk, sink),
        };
        self.offset += chunk.len() as u64;
        self.summary.page_bytes = self.offset;
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// The held items of what was fed, in the list's order. [`Page::advance`] is to be called before each is dealt with.
    pub fn take_held(&mut self) -> Vec<HeldItem> {
        self.waiting
            .iter_mut()
            .filter_map(|waiting| match waiting {
                Waiting::Held(item) => item.take(),
                Waiting::Plain(..) => None,
            })
            .collect()
    }

    /// Give the sink what comes before the next held item, which counts as dealt with from then on.
    ///
    /// # Errors
    /// Where the sink can't take an item, or the held one was not taken.
    pub fn advance(&mut self, sink: &mut impl ItemSink) -> Result<(), EngineError> {
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting {
                Waiting::Plain(span, offset) => self.write(&span, offset, sink)?,
                Waiting::Held(None) => break,
                Waiting::Held(item) => {
                    self.waiting.push_front(Waiting::Held(item));
                    return Err(EngineError::archive("held items of the page were not taken"));
                }
            }
        }
        Ok(())
    }

    /// Give the sink all that waits.
    ///
    /// # Errors
    /// As [`Page::advance`].
    pub fn settle(&mut self, sink: &mut impl ItemSink) -> Result<(), EngineError> {
        while !self.waiting.is_empty() {
            self.advance(sink)?;
        }
        Ok(())
    }

    /// Whether held items, or what comes after them, are not dealt with yet.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The body has ended, and nothing waits any more.
    ///
    /// # Errors
    /// If it may not end here, or was no list.
    pub fn finish(mut self) -> Result<PageSummary, EngineError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.waiting.is_empty() {
            return Err(EngineError::archive("items of the page still wait for the held ones before them"));
        }
        match &self.protobuf {
            Some(body) => body.finish()?,
            None => self.finish_json()?,
        }
        if self.summary.item_count < self.spec.skip_items {
            let detail = "fewer items than the broken response had archived";
            return Err(PageError::new(Reason::ResumeMismatch, self.offset, detail).into());
        }
        self.run.end(&mut self.summary.namespaces);
        Ok(self.summary)
    }

    fn finish_json(&self) -> Result<(), PageError> {
        if self.expected != Expected::Nothing {
            return Err(PageError::new(Reason::Truncated, self.offset, "the body ends before the list does"));
        }
        if !self.items_seen {
            let detail = format!("an object of kind {:?} without items", self.list_kind);
            return Err(PageError::new(Reason::NotAList, 0, detail));
        }
        Ok(())
    }

    /// `metadata.continue`, as soon as it was read.
    #[must_use]
    pub fn continue_token(&self) -> Option<&str> {
        self.summary.continue_token.as_deref()
    }

    /// `metadata.resourceVersion`, as soon as it was read.
    #[must_use]
    pub fn resource_version(&self) -> Option<&str> {
        self.summary.resource_version.as_deref()
    }

    /// Items passed so far.
    #[must_use]
    pub fn item_count(&self) -> u64 {
        self.summary.item_count
    }

    /// The uid of the last of them.
    #[must_use]
    pub fn last_uid(&self) -> Option<&str> {
        self.last_uid.as_deref()
    }

    /// What it held up to here, for a page whose response broke off.
    #[must_use]
    pub fn summary_so_far(&self) -> PageSummary {
        let mut summary = self.summary.clone();
        self.run.clone().end(&mut summary.namespaces);
        summary
    }

    fn take(&mut self, chunk: &[u8], sink: &mut impl ItemSink) -> Result<(), EngineError> {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            if self.pending.is_some() {
                at = self.continue_value(chunk, at, sink)?;
            } else {
                let is_space = matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
                let passed = is_space || self.step(byte, self.offset + at as u64)?;
                at += usize::from(passed);
            }
        }
        Ok(())
    }

    /// Go on with the pending value at `at`; returns where its part of the chunk ends.
    fn continue_value(&mut self, chunk: &[u8], at: usize, sink: &mut impl ItemSink) -> Result<usize, EngineError> {
        let Some(mut pending) = self.pending.take() else {
            return Ok(at);
        };
        let rest = &chunk[at..];
        let end = pending.boundary.advance(rest);
        let length = end.unwrap_or(rest.len());
        if self.carried.len() + length > self.spec.max_item_bytes {
            let detail = format!("one value of more than {} bytes", self.spec.max_item_bytes);
            return Err(PageError::new(Reason::TooLarge, pending.offset, detail).into());
        }
        if end.is_none() {
            self.carried.extend_from_slice(rest);
            self.pending = Some(pending);
        } else if self.carried.is_empty() {
            self.complete(&pending, &rest[..length], sink)?;
        } else {
            let mut carried = std::mem::take(&mut self.carried);
            carried.extend_from_slice(&rest[..length]);
            let result = self.complete(&pending, &carried, sink);
            carried.clear();
            self.carried = carried;
            result?;
        }
        Ok(at + length)
    }

    /// Take one byte outside values; false if it is the first of a value, which `pending` then waits for.
    fn step(&mut self, byte: u8, offset: u64) -> Result<bool, PageError> {
        use Expected::{Colon, CommaOrEnd, Item, ItemCommaOrEnd, ItemOrEnd, Key, KeyOrEnd, List, Nothing, Value};
        self.expected = match (self.expected, byte) {
            (List, b'{') => KeyOrEnd,
            (KeyOrEnd | CommaOrEnd, b'}') => Nothing,
            (KeyOrEnd | Key, b'"') => return Ok(self.begin(ValueRole::Key, byte, offset)),
            (Colon, b':') => Value,
            (Value, b'[') if self.key == ListKey::Items => ItemOrEnd,
            (Value, _) => return Ok(self.begin(ValueRole::Value, byte, offset)),
            (CommaOrEnd, b',') => Key,
            (ItemOrEnd | ItemCommaOrEnd, b']') => CommaOrEnd,
            (ItemOrEnd | Item, b'{') => return Ok(self.begin(ValueRole::Item, byte, offset)),
            (ItemCommaOrEnd, b',') => Item,
            (List, _) => {
                return Err(PageError::new(Reason::NotAList, offset, "the body is not a JSON object"));
            }
            (ItemOrEnd | Item, b'"' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                return Err(PageError::new(Reason::NotAList, offset, "an item that is not an object"));
            }
            (Nothing, _) => {
                return Err(PageError::new(Reason::Syntax, offset, "bytes after the list"));
            }
            _ => return Err(PageError::new(Reason::Syntax, offset, "not JSON")),
        };
        Ok(true)
    }

    fn begin(&mut self, role: ValueRole, first: u8, offset: u64) -> bool {
        self.pending = Some(Pending { boundary: Boundary::starting_with(first), offset, role });
        false
    }

    fn complete(&mut self, pending: &Pending, span: &[u8], sink: &mut impl ItemSink) -> Result<(), EngineError> {
        match pending.role {
            ValueRole::Item => {
                self.expected = Expected::ItemCommaOrEnd;
                self.item(span, pending.offset, sink)
            }
            ValueRole::Key => {
                self.expected = Expected::Colon;
                Ok(self.list_key(span, pending.offset)?)
            }
            ValueRole::Value => {
                self.expected = Expected::CommaOrEnd;
                Ok(self.list_value(span, pending.offset)?)
            }
        }
    }

    fn list_key(&mut self, span: &[u8], offset: u64) -> Result<(), PageError> {
        self.parse(span, offset)?;
        self.key = match text::decode(&span[1..span.len() - 1]).as_ref() {
            "kind" => ListKey::Kind,
            "metadata" => ListKey::Metadata,
            "items" if self.items_seen => {
                return Err(PageError::new(Reason::NotAList, offset, "the list has items twice"));
            }
            "items" => {
                self.items_seen = true;
                ListKey::Items
            }
            _ => ListKey::Other,
        };
        Ok(())
    }

    fn list_value(&mut self, span: &[u8], offset: u64) -> Result<(), PageError> {
        self.parse(span, offset)?;
        match (self.key, span) {
            (ListKey::Items, b"null") | (ListKey::Other, _) => Ok(()),
            (ListKey::Items, _) => Err(PageError::new(Reason::NotAList, offset, "items is not an array")),
            (ListKey::Kind, _) => {
                self.list_kind = text_of(span).unwrap_or_default();
                Ok(())
            }
            (ListKey::Metadata, b"null" | [b'{', ..]) => {
                self.list_metadata(span);
                Ok(())
            }
            (ListKey::Metadata, _) => {
                Err(PageError::new(Reason::NotAList, offset, "the list's metadata is not an object"))
            }
        }
    }

    fn parse(&mut self, span: &[u8], offset: u64) -> Result<(), PageError> {
        let options = Options { keep_members: true, ..Options::default() };
        self.tape.parse_all(span, options).map_err(|error| in_page(error, offset))
    }

    /// Note what the list's metadata, which is on the tape, says.
    fn list_metadata(&mut self, span: &[u8]) {
        let given = |value| text_of(value).filter(|text| !text.is_empty());
        let summary = &mut self.summary;
        (summary.continue_token, summary.resource_version, summary.remaining_item_count) = (None, None, None);
        for (key, value) in self.tape.members(span) {
            match key {
                b"continue" => summary.continue_token = given(value),
                b"resourceVersion" => summary.resource_version = given(value),
                b"remainingItemCount" => {
                    summary.remaining_item_count = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                }
                _ => {}
            }
        }
    }

    fn item(&mut self, span: &[u8], offset: u64, sink: &mut impl ItemSink) -> Result<(), EngineError> {
        // Both stand apart while the item, which borrows from them, is taken.
        let (spec, mut reader) = (Arc::clone(&self.spec), std::mem::take(&mut self.reader));
        let read = reader.read(span, &spec.api_version, &spec.kind).map_err(|error| in_page(error, offset).into());
        let taken = read.and_then(|item| self.take_item(&item, offset, sink));
        self.reader = reader;
        taken
    }

    /// Let what the item says decide what becomes of it.
    fn take_item(&mut self, item: &Item<'_>, offset: u64, sink: &mut impl ItemSink) -> Result<(), EngineError> {
        let fields = item.fields();
        let summary = &mut self.summary;
        summary.item_count += 1;
        remember(&mut self.last_uid, fields.uid);
        if summary.item_count <= self.spec.skip_items {
            return Ok(pass_resumed(summary, &self.spec, fields.uid, offset)?);
        }
        if let Some(refusal) = item.refusal() {
            note_refused(summary, refusal, &fields, offset);
            return Ok(());
        }
        let is_held = self.holds && item.is_held_by(&self.spec.hold);
        if is_held || !self.waiting.is_empty() {
            // Whether an item was seen is asked again when its turn comes: held ones before it may pull it in.
            if let Some(reason) = self.spec.filter.skip_held(&fields, sink.seen()) {
                summary.skipped.add(reason);
            } else if is_held {
                summary.held_count += 1;
                self.waiting.push_back(Waiting::Held(Some(held(item))));
            } else {
                self.waiting.push_back(Waiting::Plain(item.source().to_vec(), offset));
            }
            return Ok(());
        }
        give(item, &self.spec.filter, summary, &mut self.run, sink)
    }

    /// Give the sink an item that waited.
    fn write(&mut self, span: &[u8], offset: u64, sink: &mut impl ItemSink) -> Result<(), EngineError> {
        let item =
            self.reader.read(span, &self.spec.api_version, &self.spec.kind).map_err(|error| in_page(error, offset))?;
        give(&item, &self.spec.filter, &mut self.summary, &mut self.run, sink)
    }
}

/// Items of one namespace, one after the other: lists come by namespace, so their count stands apart from the map.
#[derive(Debug, Clone, Default)]
struct NamespaceRun {
    namespace: String,
    count: u64,
}

impl NamespaceRun {
    fn add(&mut self, namespace: &str, counts: &mut BTreeMap<String, u64>) {
        if self.namespace != namespace {
            self.end(counts);
            namespace.clone_into(&mut self.namespace);
        }
        self.count += 1;
    }

    fn end(&mut self, counts: &mut BTreeMap<String, u64>) {
        if self.count > 0 {
            *counts.entry(self.namespace.clone()).or_default() += self.count;
        }
        self.count = 0;
    }
}

/// Give `item` to the sink, unless it is filtered.
fn give(
    item: &Item<'_>,
    filter: &ItemFilter,
    summary: &mut PageSummary,
    run: &mut NamespaceRun,
    sink: &mut impl ItemSink,
) -> Result<(), EngineError> {
    let fields = item.fields();
    if let Some(reason) = filter.skip(&fields, sink.seen()) {
        summary.skipped.add(reason);
        return Ok(());
    }
    let buffer = sink.buffer(&fields)?;
    let start = buffer.len();
    item.write(buffer);
    let written = start..buffer.len();
    summary.written_count += 1;
    summary.archived_bytes += written.len() as u64;
    sink.commit(&fields, written)?;
    run.add(fields.namespace, &mut summary.namespaces);
    Ok(())
}

fn held(item: &Item<'_>) -> HeldItem {
    let fields = item.fields();
    let mut json = Vec::new();
    item.write(&mut json);
    HeldItem { namespace: fields.namespace.to_owned(), name: fields.name.to_owned(), json }
}

/// The items of a list that goes to no archive, bar those whose name can't become a path.
///
/// # Errors
/// Where the body is not such a list.
pub fn read_all(body: &[u8], api_version: &str, kind: &str) -> Result<Vec<HeldItem>, EngineError> {
    let filter = ItemFilter { takes_all: true, ..ItemFilter::default() };
    let mut page = Page::new(PageSpec { hold: Hold::everything(), filter, ..PageSpec::new(api_version, kind) });
    page.feed(body, &mut NoSink::default())?;
    let items = page.take_held();
    page.settle(&mut NoSink::default())?;
    page.finish()?;
    Ok(items)
}

/// Refuses items: of a list of which all are held none comes here.
#[derive(Default)]
struct NoSink(SeenItems);

impl ItemSink for NoSink {
    fn buffer(&mut self, _item: &ItemFields<'_>) -> Result<&mut Vec<u8>, EngineError> {
        Err(EngineError::archive("an item that is not held has nowhere to go"))
    }

    fn commit(&mut self, _item: &ItemFields<'_>, _written: Range<usize>) -> Result<(), EngineError> {
        Ok(())
    }

    fn seen(&mut self) -> &mut SeenItems {
        &mut self.0
    }
}

/// Pass an item that the broken response archived; the last of them must be the one that it ended with.
fn pass_resumed(summary: &mut PageSummary, spec: &PageSpec, uid: &str, offset: u64) -> Result<(), PageError> {
    summary.skipped.add(SkipReason::Resumed);
    let is_last = summary.item_count == spec.skip_items;
    if is_last && spec.skip_uid.as_deref().is_some_and(|expected| expected != uid) {
        let detail = "the response does not go on where the broken one ended";
        return Err(PageError::new(Reason::ResumeMismatch, offset, detail));
    }
    Ok(())
}

fn note_refused(summary: &mut PageSummary, refusal: Refusal, fields: &ItemFields<'_>, offset: u64) {
    summary.refused_count += 1;
    if summary.refused.len() < REFUSED_KEPT {
        let (namespace, name) = (fields.namespace.to_owned(), fields.name.to_owned());
        let Refusal { reason, detail } = refusal;
        summary.refused.push(RefusedItem { namespace, name, offset, reason, detail });
    }
}

/// The error of a span that starts at `offset`. The span is complete, so the body is not what was cut.
fn in_page(error: PageError, offset: u64) -> PageError {
    let reason = if error.reason == Reason::Truncated { Reason::Syntax } else { error.reason };
    PageError { reason, ..error.shifted(offset) }
}

/// Store `uid` without a new allocation per item.
fn remember(last: &mut Option<String>, uid: &str) {
    let place = last.get_or_insert_default();
    place.clear();
    place.push_str(uid);
}

/// The characters of a value that is a string.
fn text_of(value: &[u8]) -> Option<String> {
    match value {
        [b'"', raw @ .., b'"'] => Some(text::decode(raw).into_owned()),
        _ => None,
    }
}
