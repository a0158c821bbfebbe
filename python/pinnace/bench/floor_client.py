"""The floor: a minimal client that lists and throws the bodies away; run as a file, it needs the standard library only.

One thread reads all connections as their bytes come, in large pieces, and looks only for the end of each response and
its continue token. It shares no code with the backup, whose overhead it measures.
"""

import json
import re
import select
import socket
import ssl
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

__all__ = ["Floor", "Response", "continue_token"]

_PIECE_BYTES = 1 << 20
_HEAD_BYTES = 16 << 10
_TAIL_BYTES = 8 << 10
_END = b"0\r\n\r\n"
_CHUNK_BORDER = re.compile(rb"\r\n[0-9a-fA-F]+\r\n")
_TOKEN = re.compile(rb'"continue":"([^"]+)"')
_STALLED_SECONDS = 120
_THROTTLED, _THROTTLED_SECONDS = 429, 1.0


def continue_token(head: bytes, tail: bytes) -> str:
    """Find the token in the first or the last bytes of a list: typed lists have `metadata` first, custom ones last."""
    for part in (head, tail):
        # A line break never stands in compact JSON, so it is the framing.
        if found := _TOKEN.search(_CHUNK_BORDER.sub(b"", part)):
            return found[1].decode()
    return ""


@dataclass
class Response:
    """One response as it comes in: its status, its length, and the bytes about its ends."""

    status: int = 0
    missing_bytes: int | None = None
    body_bytes: int = 0
    is_complete: bool = False
    head: bytes = b""
    _headers: bytes = b""
    _last: deque[bytes] = field(default_factory=lambda: deque(maxlen=8))

    def feed(self, piece: bytes) -> None:
        """Take a piece; `is_complete` when it was the last."""
        if not self.status:
            self._headers += piece
            headers, found, piece = self._headers.partition(b"\r\n\r\n")
            if not found:
                return
            self.status = int(headers.split(b" ", 2)[1])
            if length := re.search(rb"\r\ncontent-length: *([0-9]+)", headers, re.IGNORECASE):
                self.missing_bytes = int(length[1])
        self.body_bytes += len(piece)
        if len(self.head) < _HEAD_BYTES:
            self.head += piece
        self._last.append(piece)
        if self.missing_bytes is not None:
            self.is_complete = self.body_bytes >= self.missing_bytes
        else:
            self.is_complete = piece.endswith(_END) or (len(piece) < len(_END) and self.tail.endswith(_END))

    @property
    def tail(self) -> bytes:
        """The last bytes so far."""
        return b"".join(self._last)[-_TAIL_BYTES:]


class _Connection:
    """TLS over one socket, decrypted from memory: one system call for many records."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self.socket = socket.create_connection((host, port), timeout=_STALLED_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=host) if context else None
        if self._tls:
            self._handshake(self._tls)

    def _handshake(self, tls: ssl.SSLObject) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self.socket.sendall(self._to_send.read())
                self._received.write(self._receive())
            else:
                self.socket.sendall(self._to_send.read())
                return

    def send(self, request: bytes) -> None:
        """Send all of it."""
        if self._tls:
            self._tls.write(request)
            request = self._to_send.read()
        self.socket.sendall(request)

    def pieces(self) -> list[bytes]:
        """What has come, one piece for each record."""
        received = self._receive()
        if not self._tls:
            return [received]
        self._received.write(received)
        pieces = []
        try:
            while True:
                pieces.append(self._tls.read(_PIECE_BYTES))
        except ssl.SSLWantReadError:
            return pieces

    def _receive(self) -> bytes:
        received = self.socket.recv(_PIECE_BYTES)
        if not received:
            raise ConnectionError("the API server closed the connection")
        return received


class Floor:
    """Lists everything that `task` says, and throws it away.

    `task`: `server`, `caFile`, `certFile`, `keyFile`, `authorization` ("" for none), `accept`, `verifies`, `lists`
    (`path` and `isExact` each, in the order in which to ask), `pageItems` (0 is unpaged), `concurrency`, `isRevision`.
    """

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        server = urlsplit(task["server"])
        context = _tls_context(task) if server.scheme == "https" else None
        host, port = server.hostname or "", server.port or (443 if context else 80)
        self._base = server.path.rstrip("/")
        self._connections = [_Connection(host, port, context) for _ in range(max(1, task["concurrency"]))]
        authorization = f"Authorization: {task['authorization']}\r\n" if task["authorization"] else ""
        self._head = f" HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}"
        self._waiting = deque((entry["path"], bool(entry["isExact"]), "") for entry in task["lists"])
        self._asked: dict[int, tuple[_Connection, tuple[str, bool, str], Response]] = {}
        self._revision = ""
        self.body_bytes = self.request_count = 0

    def run(self) -> dict[str, Any]:
        """List; gives times (CLOCK_MONOTONIC), bytes with their framing, and requests."""
        started = time.monotonic()
        if self._task["isRevision"]:
            self._revision = self._newest_revision()
        idle = list(self._connections)
        with select.epoll() as poll:
            for connection in idle:
                poll.register(connection.socket, select.EPOLLIN)
            while self._waiting or self._asked:
                while idle and self._waiting:
                    self._ask(idle.pop(), self._waiting.popleft())
                events = poll.poll(_STALLED_SECONDS)
                if not events:
                    raise TimeoutError(f"the API server sent nothing for {_STALLED_SECONDS} s")
                for number, _ in events:
                    idle.extend(self._read(number))
        return {
            "firstListSeconds": started,
            "endedSeconds": time.monotonic(),
            "bytes": self.body_bytes,
            "requests": self.request_count,
        }

    def _newest_revision(self) -> str:
        connection, response = self._connections[0], Response()
        self._send(connection, "/api/v1/namespaces?limit=1", accept="application/json")
        while not response.is_complete:
            for piece in connection.pieces():
                response.feed(piece)
        self._check(response, "/api/v1/namespaces")
        found = re.search(rb'"resourceVersion":"([0-9]+)"', response.head)
        if found is None:
            raise ConnectionError(f"GET /api/v1/namespaces: no resourceVersion in {response.head[:500]!r}")
        return found[1].decode()

    def _send(self, connection: _Connection, path: str, *, accept: str) -> None:
        connection.send(f"GET {self._base}{path}{self._head}Accept: {accept}\r\n\r\n".encode())

    def _ask(self, connection: _Connection, wanted: tuple[str, bool, str]) -> None:
        path, is_exact, token = wanted
        query = [f"limit={self._task['pageItems']}"] if self._task["pageItems"] else []
        if token:
            query.append(f"continue={quote(token, safe='')}")
        elif is_exact and self._revision:
            query.append(f"resourceVersion={self._revision}&resourceVersionMatch=Exact")
        self._send(connection, f"{path}?{'&'.join(query)}", accept=self._task["accept"])
        self._asked[connection.socket.fileno()] = (connection, wanted, Response())
        self.request_count += 1

    def _read(self, number: int) -> list[_Connection]:
        """Take what has come; gives the connection, to be used again, where its response has ended."""
        if number not in self._asked:
            raise ConnectionError("the API server closed an idle connection")
        connection, wanted, response = self._asked[number]
        for piece in connection.pieces():
            response.feed(piece)
        if not response.is_complete:
            return []
        del self._asked[number]
        if response.status == _THROTTLED:
            time.sleep(_THROTTLED_SECONDS)
            self._waiting.append(wanted)
            return [connection]
        self._check(response, wanted[0])
        self.body_bytes += response.body_bytes
        if token := continue_token(response.head, response.tail) if self._task["pageItems"] else "":
            self._waiting.appendleft((wanted[0], wanted[1], token))
        return [connection]

    def _check(self, response: Response, path: str) -> None:
        if response.status != 200:
            raise ConnectionError(f"GET {path}: status {response.status}: {response.tail[:500]!r}")


def _tls_context(task: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=task["caFile"] or None)
    if not task["verifies"]:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if task["certFile"]:
        context.load_cert_chain(task["certFile"], task["keyFile"] or None)
    return context


if __name__ == "__main__":
    json.dump(Floor(json.load(sys.stdin)).run(), sys.stdout)
