"""Who makes the shards of a run but its own: what processes of this machine and pods of its Job have in common."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from pinnace import interruption
from pinnace.backup.log import VeleroLog
from pinnace.backup.shard_order import ShardMade, ShardOrder
from pinnace.errors import ShardError
from pinnace.store.backup_store import BackupStore
from pinnace.store.object_store import StretchPlace

__all__ = ["AwaitedShard", "Progress", "ShardMakers", "Sharding", "StartsMakers", "made_in_order"]


class Progress(Protocol):
    """Called from threads with what one shard has done so far; one that is begun anew begins at 0."""

    def __call__(self, *, number: int, group_resource: str, item_count: int, page_bytes: int) -> None:
        """Count it."""


class ShardMakers(AbstractContextManager["ShardMakers"], Protocol):
    """At work from where it is entered; where it is left, whoever still is at work is to stop."""

    def check(self) -> None:
        """ShardError for a shard that has failed for good, PinnaceError where that can't be found out any more."""

    def made(self) -> Iterator[tuple[StretchPlace, ShardMade]]:
        """Wait for each shard in order, and give where it stored what it made; errors as of `check`."""


class AwaitedShard(Protocol):
    """One shard that somebody makes; once it has `ended`, `made` is where and what it stored, None if nothing."""

    order: ShardOrder
    ended: threading.Event
    made: tuple[StretchPlace, ShardMade] | None


def made_in_order(
    shards: Sequence[AwaitedShard], *, check: Callable[[], None]
) -> Iterator[tuple[StretchPlace, ShardMade]]:
    """Wait for each in order; `check` raises as soon as any of them has failed for good."""
    for shard in shards:
        while not interruption.wait(shard.ended, 1.0):
            check()
        check()
        if shard.made is None:
            raise ShardError(number=shard.order.place.number, reason="it was told to stop")
        yield shard.made


class StartsMakers(Protocol):
    """Prepares the makers of some orders."""

    def __call__(
        self, orders: Sequence[ShardOrder], *, store: BackupStore, log: VeleroLog, on_progress: Progress
    ) -> ShardMakers:
        """Nothing is begun before they are entered."""


@dataclass(frozen=True)
class Sharding:
    """How many make a backup, the run itself among them, and who the others are."""

    count: int
    makers: StartsMakers
