"""The shard's end of the pipes between it and the run that ordered it (`shard_processes.py` is the other)."""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import orjson

from pinnace.backup.progress import Observer
from pinnace.backup.shard_order import ShardOrder

__all__ = ["ShardPipe"]

_PROGRESS_SECONDS = 0.25
"""The run shows progress no finer than that."""

_PIECE_BYTES = 1 << 20


class ShardPipe(Observer):
    """Reads the order from standard input, and writes progress and the last word to standard output, a line each."""

    def __init__(self) -> None:
        self._told = 0.0

    def read_order(self) -> ShardOrder:
        """Read the order; from then on SIGTERM comes when the input ends, since then the run is gone."""
        # Without Python's buffer, which a thread that waits for more would hold when the process ends.
        line = b""
        while not line.endswith(b"\n") and (piece := os.read(sys.stdin.fileno(), _PIECE_BYTES)):
            line += piece
        threading.Thread(target=_stop_with_the_run, name="input", daemon=True).start()
        return ShardOrder.from_json(line)

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        """A page was archived; not each of them is told."""
        now = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            counts = {"group_resource": group_resource, "item_count": item_count, "page_bytes": page_bytes}
            _say({"progress": counts})

    def made(self, document: Mapping[str, Any]) -> None:
        """Say what the shard came to, a `ShardMade`."""
        _say({"made": document})

    def failed(self, error: Exception) -> None:
        """Say why it came to nothing."""
        _say({"error": "; ".join([str(error), *getattr(error, "__notes__", ())])})


def _say(what: Mapping[str, Any]) -> None:
    try:
        sys.stdout.buffer.write(orjson.dumps(what, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The run is gone; the end of the input, which comes at the same time, ends this process.
        return


def _stop_with_the_run() -> None:
    while os.read(sys.stdin.fileno(), _PIECE_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
