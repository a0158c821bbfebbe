"""Writes `status.progress` of a Backup while it is made: at most once a second, and never in the way of the data."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pinnace.entrypoint.periodic_observer import PeriodicObserver
from pinnace.errors import PinnaceError

__all__ = ["StatusReporter"]

_SECONDS = 1.0
"""As Velero: a new value is written at most this often."""

_log = logging.getLogger(__name__)


class StatusReporter(PeriodicObserver):
    """Sends counts that have changed; one that can't be sent is followed by a newer one.

    `write` changes fields of the status, and raises PinnaceError where it can't or may not.
    """

    def __init__(self, write: Callable[[Mapping[str, Any]], None], *, seconds: float = _SECONDS) -> None:
        super().__init__(seconds=seconds)
        self._write = write
        self._total = 0
        self._done = 0
        self._sent = (-1, -1)

    def planned(self, *, kind_count: int, list_count: int, item_count: int) -> None:
        """The total is known; an estimate with selectors."""
        del kind_count, list_count
        self._total = item_count

    def expected(self, *, item_count: int) -> None:
        """The total has grown."""
        self._total = item_count

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        """A page was archived."""
        del group_resource, page_bytes
        self._done = item_count

    def _send(self) -> None:
        counts = (max(self._total, self._done), self._done)
        if counts == self._sent:
            return
        progress = {"totalItems": counts[0], "itemsBackedUp": counts[1]}
        try:
            self._write({"progress": progress})
        except PinnaceError as error:
            _log.info("progress can't be written: %s", error)
        else:
            self._sent = counts
