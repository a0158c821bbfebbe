//! `TlsSocket` and `ChunkedBody`.

use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinnace_http::chunked::Chunked;
use pinnace_http::connection::Connection;
use pinnace_http::error::TransportError;
use pinnace_http::trust::{Identity, config};
use pyo3::exceptions::{PyConnectionError, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// By so much the last record of a piece may make it larger than asked for.
const LARGEST_RECORD_BYTES: usize = 16 << 10;

/// `ConnectionError`, or `TimeoutError` where nothing came in time: both are what Python's own sockets raise.
fn to_python(error: &TransportError) -> PyErr {
    match error {
        TransportError::Io(cause) if is_timeout(cause) => PyTimeoutError::new_err("the read operation timed out"),
        _ => PyConnectionError::new_err(error.to_string()),
    }
}

/// A blocking socket with a time-out says `WouldBlock` when it is over.
fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// A panic while it was locked leaves a connection that TLS itself refuses to go on with.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A TLS connection, to be used as Python's sockets are.
#[pyclass(frozen, module = "pinnace._engine")]
pub struct TlsSocket {
    connection: Mutex<Connection>,
    /// The same socket, for what another thread asks of it while one waits.
    socket: TcpStream,
}

#[pymethods]
impl TlsSocket {
    #[new]
    #[pyo3(signature = (descriptor, /, *, server_name, authority, certificate, key, timeout_seconds))]
    fn new(
        py: Python<'_>,
        descriptor: RawFd,
        server_name: &str,
        authority: &[u8],
        certificate: &[u8],
        key: &[u8],
        timeout_seconds: f64,
    ) -> PyResult<Self> {
        // SAFETY: `_engine.pyi` asks for a descriptor that its owner has given up (`socket.detach()`), so that nobody
        // else closes it; a number that is none of an open file makes the first call below fail.
        let socket = TcpStream::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
        let identity = (!certificate.is_empty()).then_some(Identity { certificate_pem: certificate, key_pem: key });
        py.detach(|| {
            socket.set_nonblocking(false)?;
            set_timeout(&socket, Some(timeout_seconds))?;
            let other = socket.try_clone()?;
            let connection = Connection::open(socket, server_name, config(authority, identity)?)?;
            Ok(Self { connection: Mutex::new(connection), socket: other })
        })
        .map_err(|error| to_python(&error))
    }

    /// The socket's number, to wait for it.
    fn fileno(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Let reading and writing wait so long; None: for ever.
    #[pyo3(signature = (seconds, /))]
    fn settimeout(&self, seconds: Option<f64>) -> PyResult<()> {
        set_timeout(&self.socket, seconds).map_err(|error| to_python(&error))
    }

    /// Send all of it.
    #[pyo3(signature = (data, /))]
    fn sendall(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        py.detach(|| lock(&self.connection).send(data)).map_err(|error| to_python(&error))
    }

    /// Up to `most` bytes, as soon as there is one; none at the end.
    #[pyo3(signature = (most, /))]
    fn recv<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyBytes>> {
        let received = py.detach(|| lock(&self.connection).receive_some(most)).map_err(|error| to_python(&error))?;
        Ok(PyBytes::new(py, &received))
    }

    /// End it in both directions; a thread that waits gets an error at once.
    fn hang_up(&self) -> PyResult<()> {
        self.socket.shutdown(Shutdown::Both).map_err(|error| to_python(&error.into()))
    }
}

fn set_timeout(socket: &TcpStream, seconds: Option<f64>) -> Result<(), TransportError> {
    // No time at all would mean: for ever.
    let timeout = seconds.map(|seconds| Duration::from_secs_f64(seconds.clamp(0.001, 1e9)));
    socket.set_read_timeout(timeout)?;
    socket.set_write_timeout(timeout)?;
    Ok(())
}

/// A chunked body that is being read from a socket.
#[pyclass(frozen, module = "pinnace._engine")]
pub struct ChunkedBody {
    socket: Py<TlsSocket>,
    state: Mutex<State>,
}

struct State {
    chunked: Chunked,
    /// Of the body, from what was read before.
    begun: Vec<u8>,
}

#[pymethods]
impl ChunkedBody {
    /// A body of which `begun` was read from `socket` already, its framing still about it.
    #[new]
    fn new(socket: Py<TlsSocket>, begun: &[u8]) -> PyResult<Self> {
        let mut state = State { chunked: Chunked::default(), begun: Vec::new() };
        state.chunked.take_all(begun, &mut state.begun).map_err(|error| to_python(&error))?;
        Ok(Self { socket, state: Mutex::new(state) })
    }

    /// At least `least` bytes, or what is left; none after the end. `ConnectionError` where the body breaks off.
    #[pyo3(signature = (least, /))]
    fn read(&self, py: Python<'_>, least: usize) -> PyResult<Piece> {
        let socket = self.socket.get();
        let piece = py.detach(|| {
            let State { chunked, begun } = &mut *lock(&self.state);
            let mut piece = Piece::empty();
            piece.0.append(begun);
            piece.0.reserve(least.saturating_add(LARGEST_RECORD_BYTES).saturating_sub(piece.0.len()));
            lock(&socket.connection).receive_body(chunked, &mut piece.0, least)?;
            Ok(piece)
        });
        piece.map_err(|error: TransportError| to_python(&error))
    }
}

/// Buffers of pieces that are gone, for those to come: fresh memory costs the system more than what is read into it.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// So many are kept.
const MOST_SPARE: usize = 16;

/// One that has grown beyond that is not.
const LARGEST_SPARE_BYTES: usize = 512 << 10;

/// Bytes of a body, in memory that the next ones use again.
#[pyclass(frozen, module = "pinnace._engine")]
pub struct Piece(Vec<u8>);

impl Piece {
    fn empty() -> Self {
        Self(lock(&SPARE).pop().unwrap_or_default())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        buffer.clear();
        let mut spare = lock(&SPARE);
        if spare.len() < MOST_SPARE && buffer.capacity() <= LARGEST_SPARE_BYTES {
            spare.push(buffer);
        }
    }
}

#[pymethods]
impl Piece {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0)
    }
}
