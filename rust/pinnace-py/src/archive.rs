//! `Archive` and `Digest`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use pinnace_engine::adoption::Stretch;
use pinnace_engine::archive::{self as engine, Folder};
use pinnace_engine::deflate::Level;
use pinnace_engine::error::EngineError;
use pinnace_engine::filter::ItemFilter;
use pinnace_engine::held::Hold;
use pinnace_engine::page::{MAX_ITEM_BYTES, Page as EnginePage, PageSpec};
use pinnace_engine::protobuf::Table;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::page::Page;
use crate::{lock, to_python};

/// What an archive and its open page share.
pub struct Shared {
    /// The archive itself.
    pub archive: engine::Archive,
    /// Whether a page is being fed.
    pub page_is_open: bool,
    finished: bool,
}

impl Shared {
    /// # Errors
    /// Where the archive can't take anything now.
    fn expect_unfinished(&self) -> Result<(), EngineError> {
        if self.finished { Err(EngineError::archive("the archive is finished")) } else { Ok(()) }
    }

    /// # Errors
    /// Where a page is open too.
    fn expect_idle(&self) -> Result<(), EngineError> {
        self.expect_unfinished()?;
        if self.page_is_open {
            return Err(EngineError::archive("a page is open; finish or abandon it first"));
        }
        Ok(())
    }
}

/// One backup's archive, index and resource list, made from pages in the order in which they are opened.
#[pyclass(frozen, module = "pinnace._engine")]
pub struct Archive {
    shared: Arc<Mutex<Shared>>,
}

#[pymethods]
impl Archive {
    #[new]
    #[pyo3(signature = (*, level, mtime_seconds, threads = 2, is_stretch = false))]
    fn new(level: &str, mtime_seconds: u64, threads: usize, is_stretch: bool) -> PyResult<Self> {
        let unknown = || EngineError::archive(format!("level {level:?} is none of fast, default, small"));
        let made = Level::named(level).ok_or_else(unknown);
        let make = if is_stretch { engine::Archive::stretch } else { engine::Archive::new };
        let archive =
            made.and_then(|level| make(level, mtime_seconds, threads)).map_err(|error| to_python(error, ""))?;
        let shared = Shared { archive, page_is_open: false, finished: false };
        Ok(Self { shared: Arc::new(Mutex::new(shared)) })
    }

    /// Open the next list response; one page is open at a time (EngineError otherwise).
    #[pyo3(
        signature = (*, request, group_resource, api_version, kind, preferred = true, protobuf_of = "",
            refuses_nil = false, excluded_namespaces = Vec::new(), only_names = None, deduplicate = false, hold_everything = false,
            hold_namespaces = None, hold_names = None, hold_paths = Vec::new(), skip_items = 0, skip_uid = None),
        text_signature = "($self, *, request, group_resource, api_version, kind, preferred=True, \
            protobuf_of='', refuses_nil=False, excluded_namespaces=(), only_names=None, deduplicate=False, hold_everything=False, \
            hold_namespaces=None, hold_names=None, hold_paths=(), skip_items=0, skip_uid=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments, as in the .pyi")]
    fn page(
        &self,
        py: Python<'_>,
        request: String,
        group_resource: &str,
        api_version: &str,
        kind: &str,
        preferred: bool,
        protobuf_of: &str,
        refuses_nil: bool,
        excluded_namespaces: Vec<String>,
        only_names: Option<HashSet<String>>,
        deduplicate: bool,
        hold_everything: bool,
        hold_namespaces: Option<HashSet<String>>,
        hold_names: Option<HashSet<String>>,
        hold_paths: Vec<Vec<String>>,
        skip_items: u64,
        skip_uid: Option<String>,
    ) -> PyResult<Page> {
        let filter = ItemFilter {
            excluded_namespaces: excluded_namespaces.into_iter().collect(),
            only_names,
            deduplicate,
            takes_all: false,
        };
        let mut hold = if hold_everything { Hold::everything() } else { Hold::default() };
        (hold.namespaces, hold.names) = (hold_namespaces.unwrap_or_default(), hold_names.unwrap_or_default());
        let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
        let opened = py.detach(|| {
            let folder = Folder::new(group_resource, &api_version, preferred)?;
            let protobuf = protobuf_table(protobuf_of)?;
            let mut shared = lock(&self.shared)?;
            shared.expect_idle()?;
            shared.archive.enter(folder);
            shared.page_is_open = true;
            let max_item_bytes = MAX_ITEM_BYTES;
            Ok(EnginePage::new(PageSpec {
                api_version,
                kind,
                filter,
                hold: hold.at_paths(hold_paths),
                skip_items,
                skip_uid,
                max_item_bytes,
                protobuf,
                refuses_nil,
            }))
        });
        let page = opened.map_err(|error| to_python(error, &request))?;
        Ok(Page::new(request, page, Arc::clone(&self.shared)))
    }

    /// Note that an item is being archived; False where it was noted before.
    #[pyo3(signature = (*, api_version, kind, namespace, name))]
    fn register(&self, py: Python<'_>, api_version: &str, kind: &str, namespace: &str, name: &str) -> PyResult<bool> {
        let is_new = py.detach(|| Ok(lock(&self.shared)?.archive.register(api_version, kind, namespace, name)));
        is_new.map_err(|error| to_python(error, ""))
    }

    /// Archive one item given as JSON, also between the chunks of a page; False where it was already written.
    #[pyo3(signature = (item, *, group_resource, api_version, kind, preferred = true, registered = false))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments, as in the .pyi")]
    fn add_item(
        &self,
        py: Python<'_>,
        item: &[u8],
        group_resource: &str,
        api_version: &str,
        kind: &str,
        preferred: bool,
        registered: bool,
    ) -> PyResult<bool> {
        let added = py.detach(|| {
            let folder = Folder::new(group_resource, api_version, preferred)?;
            let mut shared = lock(&self.shared)?;
            shared.expect_unfinished()?;
            shared.archive.add_item(folder, item, api_version, kind, registered)
        });
        added.map_err(|error| to_python(error, &format!("one item of {group_resource}")))
    }

    /// What follows begins a new gzip member, if anything came before; EngineError while a page is open.
    fn cut(&self, py: Python<'_>) -> PyResult<()> {
        self.idle(py, engine::Archive::cut)
    }

    /// Take the next bytes of the gunzipped index of a stretch, which begins where this archive is now.
    fn adopt_index(&self, py: Python<'_>, lines: &[u8]) -> PyResult<()> {
        self.idle(py, |archive| archive.adopt_index(lines))
    }

    /// End the stretch whose index was taken, if it had any: its bytes are the archive's next ones.
    #[pyo3(signature = (*, archive_bytes, archive_sha256, tar_bytes, member_count))]
    fn adopt(
        &self,
        py: Python<'_>,
        archive_bytes: u64,
        archive_sha256: String,
        tar_bytes: u64,
        member_count: u64,
    ) -> PyResult<()> {
        let stretch = Stretch { bytes: archive_bytes, sha256: archive_sha256 };
        self.idle(py, |archive| archive.adopt(stretch, tar_bytes, member_count))
    }

    /// Compressed bytes that are ready, whole gzip members, in order; empty if there are none.
    fn take_archive<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.take(py, engine::Archive::take_archive)
    }

    /// Ready bytes of the gzipped index.
    fn take_index<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.take(py, engine::Archive::take_index)
    }

    /// Ready bytes of the gzipped resource list.
    fn take_resource_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.take(py, engine::Archive::take_resource_list)
    }

    /// End all three streams; the last bytes are then there to take. EngineError while a page is open.
    fn finish(&self, py: Python<'_>) -> PyResult<Digest> {
        let finished = py.detach(|| {
            let mut shared = lock(&self.shared)?;
            shared.expect_idle()?;
            shared.finished = true;
            shared.archive.finish()
        });
        finished.map(Digest::from).map_err(|error| to_python(error, ""))
    }
}

/// The table of the minor version `version`; None for "", which means JSON.
fn protobuf_table(version: &str) -> Result<Option<Arc<Table>>, EngineError> {
    if version.is_empty() {
        return Ok(None);
    }
    let unknown = || EngineError::archive(format!("there is no table of protobuf fields of Kubernetes {version}"));
    Table::of(version).map(Some).ok_or_else(unknown)
}

impl Archive {
    /// Do something with the archive, which must not be finished or have a page open.
    fn idle(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut engine::Archive) -> Result<(), EngineError> + Send,
    ) -> PyResult<()> {
        let done = py.detach(|| {
            let mut shared = lock(&self.shared)?;
            shared.expect_idle()?;
            act(&mut shared.archive)
        });
        done.map_err(|error| to_python(error, ""))
    }

    /// The locking is left to the detached part: the holder may be compressing.
    fn take<'py>(
        &self,
        py: Python<'py>,
        bytes: impl Fn(&mut engine::Archive) -> Vec<u8> + Send + Sync,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let taken = py.detach(|| Ok(bytes(&mut lock(&self.shared)?.archive)));
        taken.map(|taken| PyBytes::new(py, &taken)).map_err(|error| to_python(error, ""))
    }
}

/// What the finished archive is.
#[pyclass(frozen, get_all, module = "pinnace._engine")]
pub struct Digest {
    archive_bytes: u64,
    archive_sha256: String,
    stretches: Vec<(u64, String)>,
    tar_bytes: u64,
    item_count: u64,
    index_sha256: String,
    member_count: u64,
}

impl From<engine::Digest> for Digest {
    fn from(digest: engine::Digest) -> Self {
        Self {
            archive_bytes: digest.archive_bytes,
            archive_sha256: digest.archive_sha256,
            stretches: digest.stretches.into_iter().map(|stretch| (stretch.bytes, stretch.sha256)).collect(),
            tar_bytes: digest.tar_bytes,
            item_count: digest.item_count,
            index_sha256: digest.index_sha256,
            member_count: digest.member_count,
        }
    }
}
