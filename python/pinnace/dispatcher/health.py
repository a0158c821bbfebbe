"""What a kubelet and a Prometheus ask the dispatcher: /healthz, /readyz, /metrics."""

import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

__all__ = ["serve"]

_Application = Callable[..., Iterable[bytes]]


_REQUEST_SECONDS = 10
"""How long one connection may say nothing; the kubelet's probes give up much earlier."""


class _Quiet(WSGIRequestHandler):
    timeout = _REQUEST_SECONDS

    def log_message(self, *_: object) -> None:
        """A probe every few seconds is no news."""


class _Server(ThreadingMixIn, WSGIServer):
    """A connection of its own thread each, so that one that sends nothing does not make the probes fail."""

    daemon_threads = True

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class _DualStackServer(_Server):
    address_family = socket.AF_INET6


def serve(
    *, port: int, registry: CollectorRegistry, is_alive: Callable[[], bool], is_ready: Callable[[], bool]
) -> WSGIServer:
    """Serve on all addresses, IPv4 and IPv6, in a thread of its own; close by `shutdown()` and `server_close()`.

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

    server_class = _DualStackServer if socket.has_dualstack_ipv6() else _Server
    server = make_server("", port, application, server_class=server_class, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
