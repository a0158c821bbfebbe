//! A sink that keeps every item, and one call that reads a page in chunks of a given length.

use std::ops::Range;

use pinnace_engine::error::EngineError;
use pinnace_engine::filter::SeenItems;
use pinnace_engine::item::{ItemFields, ItemSink};
use pinnace_engine::page::{Page, PageSpec, PageSummary};

/// Keeps what a page gives it.
#[derive(Default)]
pub struct Kept {
    /// Canonical JSON of each item.
    pub items: Vec<String>,
    buffer: Vec<u8>,
    seen: SeenItems,
}

impl ItemSink for Kept {
    fn buffer(&mut self, _item: &ItemFields<'_>) -> Result<&mut Vec<u8>, EngineError> {
        Ok(&mut self.buffer)
    }

    fn commit(&mut self, _item: &ItemFields<'_>, written: Range<usize>) -> Result<(), EngineError> {
        self.items.push(String::from_utf8(self.buffer[written].to_vec()).expect("canonical JSON is UTF-8"));
        Ok(())
    }

    fn seen(&mut self) -> &mut SeenItems {
        &mut self.seen
    }
}

/// Read `body` as one page; the kept items are whole even where it fails.
pub fn read(spec: PageSpec, body: &[u8], chunk_bytes: usize) -> (Vec<String>, Result<PageSummary, EngineError>) {
    let mut kept = Kept::default();
    let mut page = Page::new(spec);
    let fed = body.chunks(chunk_bytes).try_for_each(|chunk| page.feed(chunk, &mut kept));
    (kept.items, fed.and_then(|()| page.finish()))
}
