"""The processes of a run's shards: started, watched, started again where one dies, and ended with the run."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import orjson

from pinnace.backup.log import VeleroLog
from pinnace.backup.shard_makers import Progress, made_in_order
from pinnace.backup.shard_order import ShardMade, ShardOrder
from pinnace.errors import ShardError
from pinnace.store.backup_store import BackupStore
from pinnace.store.object_store import StretchPlace

__all__ = ["ATTEMPTS", "ShardProcesses"]

ATTEMPTS = 3
"""Of one shard; each begins from the start."""

_ENDING_SECONDS = 5.0
"""For a process that was told to stop; the run has 9 s for all that it does then."""

_KILLED_SECONDS = 1.0


class ShardProcesses:
    """`ShardMakers` on this machine: one process for each order, from the beginning on.

    `command` starts one (`cli.backup_shard`). It gets a `ShardOrder` on its standard input, and writes JSON lines:
    `{"progress": ...}`, and last `{"made": ...}` or `{"error": "..."}`.
    """

    def __init__(
        self,
        orders: Sequence[ShardOrder],
        *,
        command: Sequence[str],
        store: BackupStore,
        log: VeleroLog,
        on_progress: Progress,
    ) -> None:
        self._shards = [
            _Shard(order, command=command, store=store, log=log, on_progress=on_progress) for order in orders
        ]

    def __enter__(self) -> Self:
        for shard in self._shards:
            shard.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End all: first told, then waited for, so that several take no longer than one."""
        for shard in self._shards:
            shard.tell_to_stop()
        until = time.monotonic() + _ENDING_SECONDS
        for shard in self._shards:
            shard.end(until=until)

    def check(self) -> None:
        """ShardError for one that has failed for good."""
        for shard in self._shards:
            if shard.error is not None:
                raise shard.error

    def made(self) -> Iterator[tuple[StretchPlace, ShardMade]]:
        """Wait for each in order; ShardError as soon as any of them has failed for good."""
        return made_in_order(self._shards, check=self.check)


class _Shard:
    """One of them, and the thread that follows it."""

    def __init__(
        self,
        order: ShardOrder,
        *,
        command: Sequence[str],
        store: BackupStore,
        log: VeleroLog,
        on_progress: Progress,
    ) -> None:
        self.order = order
        self.ended = threading.Event()
        self.made: tuple[StretchPlace, ShardMade] | None = None
        self.error: ShardError | None = None
        self._command = list(command)
        self._store = store
        self._log = log
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopping = False
        self._thread = threading.Thread(target=self._follow, name=f"shard-{order.place.number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tell_to_stop(self) -> None:
        with self._lock:
            self._is_stopping = True
            if self._process is not None:
                with suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGTERM)

    def end(self, *, until: float) -> None:
        self._thread.join(max(until - time.monotonic(), 0.0))
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join(_KILLED_SECONDS)

    def _follow(self) -> None:
        try:
            self._attempt_until_made()
        except Exception as error:  # of the store while it is cleared, or of the system that starts no process
            self.error = ShardError(number=self.order.place.number, reason=str(error) or repr(error))
        finally:
            self.ended.set()

    def _attempt_until_made(self) -> None:
        number = self.order.place.number
        for attempt in range(1, ATTEMPTS + 1):
            said = self._attempt()
            if self._is_stopping:
                return
            if "made" in said:
                self.made = self.order.place, ShardMade.from_document(said["made"], self.order)
                return
            if "error" in said:
                self.error = ShardError(number=number, reason=said["error"])
                return
            how = said["ended"]
            self._log.info("A shard ended without a word", shard=number, attempt=attempt, ended=how)
            if attempt == ATTEMPTS:
                self.error = ShardError(number=number, reason=f"its process died {ATTEMPTS} times, at last by {how}")
                return
            self._store.abort_shard_uploads(self.order.place)

    def _attempt(self) -> dict[str, Any]:
        """Run a process to its end; gives its last words, or how it `ended` without any."""
        with self._lock:
            if self._is_stopping:
                return {}
            # A session of its own: Ctrl-C is the run's to hear, and what it does about it.
            process = self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        said: dict[str, Any] = {}
        # Its input stays open: when that ends, it knows that the run is gone.
        with process:
            with suppress(BrokenPipeError):
                if process.stdin is not None:
                    process.stdin.write(self.order.to_json() + b"\n")
                    process.stdin.flush()
            for line in process.stdout or ():
                heard = orjson.loads(line)
                if progress := heard.get("progress"):
                    self._on_progress(number=self.order.place.number, **progress)
                said = heard
            code = process.wait()
        if code == 0 or "error" in said:
            return said
        return {"ended": f"signal {-code}" if code < 0 else f"exit code {code}"}
