"""`pinnace backup shard`: what `pinnace backup run --shards` starts for each shard but its own; people run that."""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import orjson
import typer

from pinnace.backup.progress import Observer
from pinnace.cli.options import Context, Kubeconfig, LogFormatOption, LogLevelOption, Name, StoreUrl, configure
from pinnace.errors import InterruptedRun, PinnaceError

__all__ = ["shard"]

_PROGRESS_SECONDS = 0.25
"""The run shows progress no finer than that."""

_PIECE_BYTES = 1 << 20


def shard(
    name: Name,
    store: StoreUrl = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Make one shard of a backup: its order is read from standard input, and what it comes to written to stdout.

    It stops when its standard input ends, since then the run is gone that wanted it.
    """
    settings = configure(store=store, log_level=log_level, log_format=log_format)

    from pinnace import interruption
    from pinnace.backup.shard import make_shard
    from pinnace.backup.shard_order import ShardOrder
    from pinnace.cli.backup import open_backup
    from pinnace.kube.client import connect

    order = ShardOrder.from_json(_read_order())
    threading.Thread(target=_stop_with_the_run, name="input", daemon=True).start()
    try:
        with interruption.deferred():
            made = make_shard(
                order,
                client=connect(kubeconfig=kubeconfig, context=context),
                store=open_backup(settings.store, name),
                observer=_Teller(),
            )
    except InterruptedRun as error:
        raise typer.Exit(error.exit_code) from error
    except PinnaceError as error:
        _say({"error": "; ".join([str(error), *getattr(error, "__notes__", ())])})
        raise typer.Exit(error.exit_code) from error
    _say({"made": made})


class _Teller(Observer):
    """Writes progress as lines, not each of them."""

    def __init__(self) -> None:
        self._told = 0.0

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        """A page was archived."""
        now = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            counts = {"group_resource": group_resource, "item_count": item_count, "page_bytes": page_bytes}
            _say({"progress": counts})


def _say(what: Mapping[str, Any]) -> None:
    try:
        sys.stdout.buffer.write(orjson.dumps(what, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The run is gone; the end of the input, which comes at the same time, ends this process.
        return


def _read_order() -> bytes:
    """Read a line without Python's buffer, which a thread that waits for more would hold when the process ends."""
    line = b""
    while not line.endswith(b"\n") and (piece := os.read(sys.stdin.fileno(), _PIECE_BYTES)):
        line += piece
    return line


def _stop_with_the_run() -> None:
    while os.read(sys.stdin.fileno(), _PIECE_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
