"""A request that another thread can end, wherever it waits: for the server's first byte or for the next one."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import urllib3
import urllib3.connection

from pinnace.kube.engine_socket import EngineSocket, TlsConnection

__all__ = ["Call", "make_interruptible"]

_CURRENT = threading.local()


class Call:
    """One request in flight."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | EngineSocket | None = None
        self._is_ended = False

    def hang_up(self) -> None:
        """End it: the thread that waits for the server gets an error at once.

        Only connecting can't be cut short; it ends by its own timeout.
        """
        with self._lock:
            self._is_ended = True
            self._shut()

    @contextmanager
    def in_this_thread(self) -> Iterator[None]:
        """Requests that this thread sends meanwhile belong to this call."""
        _CURRENT.call = self
        try:
            yield
        finally:
            _CURRENT.call = None

    def end(self) -> None:
        """The answer was read: its connection serves other requests, which hanging up must not end."""
        with self._lock:
            self._socket = None

    def uses(self, connected: socket.socket | EngineSocket | None) -> None:
        """Note what hanging up has to shut."""
        with self._lock:
            self._socket = connected
            if self._is_ended:
                self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                if isinstance(self._socket, EngineSocket):
                    self._socket.shutdown(socket.SHUT_RDWR)
                else:
                    # Not SSLSocket.shutdown, which takes TLS away from under the thread that reads.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def make_interruptible(connections: urllib3.PoolManager) -> None:
    """Let requests through `connections` tell their call which socket they use."""
    connections.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _note_socket(connection: urllib3.connection.HTTPConnection) -> None:
    call: Call | None = getattr(_CURRENT, "call", None)
    if call is not None:
        call.uses(connection.sock)


class _Connection(urllib3.connection.HTTPConnection):
    def request(self, *arguments: Any, **options: Any) -> None:
        super().request(*arguments, **options)
        _note_socket(self)


class _TlsConnection(TlsConnection):
    def request(self, *arguments: Any, **options: Any) -> None:
        super().request(*arguments, **options)
        _note_socket(self)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
