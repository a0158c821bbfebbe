//! A page whose body is protobuf: the same items, by way of another grammar.

use std::sync::Arc;

use super::{Page, PageSpec, in_page};
use crate::error::{EngineError, PageError};
use crate::item::ItemSink;
use crate::protobuf::{Decoder, ListEvent, ListReader, Table};

/// What reads such a body.
#[derive(Debug)]
pub(super) struct ProtobufBody {
    list: ListReader,
    decoder: Decoder,
}

impl ProtobufBody {
    /// # Errors
    /// Where the table does not have the page's kind.
    pub(super) fn new(table: Arc<Table>, spec: &PageSpec) -> Result<Self, PageError> {
        Ok(Self {
            list: ListReader::new(&spec.api_version, &spec.kind, spec.max_item_bytes),
            decoder: Decoder::new(table, &spec.api_version, &spec.kind, spec.refuses_nil)?,
        })
    }

    /// # Errors
    /// If the body may not end here.
    pub(super) fn finish(&self) -> Result<(), PageError> {
        self.list.finish()
    }
}

impl Page {
    /// Take the next bytes of a body of protobuf, which `body` reads and which is the page's again afterwards.
    pub(super) fn take_protobuf(
        &mut self,
        mut body: Box<ProtobufBody>,
        chunk: &[u8],
        sink: &mut impl ItemSink,
    ) -> Result<(), EngineError> {
        let mut at = 0;
        let result = self.take_events(&mut body, chunk, &mut at, sink);
        self.protobuf = Some(body);
        result
    }

    fn take_events(
        &mut self,
        body: &mut ProtobufBody,
        chunk: &[u8],
        at: &mut usize,
        sink: &mut impl ItemSink,
    ) -> Result<(), EngineError> {
        let ProtobufBody { list, decoder } = body;
        while let Some(event) = list.next(chunk, at)? {
            match event {
                ListEvent::Metadata(metadata) => {
                    self.summary.continue_token = metadata.continue_token;
                    self.summary.resource_version = metadata.resource_version;
                    self.summary.remaining_item_count = metadata.remaining_item_count;
                }
                ListEvent::Item(bytes, offset) => {
                    let item = decoder.read(bytes).map_err(|error| in_page(error, offset))?;
                    self.take_item(&item, offset, sink)?;
                }
            }
        }
        Ok(())
    }
}
