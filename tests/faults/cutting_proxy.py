"""A proxy whose connections break off: each after a given number of the server's bytes, the later ones not at all."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["CuttingProxy", "cutting"]

_CHUNK_BYTES = 1 << 16


@dataclass
class CuttingProxy:
    """Where it listens, and how many connections it has taken; `before_cut` is called before each of the cuts."""

    url: str
    connections: int = 0
    before_cut: list[Callable[[], None]] = field(default_factory=list)


@contextmanager
def cutting(port: int, *, cuts_after_bytes: Sequence[int]) -> Iterator[CuttingProxy]:
    """Stand before a server on the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = CuttingProxy(f"http://127.0.0.1:{listener.getsockname()[1]}")
        cuts = iter(cuts_after_bytes)
        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    proxy.connections += 1
                    server = socket.create_connection(("127.0.0.1", port))
                    for run in (lambda s=server, c=client: _upstream(c, s), _downstream(proxy, client, server, cuts)):
                        threads.append(threading.Thread(target=run, daemon=True))
                        threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _upstream(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while received := client.recv(_CHUNK_BYTES):
            server.sendall(received)


def _downstream(
    proxy: CuttingProxy, client: socket.socket, server: socket.socket, cuts: Iterator[int]
) -> Callable[[], None]:
    left = next(cuts, None)

    def pump() -> None:
        nonlocal left
        with ExitStack() as sockets:
            for ended in (client, server):
                sockets.callback(ended.close)
                sockets.callback(_shut, ended)
            while received := server.recv(_CHUNK_BYTES):
                client.sendall(received if left is None else received[:left])
                left = None if left is None else left - len(received)
                if left is not None and left <= 0:
                    for call in proxy.before_cut:
                        call()
                    return

    def quietly() -> None:
        with suppress(OSError):
            pump()

    return quietly


def _shut(ended: socket.socket) -> None:
    with suppress(OSError):
        ended.shutdown(socket.SHUT_RDWR)
