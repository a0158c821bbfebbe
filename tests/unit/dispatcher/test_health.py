"""A kubelet's probes and a Prometheus are answered, whoever else is connected."""

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pinnace.dispatcher import health
from pinnace.dispatcher.metrics import Metrics


@contextmanager
def _served(*, is_alive: Callable[[], bool], is_ready: Callable[[], bool]) -> Iterator[int]:
    server = health.serve(port=0, registry=Metrics().registry, is_alive=is_alive, is_ready=is_ready)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _ask(port: int, path: str, *, host: str = "127.0.0.1") -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=30) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


_TEXT = "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("is_alive", "is_ready", "healthz", "readyz"),
    [
        (True, True, (200, _TEXT, "ok\n"), (200, _TEXT, "ok\n")),
        (True, False, (200, _TEXT, "ok\n"), (503, _TEXT, "not yet\n")),
        (False, False, (503, _TEXT, "not yet\n"), (503, _TEXT, "not yet\n")),
    ],
)
def test_probes_say_what_the_dispatcher_says_of_itself(
    is_alive: bool, is_ready: bool, healthz: tuple[int, str, str], readyz: tuple[int, str, str]
) -> None:
    with _served(is_alive=lambda: is_alive, is_ready=lambda: is_ready) as port:
        assert (_ask(port, "/healthz"), _ask(port, "/readyz")) == (healthz, readyz)


def test_a_probe_that_breaks_is_no_success() -> None:
    def broken() -> bool:
        raise RuntimeError("broken on purpose")

    with _served(is_alive=broken, is_ready=lambda: True) as port:
        assert _ask(port, "/healthz")[0] == 500
        assert _ask(port, "/readyz") == (200, _TEXT, "ok\n")


def test_another_path_is_not_found() -> None:
    with _served(is_alive=lambda: True, is_ready=lambda: True) as port:
        assert _ask(port, "/") == (404, _TEXT, "not found\n")


def test_metrics_are_served() -> None:
    with _served(is_alive=lambda: True, is_ready=lambda: True) as port:
        status, kind, body = _ask(port, "/metrics")
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert 'velero_backup_attempt_total{schedule=""} 0.0' in body.splitlines()


def test_a_connection_that_says_nothing_does_not_keep_the_probes_waiting() -> None:
    with (
        _served(is_alive=lambda: True, is_ready=lambda: True) as port,
        socket.create_connection(("127.0.0.1", port)),
        socket.create_connection(("127.0.0.1", port)),
    ):
        assert _ask(port, "/healthz") == (200, _TEXT, "ok\n")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_cluster_is_answered_too() -> None:
    with _served(is_alive=lambda: True, is_ready=lambda: True) as port:
        assert _ask(port, "/healthz", host="[::1]") == (200, _TEXT, "ok\n")
