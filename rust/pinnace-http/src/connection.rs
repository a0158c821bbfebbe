//! One TLS connection: requests out, responses in, decrypted from a buffer that one system call fills.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};

use crate::chunked::Chunked;
use crate::error::TransportError;

/// What one system call reads: many records, each of which has 16 KiB and a little at the most.
const INCOMING_BYTES: usize = 256 << 10;

/// A call that brought no more was faster than the server, which writes 4 kB at a time, and wakes the reader for each.
const FEW_BYTES: usize = 32 << 10;

/// Waited before the next call then: what comes meanwhile, 30 to 100 kB, comes by one call.
const PAUSE: Duration = Duration::from_micros(200);

/// Room for what a record or a message of the handshake has beside its contents.
const RECORD_OVERHEAD_BYTES: usize = 1 << 10;

/// What a step along the connection led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There may be more to do with what is there.
    Again,
    /// Only what the other side sends leads on.
    Receive,
    /// The other side has said that it sends no more.
    Closed,
}

/// One connection.
pub struct Connection {
    socket: TcpStream,
    tls: UnbufferedClientConnection,
    /// Received and not yet decrypted: `incoming[from..to]`.
    incoming: Vec<u8>,
    from: usize,
    to: usize,
    outgoing: Vec<u8>,
    /// Decrypted, and not yet taken from `plain_from` on.
    plain: Vec<u8>,
    plain_from: usize,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Connection {
    /// Shake hands over `socket`, which must block, with the server called `name` (a DNS name or an address).
    ///
    /// # Errors
    /// `Tls` where its certificate is not accepted, or ours is not; `Io` and `Closed` where the socket fails.
    pub fn open(socket: TcpStream, name: &str, config: Arc<ClientConfig>) -> Result<Self, TransportError> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| TransportError::Tls(format!("{name} is no name of a server").into()))?;
        let tls = UnbufferedClientConnection::new(config, name)?;
        let incoming = vec![0; INCOMING_BYTES];
        let mut connection =
            Self { socket, tls, incoming, from: 0, to: 0, outgoing: Vec::new(), plain: Vec::new(), plain_from: 0 };
        connection.send(&[])?;
        Ok(connection)
    }

    /// Send all of `bytes`.
    ///
    /// # Errors
    /// Where the socket fails, or the other side ends the connection.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        let mut left = Some(bytes);
        let mut received = Vec::new();
        let sent = loop {
            match self.step(&mut left, |payload| received.extend_from_slice(payload)) {
                Ok(_) if left.is_none() => break Ok(()),
                Ok(Step::Again) => {}
                Ok(Step::Receive) => drop(self.receive()?),
                Ok(Step::Closed) => break Err(TransportError::Closed),
                Err(error) => break Err(error),
            }
        };
        self.plain.extend(received);
        sent
    }

    /// Up to `most` bytes, as soon as there is one; none where the other side has ended the connection.
    ///
    /// # Errors
    /// Where the socket fails, nothing comes in time, or TLS is broken.
    pub fn receive_some(&mut self, most: usize) -> Result<Vec<u8>, TransportError> {
        self.forget_taken();
        let mut plain = std::mem::take(&mut self.plain);
        while plain.is_empty() {
            match self.step(&mut None, |payload| plain.extend_from_slice(payload))? {
                Step::Again => {}
                Step::Closed => break,
                Step::Receive => match self.receive() {
                    Err(TransportError::Closed) => break,
                    result => drop(result?),
                },
            }
        }
        self.plain = plain;
        let taken = self.plain[..most.min(self.plain.len())].to_vec();
        self.plain_from = taken.len();
        Ok(taken)
    }

    /// Append to `body` what comes of a chunked one, until it has `least` bytes or all.
    ///
    /// # Errors
    /// As `receive_some`; `Closed` where the body is not complete, `Framing` where it is broken or bytes follow it.
    pub fn receive_body(
        &mut self,
        chunked: &mut Chunked,
        body: &mut Vec<u8>,
        least: usize,
    ) -> Result<(), TransportError> {
        self.forget_taken();
        let plain = std::mem::take(&mut self.plain);
        chunked.take_all(&plain, body)?;
        let mut is_ahead = false;
        while body.len() < least && !chunked.has_ended() {
            let mut taken = Ok(());
            let step = self.step(&mut None, |payload| {
                if taken.is_ok() {
                    taken = chunked.take_all(payload, body);
                }
            })?;
            taken?;
            match step {
                Step::Again => {}
                Step::Receive => {
                    if is_ahead {
                        std::thread::sleep(PAUSE);
                    }
                    is_ahead = self.receive()? < FEW_BYTES;
                }
                Step::Closed => return Err(TransportError::Closed),
            }
        }
        Ok(())
    }

    /// Do what the connection wants done next; `left` is what is to be sent, and None once it is.
    fn step(&mut self, left: &mut Option<&[u8]>, mut take: impl FnMut(&[u8])) -> Result<Step, TransportError> {
        let UnbufferedStatus { mut discard, state } =
            self.tls.process_tls_records(&mut self.incoming[self.from..self.to]);
        let step = match state? {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    take(record.payload);
                }
                Step::Again
            }
            ConnectionState::EncodeTlsData(mut data) => {
                append(&mut self.outgoing, |room| data.encode(room).map_err(EncodeFailure::from))?;
                Step::Again
            }
            ConnectionState::TransmitTlsData(data) => {
                self.socket.write_all(&self.outgoing)?;
                self.outgoing.clear();
                data.done();
                Step::Again
            }
            ConnectionState::WriteTraffic(mut traffic) => {
                if let Some(bytes) = left.take().filter(|bytes| !bytes.is_empty()) {
                    append(&mut self.outgoing, |room| traffic.encrypt(bytes, room).map_err(EncodeFailure::from))?;
                    self.socket.write_all(&self.outgoing)?;
                    self.outgoing.clear();
                }
                Step::Receive
            }
            ConnectionState::PeerClosed | ConnectionState::Closed => Step::Closed,
            // What is left is waiting for the handshake; early data is a server's alone.
            _ => Step::Receive,
        };
        self.from += discard;
        Ok(step)
    }

    /// Wait for what the other side sends; gives how many bytes came.
    fn receive(&mut self) -> Result<usize, TransportError> {
        self.incoming.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        let count = loop {
            match self.socket.read(&mut self.incoming[self.to..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if count == 0 {
            return Err(TransportError::Closed);
        }
        self.to += count;
        Ok(count)
    }

    fn forget_taken(&mut self) {
        self.plain.drain(..self.plain_from);
        self.plain_from = 0;
    }
}

/// Why bytes could not be put into the room that was there.
enum EncodeFailure {
    Room(usize),
    Other(String),
}

impl From<EncodeError> for EncodeFailure {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::InsufficientSize(short) => Self::Room(short.required_size),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<EncryptError> for EncodeFailure {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::InsufficientSize(short) => Self::Room(short.required_size),
            other => Self::Other(other.to_string()),
        }
    }
}

/// Append to `outgoing` what `encode` writes, in as much room as it asks for.
fn append(
    outgoing: &mut Vec<u8>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeFailure>,
) -> Result<(), TransportError> {
    let before = outgoing.len();
    let mut room = RECORD_OVERHEAD_BYTES;
    loop {
        outgoing.resize(before + room, 0);
        match encode(&mut outgoing[before..]) {
            Ok(written) => {
                outgoing.truncate(before + written);
                return Ok(());
            }
            Err(EncodeFailure::Room(required)) if required > room => room = required,
            Err(EncodeFailure::Room(_)) => return Err(TransportError::Tls("it asks for room that it has".into())),
            Err(EncodeFailure::Other(why)) => return Err(TransportError::Tls(why.into())),
        }
    }
}
