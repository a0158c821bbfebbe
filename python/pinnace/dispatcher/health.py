"""What a kubelet and a Prometheus ask the dispatcher: /healthz, /readyz, /metrics."""

import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

__all__ = ["serve"]

_Application = Callable[..., Iterable[bytes]]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """A probe every few seconds is no news."""


def serve(
    *, port: int, registry: CollectorRegistry, is_alive: Callable[[], bool], is_ready: Callable[[], bool]
) -> WSGIServer:
    """Serve on all addresses, in a thread of its own; close by `shutdown()`.

    Alive is who still works on its queues, ready is who has seen the cluster once, leader or not.
    """
    metrics = make_wsgi_app(registry)
    answers = {"/healthz": is_alive, "/readyz": is_ready}

    def application(environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        ask = answers.get(path)
        if ask is None:
            status, body = HTTPStatus.NOT_FOUND, b"not found\n"
        elif ask():
            status, body = HTTPStatus.OK, b"ok\n"
        else:
            status, body = HTTPStatus.SERVICE_UNAVAILABLE, b"not yet\n"
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
        return [body]

    server = make_server("", port, application, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
