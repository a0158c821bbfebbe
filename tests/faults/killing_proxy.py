"""A fault: a process ends at one of its writes, just before the write gets through or before its answer is delivered.

A proxy stands between the process and each server that it writes to, and kills it there; the product knows nothing.
"""

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Cut", "KillingProxy", "Request", "between"]

_READS = ("GET", "HEAD", "OPTIONS")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"})
_OF_ITS_TIME = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|"resourceVersion": ?"\d*"')
_CHUNK_BYTES = 1 << 16
_TIMEOUT_SECONDS = 120.0


class Cut(Enum):
    """Where the process ends: the server has not heard of the write, or has done it and the process never learns."""

    BEFORE = auto()
    AFTER = auto()


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    body: bytes = field(repr=False)

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.method not in _READS

    @property
    def key(self) -> tuple[str, str, bytes]:
        """The same for the same write of a later process: without times and versions."""
        return self.method, self.path, _OF_ITS_TIME.sub(b"", self.body)


@dataclass
class KillingProxy:
    """What happens to writes: `decide` is asked for each, one after the other, and `kill` ends the process.

    A write that the server refuses changed nothing, so that no process is ended after it. `requests` are those that
    got through, of all servers.
    """

    decide: Callable[[Request], Cut | None] = lambda _: None
    kill: Callable[[], None] = lambda: None
    urls: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _upstreams: set[HTTPConnection] = field(default_factory=set)
    _is_cut: bool = False
    _life: int = 0

    def begin(self, kill: Callable[[], None]) -> None:
        """Serve another process, once the one before it is gone."""
        with self._lock:
            self.kill, self._is_cut = kill, False
            self._life += 1

    @property
    def life(self) -> int:
        """Which process is served; what an earlier one had still under way does not get through any more."""
        return self._life

    @property
    def writes(self) -> list[Request]:
        """The writes that got through."""
        return [request for request in self.requests if request.is_write]

    def pass_on(self, request: Request, life: int, forward: Callable[[], tuple[int, Callable[[], None]]]) -> bool:
        """Forward it and deliver the answer; False where the process has ended and nothing is to be delivered."""
        if not request.is_write:
            if self._is_over(life):
                return False
            self.requests.append(request)
            forward()[1]()
            return True
        with self._lock:
            if self._is_over(life):
                return False
            cut = self.decide(request)
            if cut is Cut.BEFORE:
                self._end()
                return False
            status, deliver = forward()
            self.requests.append(request)
            if cut is Cut.AFTER and status < 300:
                self._end()
                return False
        deliver()
        return True

    def _is_over(self, life: int) -> bool:
        return self._is_cut or life != self._life

    def _end(self) -> None:
        self._is_cut = True
        self.kill()
        for upstream in list(self._upstreams):
            with suppress(OSError, AttributeError):
                upstream.sock.shutdown(SHUT_RDWR)  # of a watch, to which nobody listens any more

    @contextmanager
    def upstream(self, connection: HTTPConnection) -> Iterator[HTTPConnection]:
        """Keep it among those that end with the process."""
        self._upstreams.add(connection)
        try:
            yield connection
        finally:
            self._upstreams.discard(connection)
            connection.close()


@contextmanager
def between(*servers: tuple[str, ssl.SSLContext | None]) -> Iterator[KillingProxy]:
    """Stand before the servers, by plain HTTP on the loopback interface; `urls` are in the order of the servers."""
    proxy = KillingProxy()
    with ExitStack() as stack:
        for url, context in servers:
            listener = _Listener(proxy, url, context)
            threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(listener.server_close)
            stack.callback(listener.shutdown)
            proxy.urls.append(f"http://127.0.0.1:{listener.server_port}")
        yield proxy


class _Listener(ThreadingHTTPServer):
    """Where the process takes the server to be."""

    daemon_threads = True

    def __init__(self, proxy: KillingProxy, url: str, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self._address = urlsplit(url)
        self._context = context

    def connect(self) -> HTTPConnection:
        """A connection to the server itself."""
        host, port = str(self._address.hostname), self._address.port
        if self._context is None:
            return HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
        return HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=self._context)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        assert isinstance(self.server, _Listener)
        self._proxy, self._connection = self.server.proxy, self.server.connect()
        self._life = self._proxy.life

    def handle(self) -> None:
        with suppress(OSError, HTTPException), self._proxy.upstream(self._connection):
            super().handle()

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, body)
        if not self._proxy.pass_on(request, self._life, lambda: self._forward(request)):
            self.close_connection = True

    def _forward(self, request: Request) -> tuple[int, Callable[[], None]]:
        """Ask the server; the answer of a write is whole, of a read it may be a watch without end."""
        upstream = self._connection
        upstream.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                upstream.putheader(name, value)
        if request.body or request.is_write:
            upstream.putheader("Content-Length", str(len(request.body)))
        upstream.endheaders(request.body)
        answer = upstream.getresponse()
        whole = answer.read() if request.is_write else None
        return answer.status, lambda: self._deliver(answer, whole)

    def _deliver(self, answer: HTTPResponse, whole: bytes | None) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if whole is None else str(len(whole))
        has_body = self.command != "HEAD" and answer.status not in (204, 304)
        if length is not None:
            self.send_header("Content-Length", length)
        elif has_body:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if has_body:
            self._send_body(answer, whole, is_chunked=length is None)
        answer.read()  # its end, without which the connection takes no other request

    def _send_body(self, answer: HTTPResponse, whole: bytes | None, *, is_chunked: bool) -> None:
        if whole is not None:
            self.wfile.write(whole)
            return
        while chunk := answer.read1(_CHUNK_BYTES):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if is_chunked else chunk)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 - the library's names

    def log_message(self, *_: Any) -> None:
        """Nothing: what the dispatcher says is enough."""
