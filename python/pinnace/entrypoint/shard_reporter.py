"""Tells the run how far the pod of a shard is, and hears whether the shard is wanted still: every 5 s, two requests."""

import logging
import threading

from pinnace.backup.shard_exchange import ShardExchange, ToldProgress
from pinnace.entrypoint.periodic_observer import PeriodicObserver
from pinnace.errors import AttemptLostError, StoreError

__all__ = ["ShardReporter"]

_SECONDS = 5.0

_log = logging.getLogger(__name__)


class ShardReporter(PeriodicObserver):
    """Sends counts also where they are the same: they are a sign of life.

    Once the order is withdrawn, `progressed` raises AttemptLostError: what is made is nobody's any more.
    """

    def __init__(
        self, exchange: ShardExchange, *, number: int, maker: str, backup_name: str, seconds: float = _SECONDS
    ) -> None:
        super().__init__(seconds=seconds)
        self._exchange = exchange
        self._number = number
        self._backup_name = backup_name
        self._progress = ToldProgress(maker, "", 0, 0)
        self._is_lost = threading.Event()

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        """A page was archived."""
        self._progress = ToldProgress(self._progress.maker, group_resource, item_count, page_bytes)
        if self._is_lost.is_set():
            raise AttemptLostError(backup_name=self._backup_name)

    def _send(self) -> None:
        try:
            if not self._exchange.is_wanted(self._number):
                self._is_lost.set()
                return
            self._exchange.tell(self._number, self._progress)
        except StoreError as error:
            _log.info("progress can't be told: %s", error)
