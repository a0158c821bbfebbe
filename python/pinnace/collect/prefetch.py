"""Reads a response ahead of its turn, in a thread of its own, holding a bounded number of bytes."""

import queue
import threading
import time
from collections.abc import Callable, Iterator

from pinnace.kube.client import Response

__all__ = ["Prefetch"]

_CHUNK_BYTES = 256 << 10
_CHUNKS = 32
"""8 MiB for each response; at most two are open, the one being archived and its successor."""


class Prefetch:
    """One request, sent at once; its chunks wait until somebody takes them."""

    def __init__(self, open_response: Callable[[], Response], *, described: str) -> None:
        self.described = described
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(maxsize=_CHUNKS)
        self._stopped = threading.Event()
        self._open_response = open_response
        self.first_byte_seconds = 0.0
        self.body_seconds = 0.0
        self._thread = threading.Thread(target=self._read, name="prefetch", daemon=True)
        self._thread.start()

    def chunks(self) -> Iterator[bytes]:
        """Take the body as it arrives; KubeError where the server refused or the connection broke."""
        while (piece := self._queue.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def close(self) -> None:
        """Stop reading; what was not taken is dropped."""
        self._stopped.set()
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return

    def _read(self) -> None:
        try:
            with self._open_response() as response:
                self.first_byte_seconds = response.first_byte_seconds
                started = time.monotonic()
                for chunk in response.chunks(_CHUNK_BYTES):
                    if not self._put(chunk):
                        return
                self.body_seconds = time.monotonic() - started
            self._put(None)
        except BaseException as error:  # whatever ends the thread must reach who waits for its chunks
            self._put(error)

    def _put(self, piece: bytes | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(piece, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
