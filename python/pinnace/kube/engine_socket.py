"""HTTPS connections whose records the extension decrypts, and whose chunked bodies it reads in large pieces.

Python's `ssl` gives one record at a time, of 4 kB where an API server writes a list, and each takes several
calls; docs/decisions/0019-bodies-are-read-by-the-extension.md has the figures.
"""

import io
import ssl
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
import urllib3.connection

from pinnace.engine import ChunkedBody, TlsSocket

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["EngineSocket", "TlsConnection", "chunked_body", "release"]

_HEAD_BYTES = 16 << 10
_HANDSHAKE_SECONDS = 10.0


class EngineSocket:
    """What `http.client` and urllib3 use of a socket, over a TlsSocket."""

    def __init__(self, tls: TlsSocket) -> None:
        self._tls = tls
        self._reader_count = 0
        self._is_closed = False
        self.sendall = tls.sendall
        self.fileno = tls.fileno
        self.settimeout = tls.settimeout

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Give a reader of its bytes, which may outlive it: `http.client` closes us before it reads a last response."""
        self._reader_count += 1
        return io.BufferedReader(_Reader(self, self._tls), _HEAD_BYTES)

    def reader_closed(self) -> None:
        """One of its readers needs it no more."""
        self._reader_count -= 1
        self._end_if_unused()

    def shutdown(self, _: int) -> None:
        """End both directions; a thread that reads gets an error at once."""
        self._tls.hang_up()

    def close(self) -> None:
        """Need it no more; it is ended with its last reader."""
        self._is_closed = True
        self._end_if_unused()

    def _end_if_unused(self) -> None:
        if self._is_closed and not self._reader_count:
            with suppress(OSError):  # the server was first
                self._tls.hang_up()


class _Reader(io.RawIOBase):
    def __init__(self, owner: EngineSocket, tls: TlsSocket) -> None:
        self._owner = owner
        self.tls = tls

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._owner.reader_closed()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        received = self.tls.recv(len(view))
        view[: len(received)] = received
        return len(received)


class TlsConnection(urllib3.connection.HTTPSConnection):
    """By the engine where it can do what is asked; else, and where its handshake fails, by Python's `ssl`.

    So what is accepted and what is refused, and by which words, is as with `ssl`: the engine's TLS is never the last.
    """

    def connect(self) -> None:
        """Connect and shake hands."""
        if not self._is_plain() or not self._connect_by_engine():
            super().connect()

    def _is_plain(self) -> bool:
        """Whether the server is reached directly and verified by an authority that is named."""
        is_verified = self.cert_reqs in (ssl.CERT_REQUIRED, "CERT_REQUIRED") and self.ca_certs is not None
        is_special = (self.proxy, self.ssl_context, self.assert_hostname, self.assert_fingerprint, self.key_password)
        return is_verified and all(value is None for value in is_special)

    def _connect_by_engine(self) -> bool:
        connected = self._new_conn()
        try:
            tls = TlsSocket(
                connected.detach(),
                server_name=self.server_hostname or self.host.strip("[]"),
                authority=_read(self.ca_certs),
                certificate=_read(self.cert_file),
                key=_read(self.key_file or self.cert_file),
                timeout_seconds=_HANDSHAKE_SECONDS,
            )
        except TimeoutError:
            raise
        except OSError:
            return False
        self.sock = EngineSocket(tls)
        self.is_verified = True
        return True


def _read(path: str | None) -> bytes:
    return Path(path).read_bytes() if path else b""


def chunked_body(answer: urllib3.BaseHTTPResponse) -> ChunkedBody | None:
    """Take the rest of an answer out of urllib3's hands, if it is chunked and came through the engine; only once.

    Whoever has read it to its end calls `release`.
    """
    original = _original(answer)
    if original is None or not original.chunked or "Content-Encoding" in answer.headers:
        return None
    reader = getattr(original.fp, "raw", None)
    if not isinstance(reader, _Reader):
        return None
    return ChunkedBody(reader.tls, original.fp.read1(_HEAD_BYTES))


def release(answer: urllib3.BaseHTTPResponse) -> None:
    """Let the connection serve other requests."""
    original = _original(answer)
    if original is not None:
        original.close()
    answer.release_conn()


def _original(answer: urllib3.BaseHTTPResponse) -> HTTPResponse | None:
    original = getattr(answer, "_original_response", None)
    return original if isinstance(original, HTTPResponse) else None
