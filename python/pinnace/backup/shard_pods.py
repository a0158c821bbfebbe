"""The pods that make a run's shards, as the run sees them: orders are left in the bucket, and outcomes found there.

Who starts pods, and starts them again, is the Job controller; a shard that fails for good fails the Job, and with it
the pod of this run (`dispatcher.job`).
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Self

from pinnace.backup.log import VeleroLog
from pinnace.backup.shard_exchange import Said, ShardExchange
from pinnace.backup.shard_makers import Progress, made_in_order
from pinnace.backup.shard_order import ShardMade, ShardOrder
from pinnace.errors import ShardError, StoreError, StoreUnavailableError
from pinnace.store.backup_store import BackupStore
from pinnace.store.object_store import StretchPlace

__all__ = ["ShardPods"]

_LOOK_SECONDS = 2.0
"""Between two looks: a listing each, whatever the number of shards."""

_SILENCE_SECONDS = 600.0
"""For a pod that has to find a node and pull its image, or whose node was lost; at work it tells something every 5 s
(`entrypoint.shard_reporter`). As long as the dispatcher waits for a pod without a node."""

_ENDING_SECONDS = 2.0


class ShardPods:
    """`ShardMakers` in a cluster; `attempt_id` is that of the run, below which pods look for orders."""

    def __init__(
        self,
        orders: Sequence[ShardOrder],
        *,
        attempt_id: str,
        store: BackupStore,
        log: VeleroLog,
        on_progress: Progress,
        look_seconds: float = _LOOK_SECONDS,
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> None:
        self._exchange = ShardExchange(store, attempt_id=attempt_id)
        self._shards = [
            _Shard(order, self._exchange, log=log, on_progress=on_progress, silence_seconds=silence_seconds)
            for order in orders
        ]
        self._look_seconds = look_seconds
        self._error: Exception | None = None
        self._is_wanted = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="shards", daemon=True)

    def __enter__(self) -> Self:
        self._is_wanted = True
        for shard in self._shards:
            self._exchange.order(shard.order)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Want nothing more; what is there then is removed with all that the run has left."""
        self._stopped.set()
        self._thread.join(_ENDING_SECONDS)
        if self._is_wanted:
            with suppress(StoreError):
                self._withdraw()

    def check(self) -> None:
        """ShardError for one of which nothing is heard; StoreError where the bucket can't be asked."""
        if self._error is not None:
            raise self._error

    def made(self) -> Iterator[tuple[StretchPlace, ShardMade]]:
        """Wait for each in order; behind the last one everything that pods have left is removed."""
        yield from made_in_order(self._shards, check=self.check)
        self._withdraw()
        self._exchange.clear()

    def _withdraw(self) -> None:
        for shard in self._shards:
            self._exchange.withdraw(shard.order.place.number)
        self._is_wanted = False

    def _follow(self) -> None:
        try:
            while not all(shard.ended.is_set() for shard in self._shards):
                self._look()
                if self._stopped.wait(self._look_seconds):
                    return
        except Exception as error:  # nobody else would hear of it, and the run wait for ever
            self._error = error

    def _look(self) -> None:
        awaited = [shard for shard in self._shards if not shard.ended.is_set()]
        try:
            said = self._exchange.said()
            for shard in awaited:
                _hear(shard, said)
        except StoreUnavailableError:
            if any(shard.is_silent for shard in awaited):
                raise
            return
        for shard in awaited:
            shard.check()


def _hear(shard: "_Shard", said: Mapping[int, Said]) -> None:
    number = shard.order.place.number
    try:
        shard.hear(said.get(number, Said()))
    except (ValueError, KeyError, TypeError) as error:
        raise ShardError(number=number, reason=f"what its pod said can't be read: {error!r}") from error


class _Shard:
    """One of them, and what was heard of it last."""

    def __init__(
        self,
        order: ShardOrder,
        exchange: ShardExchange,
        *,
        log: VeleroLog,
        on_progress: Progress,
        silence_seconds: float,
    ) -> None:
        self.order = order
        self.ended = threading.Event()
        self.made: tuple[StretchPlace, ShardMade] | None = None
        self._exchange = exchange
        self._log = log
        self._on_progress = on_progress
        self._silence_seconds = silence_seconds
        self._told_at: datetime | None = None
        self._heard = time.monotonic()
        self._maker = ""

    def hear(self, said: Said) -> None:
        """Read what is new."""
        if said.is_made and (made := self._exchange.made(self.order)) is not None:
            self.made = made
            self.ended.set()
        elif said.told_at != self._told_at:
            self._told_at, self._heard = said.told_at, time.monotonic()
            self._hear_progress()

    @property
    def is_silent(self) -> bool:
        return not self.ended.is_set() and time.monotonic() - self._heard > self._silence_seconds

    def check(self) -> None:
        if not self.is_silent:
            return
        number = self.order.place.number
        raise ShardError(
            number=number,
            reason=f"nothing was heard of its pod for {self._silence_seconds / 60:.0f} minutes: it can't start, or its "
            f"node is lost; `kubectl get pods --selector batch.kubernetes.io/job-completion-index={number}` says which",
        )

    def _hear_progress(self) -> None:
        number, told = self.order.place.number, self._exchange.progress(self.order.place.number)
        if told is None:
            return
        if self._maker and told.maker != self._maker:
            self._log.info("A shard is made anew by another pod", shard=number)
        self._maker = told.maker
        self._on_progress(
            number=number, group_resource=told.group_resource, item_count=told.item_count, page_bytes=told.page_bytes
        )
