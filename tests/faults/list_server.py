"""A fake apiserver, for faults that a real one can't be made to show: each answer is scripted."""

import base64
import hashlib
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from command import kubeconfig_of
from pinnace.cluster.certificates import Certificates
from pinnace.kube.client import Client, connect

__all__ = ["Answer", "Asked", "chunked", "listening", "serving"]

_UPGRADED = 101
_WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True)
class Answer:
    """One answer; `cut_after` bytes of the body the connection ends, `hold` is waited for before the status line.

    `hold_after` bytes of the body, the rest waits for `hold` instead. With the header `Transfer-Encoding` the body has
    its framing already (`chunked`). One of status 101 opens a websocket: its body is
    what is then sent.
    """

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    hold: threading.Event | None = None
    hold_after: int | None = None


def chunked(body: bytes, *, chunk_bytes: int) -> bytes:
    """Give a body in chunks (RFC 9112, 7.1)."""
    chunks = (body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes))
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@dataclass
class Asked:
    """What came in: the paths in order, headers and bodies beside them, and how many connections brought them."""

    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0

    @property
    def queries(self) -> list[str]:
        """What stands behind the question marks."""
        return [path.partition("?")[2] for path in self.paths]


def _handler(next_answer: Callable[[str], Answer], asked: Asked) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            asked.connections += 1
            super().setup()

        def do_GET(self) -> None:
            asked.paths.append(self.path)
            asked.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            asked.headers.append(dict(self.headers.items()))
            answer = next_answer(self.path)
            _send_head(self, answer)
            self._send_body(answer)
            if answer.cut_after is not None:
                self.close_connection = True

        do_PATCH = do_GET  # noqa: N815 - http.server looks for this name

        def _send_body(self, answer: Answer) -> None:
            try:
                self.wfile.write(answer.body[: answer.cut_after if answer.hold_after is None else answer.hold_after])
                if answer.hold and answer.hold_after is not None:
                    answer.hold.wait()
                    self.wfile.write(answer.body[answer.hold_after : answer.cut_after])
            except OSError:  # the client hung up
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    return Handler


def _send_head(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    if answer.hold and answer.hold_after is None:
        answer.hold.wait()
    handler.send_response(answer.status)
    headers = dict(answer.headers)
    if answer.status == _UPGRADED:
        digest = hashlib.sha1((handler.headers["Sec-WebSocket-Key"] + _WEBSOCKET).encode()).digest()
        accept = base64.b64encode(digest).decode()
        headers |= {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}  # RFC 6455, 4.2.2
        handler.close_connection = True
    elif "Transfer-Encoding" not in headers:
        headers["Content-Length"] = str(len(answer.body))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


@contextmanager
def listening(
    next_answer: Callable[[str], Answer], *, tls: Certificates | None = None, asks_who: bool = False
) -> Iterator[tuple[str, Asked]]:
    """Serve what `next_answer` gives for each path; gives the server's URL. `asks_who` refuses TLS without a client's
    certificate.
    """
    asked = Asked()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(next_answer, asked))
    server.daemon_threads = True
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate("server"), tls.key("server"))
        if asks_who:
            context.load_verify_locations(tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving(answers: Sequence[Answer] | dict[str, list[Answer]], *, folder: Path) -> Iterator[tuple[Client, Asked]]:
    """Serve the answers in order, or for each path in order; gives a client and what was asked for."""
    script = [] if isinstance(answers, dict) else list(answers)
    by_path = answers if isinstance(answers, dict) else defaultdict(lambda: script)
    with listening(lambda path: by_path[path.partition("?")[0]].pop(0)) as (url, asked):
        yield connect(kubeconfig=kubeconfig_of(url, folder=folder)), asked
