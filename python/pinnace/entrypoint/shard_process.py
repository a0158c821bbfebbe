"""The pod of a shard: makes what each attempt of the run orders, until the Backup is over. It decides nothing.

A shard that is made is kept ready to be made again: the pod of the run may die, and its successor begins anew.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from pinnace import interruption
from pinnace.backup.shard import make_shard
from pinnace.backup.shard_exchange import ShardExchange
from pinnace.dispatcher import termination
from pinnace.dispatcher.job import EXIT_ANOTHER_ATTEMPT
from pinnace.entrypoint.ownership import Onlooker
from pinnace.entrypoint.shard_reporter import ShardReporter
from pinnace.entrypoint.surroundings import JobSurroundings, is_passing, reason_of
from pinnace.errors import (
    AttemptLostError,
    InterruptedRun,
    KubeError,
    ObjectNotFoundError,
    PinnaceError,
    StoreError,
    StoreUnavailableError,
)
from pinnace.kube.client import Client
from pinnace.store.backup_store import BackupStore

__all__ = ["ShardProcess"]

_LOOK_SECONDS = 2.0
"""Between two looks at the Backup, and at the place of the order while there is none yet: one request each."""

_log = logging.getLogger(__name__)


class ShardProcess:
    """One pod of an Indexed Job; `number` is its index, from 1."""

    def __init__(
        self,
        client: Client,
        surroundings: JobSurroundings,
        *,
        number: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._surroundings = surroundings
        self._number = number
        self._clock = clock
        self._onlooker = Onlooker(
            client,
            namespace=surroundings.namespace,
            backup_name=surroundings.backup_name,
            backup_uid=surroundings.backup_uid,
        )

    @interruption.deferred()
    def run(self) -> int:
        """Give the process's exit code: 0 the Backup is over, 1 failed for good, 75 another pod may end better.

        A signal passes through as InterruptedRun, unless it came since the Backup is over, and its Job ends its pods.
        """
        try:
            self._serve()
        except InterruptedRun:
            if not self._is_over():
                raise
        except PinnaceError as error:
            reason = reason_of(error)
            _log.error("%s", reason)
            self._surroundings.say(termination.Termination(reason=reason))
            # An upload that is gone was aborted by somebody, who is about to end the backup, or to begin it anew.
            return EXIT_ANOTHER_ATTEMPT if is_passing(error) or isinstance(error, ObjectNotFoundError) else 1
        self._surroundings.say(termination.Termination(throttled_count=self._client.throttled_count))
        return 0

    def _serve(self) -> None:
        store: BackupStore | None = None
        attempt_id, is_served = "", False
        while (holder := self._onlooker.holder()) is not None:
            if holder.attempt_id != attempt_id:
                attempt_id, is_served = holder.attempt_id, False
                store = self._surroundings.open_store(self._client, holder.document)
            if store is not None and not is_served:
                is_served = self._make(store, attempt_id)
            interruption.sleep(_LOOK_SECONDS)

    def _is_over(self) -> bool:
        try:
            return self._onlooker.holder(patience_seconds=0) is None
        except KubeError:
            return False

    def _make(self, store: BackupStore, attempt_id: str) -> bool:
        """Make what an attempt has ordered; False where it has ordered nothing yet, or wants it no more."""
        exchange, maker = ShardExchange(store, attempt_id=attempt_id), self._surroundings.attempt_id
        try:
            order = exchange.read_order(self._number, maker=maker)
            if order is None or exchange.is_made(self._number):
                return order is not None
        except StoreUnavailableError as error:
            # Nothing is lost yet: whether the backup can go on without the bucket is the run's to say.
            _log.info("the order can't be read: %s", error)
            return False
        _log.info("making shard %d for attempt %s", self._number, attempt_id)
        reporter = ShardReporter(exchange, number=self._number, maker=maker, backup_name=store.backup_name)
        try:
            with reporter:
                made = make_shard(order, client=self._client, store=store, observer=reporter, clock=self._clock)
            exchange.leave(order.place, made)
        except AttemptLostError:
            return False
        except PinnaceError:
            if self._is_wanted_by(attempt_id, exchange):
                raise
            return False
        finally:
            with suppress(StoreError):
                if not exchange.is_wanted(self._number):
                    exchange.remove(order.place)
        return True

    def _is_wanted_by(self, attempt_id: str, exchange: ShardExchange) -> bool:
        """Whether it was for nothing that it failed; a new attempt aborts uploads before it takes orders away."""
        holder = self._onlooker.holder()
        return holder is not None and holder.attempt_id == attempt_id and exchange.is_wanted(self._number)
