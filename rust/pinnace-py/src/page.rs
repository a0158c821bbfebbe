//! `Page`, `PageSummary`, `RefusedItem`, `HeldItem` and `read_items`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use pinnace_engine::error::EngineError;
use pinnace_engine::held;
use pinnace_engine::page as engine;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::archive::Shared;
use crate::tls::Piece;
use crate::{lock, to_python};

/// A page being fed, or what was known of it when it closed.
enum State {
    Open(Box<engine::Page>),
    Closed(Known, Box<engine::PageSummary>),
}

/// What a page can be asked while it is fed and after.
#[derive(Clone)]
struct Known {
    continue_token: Option<String>,
    resource_version: Option<String>,
    item_count: u64,
    last_uid: Option<String>,
}

impl Known {
    fn of(page: &engine::Page) -> Self {
        Self {
            continue_token: page.continue_token().map(str::to_owned),
            resource_version: page.resource_version().map(str::to_owned),
            item_count: page.item_count(),
            last_uid: page.last_uid().map(str::to_owned),
        }
    }
}

/// What a page is fed with.
#[derive(FromPyObject)]
enum Chunk<'py> {
    Piece(Bound<'py, Piece>),
    Bytes(Bound<'py, PyBytes>),
}

/// One list response being fed. After an error it is closed and the archive holds only whole items.
#[pyclass(frozen, module = "pinnace._engine")]
pub struct Page {
    request: String,
    state: Mutex<State>,
    shared: Arc<Mutex<Shared>>,
}

impl Page {
    /// A page that has just been opened in `shared`.
    pub fn new(request: String, page: engine::Page, shared: Arc<Mutex<Shared>>) -> Self {
        Self { request, state: Mutex::new(State::Open(Box::new(page))), shared }
    }

    fn known<T: Send>(&self, py: Python<'_>, field: impl Fn(Known) -> T + Send + Sync) -> PyResult<T> {
        let known = py.detach(|| {
            Ok(match &*lock(&self.state)? {
                State::Open(page) => Known::of(page),
                State::Closed(known, _) => known.clone(),
            })
        });
        known.map(field).map_err(|error| to_python(error, &self.request))
    }

    /// Close the page and return it, if it was open.
    fn close(&self) -> Result<Option<engine::Page>, EngineError> {
        let mut state = lock(&self.state)?;
        let State::Open(page) = &*state else { return Ok(None) };
        let closed = State::Closed(Known::of(page), Box::new(page.summary_so_far()));
        let State::Open(page) = std::mem::replace(&mut *state, closed) else { return Ok(None) };
        lock(&self.shared)?.page_is_open = false;
        Ok(Some(*page))
    }

    fn take(&self, chunk: &[u8]) -> Result<(), EngineError> {
        let mut state = lock(&self.state)?;
        let State::Open(page) = &mut *state else { return Err(EngineError::archive("the page is closed")) };
        let fed = page.feed(chunk, &mut lock(&self.shared)?.archive);
        let may_close = !page.has_waiting();
        drop(state);
        if fed.is_err() && may_close {
            self.close()?;
        }
        fed
    }

    /// Do something with the page, which must be open.
    fn open<T>(
        &self,
        act: impl FnOnce(&mut engine::Page, &mut Shared) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let mut state = lock(&self.state)?;
        let State::Open(page) = &mut *state else { return Err(EngineError::archive("the page is closed")) };
        act(page, &mut *lock(&self.shared)?)
    }

    /// Let what waits behind held items go on, if the page is open.
    fn settle(&self) -> Result<(), EngineError> {
        match &mut *lock(&self.state)? {
            State::Open(page) => page.settle(&mut lock(&self.shared)?.archive),
            State::Closed(..) => Ok(()),
        }
    }
}

impl Drop for Page {
    /// A page that Python forgot is abandoned; a lock that a panic poisoned has already ended the archive.
    fn drop(&mut self) {
        let _ = self.close();
    }
}

#[pymethods]
impl Page {
    /// Take the next bytes of the body, of any length; MalformedPageError at the first byte that can't be.
    #[pyo3(signature = (chunk, /))]
    fn feed(&self, py: Python<'_>, chunk: Chunk<'_>) -> PyResult<()> {
        let bytes = match &chunk {
            Chunk::Piece(piece) => piece.get().bytes(),
            Chunk::Bytes(bytes) => bytes.as_bytes(),
        };
        py.detach(|| self.take(bytes)).map_err(|error| to_python(error, &self.request))
    }

    /// Held items of what was fed, in the list's order; `advance()` is to be called before each is dealt with.
    fn take_held(&self, py: Python<'_>) -> PyResult<Vec<HeldItem>> {
        let held = py.detach(|| {
            Ok(match &mut *lock(&self.state)? {
                State::Open(page) => page.take_held(),
                State::Closed(..) => Vec::new(),
            })
        });
        let held = held.map_err(|error| to_python(error, &self.request))?;
        Ok(held.into_iter().map(HeldItem::from).collect())
    }

    /// Archive what comes before the next held item.
    fn advance(&self, py: Python<'_>) -> PyResult<()> {
        let advanced = py.detach(|| self.open(|page, shared| page.advance(&mut shared.archive)));
        advanced.map_err(|error| to_python(error, &self.request))
    }

    /// End of the body; MalformedPageError `truncated` if the list is not complete.
    fn finish(&self, py: Python<'_>) -> PyResult<PageSummary> {
        let finished = py.detach(|| {
            self.settle()?;
            match self.close()? {
                Some(page) => page.finish(),
                None => Err(EngineError::archive("the page is closed")),
            }
        });
        let summary = finished.map_err(|error| to_python(error, &self.request))?;
        Ok(PageSummary::new(self.request.clone(), summary))
    }

    /// Close a page whose response broke off, if it is open, and tell what it held; items archived so far stay.
    fn abandon(&self, py: Python<'_>) -> PyResult<PageSummary> {
        let held = py.detach(|| {
            self.settle()?;
            self.close()?;
            match &*lock(&self.state)? {
                State::Open(page) => Ok(page.summary_so_far()),
                State::Closed(_, summary) => Ok((**summary).clone()),
            }
        });
        let summary = held.map_err(|error| to_python(error, &self.request))?;
        Ok(PageSummary::new(self.request.clone(), summary))
    }

    /// `metadata.continue` as soon as it is seen, else None.
    #[getter]
    fn continue_token(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.known(py, |known| known.continue_token)
    }

    /// `metadata.resourceVersion` of the list as soon as it is seen.
    #[getter]
    fn resource_version(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.known(py, |known| known.resource_version)
    }

    /// Items passed so far in this response, `skip_items` included.
    #[getter]
    fn item_count(&self, py: Python<'_>) -> PyResult<u64> {
        self.known(py, |known| known.item_count)
    }

    /// uid of the last item passed.
    #[getter]
    fn last_uid(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.known(py, |known| known.last_uid)
    }
}

/// What one page held.
#[pyclass(frozen, get_all, module = "pinnace._engine")]
pub struct PageSummary {
    request: String,
    item_count: u64,
    written_count: u64,
    page_bytes: u64,
    archived_bytes: u64,
    continue_token: Option<String>,
    resource_version: Option<String>,
    remaining_item_count: Option<u64>,
    namespaces: BTreeMap<String, u64>,
    skipped: HashMap<&'static str, u64>,
    refused: Vec<RefusedItem>,
    refused_count: u64,
    held_count: u64,
}

impl PageSummary {
    fn new(request: String, summary: engine::PageSummary) -> Self {
        Self {
            request,
            item_count: summary.item_count,
            written_count: summary.written_count,
            page_bytes: summary.page_bytes,
            archived_bytes: summary.archived_bytes,
            continue_token: summary.continue_token,
            resource_version: summary.resource_version,
            remaining_item_count: summary.remaining_item_count,
            namespaces: summary.namespaces,
            skipped: summary.skipped.met().collect(),
            refused: summary.refused.into_iter().map(RefusedItem::from).collect(),
            refused_count: summary.refused_count,
            held_count: summary.held_count,
        }
    }
}

/// An item that can't be archived though the page is well-formed (no metadata, a name that escapes a path).
#[pyclass(frozen, get_all, module = "pinnace._engine")]
#[derive(Clone)]
pub struct RefusedItem {
    namespace: String,
    name: String,
    offset: u64,
    reason: &'static str,
    detail: &'static str,
}

impl From<engine::RefusedItem> for RefusedItem {
    fn from(item: engine::RefusedItem) -> Self {
        let engine::RefusedItem { namespace, name, offset, reason, detail } = item;
        Self { namespace, name, offset, reason, detail }
    }
}

/// An item that a page hands out instead of archiving it.
#[pyclass(frozen, module = "pinnace._engine")]
pub struct HeldItem {
    #[pyo3(get)]
    namespace: String,
    #[pyo3(get)]
    name: String,
    json: Vec<u8>,
}

#[pymethods]
impl HeldItem {
    /// Its canonical JSON, with `apiVersion` and `kind`.
    #[getter]
    fn json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.json)
    }
}

impl From<held::HeldItem> for HeldItem {
    fn from(item: held::HeldItem) -> Self {
        let held::HeldItem { namespace, name, json } = item;
        Self { namespace, name, json }
    }
}

/// The items of a list response that no archive is made from, bar those whose name can't become a path.
#[pyfunction]
#[pyo3(signature = (body, *, request, api_version, kind))]
pub fn read_items(
    py: Python<'_>,
    body: &[u8],
    request: &str,
    api_version: &str,
    kind: &str,
) -> PyResult<Vec<HeldItem>> {
    let items = py.detach(|| engine::read_all(body, api_version, kind));
    let items = items.map_err(|error| to_python(error, request))?;
    Ok(items.into_iter().map(HeldItem::from).collect())
}
