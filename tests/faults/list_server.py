"""A fake apiserver, for faults that a real one can't be made to show: each answer is scripted, one a request."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from command import kubeconfig_of
from pinnace.kube.client import Client, connect

__all__ = ["Answer", "serving"]


@dataclass(frozen=True)
class Answer:
    """One answer; `cut_after` bytes of the body the connection ends."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None


@contextmanager
def serving(answers: Sequence[Answer], *, folder: Path) -> Iterator[tuple[Client, list[str]]]:
    """Serve the answers in order; gives a client and the paths that were asked for."""
    asked: list[str] = []
    script = iter(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            answer = next(script)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.cut_after])
            if answer.cut_after is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        kubeconfig = kubeconfig_of(f"http://127.0.0.1:{server.server_port}", folder=folder)
        yield connect(kubeconfig=kubeconfig), asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
