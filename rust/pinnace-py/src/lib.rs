//! The Python face of the engine: conversions, GIL release, error mapping. `_engine.pyi` is its whole truth.

mod archive;
mod page;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use pinnace_engine::deflate;
use pinnace_engine::error;
use pinnace_engine::protobuf::Table;
use pyo3::prelude::*;

pyo3::import_exception!(pinnace.errors, EngineError);
pyo3::import_exception!(pinnace.errors, MalformedPageError);

/// The Python exception for `error`, which befell the list response `request`.
fn to_python(error: error::EngineError, request: &str) -> PyErr {
    match error {
        error::EngineError::Page(page) => {
            MalformedPageError::new_err((request.to_owned(), page.offset, page.reason.word(), page.detail.into_owned()))
        }
        error::EngineError::Archive(sentence) => EngineError::new_err(sentence.into_owned()),
    }
}

/// Lock what only calls without the GIL hold for long; after a panic in one the archive refuses further calls.
fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>, error::EngineError> {
    mutex.lock().map_err(|_| error::EngineError::archive("an earlier call panicked; the archive is lost"))
}

/// Version, profile, target and commit of the build, `deflate` (library in use) and `deflate_version`.
#[pyfunction]
fn build_info() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("version", env!("CARGO_PKG_VERSION")),
        ("profile", env!("PINNACE_PROFILE")),
        ("target", env!("PINNACE_TARGET")),
        ("commit", env!("PINNACE_COMMIT")),
        ("deflate", deflate::LIBRARY),
        ("deflate_version", deflate::VERSION),
    ])
}

/// `apiVersion` and kind of what lists of a server of that minor version may be read as protobuf.
#[pyfunction]
#[pyo3(signature = (version, /))]
fn protobuf_kinds(py: Python<'_>, version: &str) -> Vec<(String, String)> {
    py.detach(|| {
        let table = Table::of(version);
        let kinds = table.iter().flat_map(|table| table.kinds());
        kinds.map(|(api_version, kind)| (api_version.to_owned(), kind.to_owned())).collect()
    })
}

/// The Rust extension: list responses in, archive bytes out.
#[pymodule]
mod _engine {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::archive::{Archive, Digest};
    #[pymodule_export]
    use super::build_info;
    #[pymodule_export]
    use super::page::{HeldItem, Page, PageSummary, RefusedItem, read_items};
    #[pymodule_export]
    use super::protobuf_kinds;
    #[pymodule_export]
    use super::tls::{ChunkedBody, Piece, TlsSocket};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        if cfg!(debug_assertions) {
            let py = module.py();
            let category = py.get_type::<pyo3::exceptions::PyRuntimeWarning>();
            PyErr::warn(
                py,
                &category,
                c"pinnace._engine is a debug build, many times slower: use `just extension`",
                1,
            )?;
        }
        Ok(())
    }
}
