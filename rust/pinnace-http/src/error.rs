//! Why a connection can't go on.

use std::borrow::Cow;
use std::io;

/// Why a connection can't go on.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The socket failed, or nothing came in time.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// TLS refused: a certificate, a record that was tampered with, an alert of the other side.
    #[error("TLS: {0}")]
    Tls(Cow<'static, str>),
    /// The body is not chunked as RFC 9112, section 7.1, wants it.
    #[error("the chunked body is broken: {0}")]
    Framing(&'static str),
    /// The connection ended where more was to come.
    #[error("the server closed the connection")]
    Closed,
}

impl From<rustls::Error> for TransportError {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error.to_string().into())
    }
}
