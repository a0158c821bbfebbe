"""What a run has learned of its server and of its own archive; it goes on from list to list."""

import time
from collections.abc import Callable

from pinnace.collect.concurrency import Concurrency
from pinnace.collect.drain_rate import DrainRate
from pinnace.collect.gate import REFUSALS, Gate
from pinnace.collect.page_size import Expected, PageCost, PageSize
from pinnace.collect.patience import Patience
from pinnace.collect.prefetch import Prefetch
from pinnace.errors import KubeError

__all__ = ["Pace"]


class Pace:
    """Used by one thread; `sleep` and `clock` are time's, unless a test wants to know them."""

    def __init__(
        self, page_size: PageSize, *, sleep: Callable[[float], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self.gate = Gate(Concurrency(), clock=clock)
        self._page_size = page_size
        self._drain_rate = DrainRate()
        self._sleep = sleep
        self._is_hurried = False

    @property
    def may_ask_early(self) -> bool:
        """Whether no refusal asked to wait until later."""
        return not self.gate.wait_seconds

    @property
    def bytes_per_second(self) -> float:
        """The rate at which the archive takes bytes."""
        return self._drain_rate.bytes_per_second

    def limit(self, expected: Expected) -> int:
        """Items of the next page of such a list."""
        return self._page_size.limit(expected, bytes_per_second=self.bytes_per_second)

    def drained(self, taken_bytes: int, *, seconds: float) -> None:
        """The archive took a chunk."""
        self._drain_rate = self._drain_rate.after(taken_bytes, seconds=seconds)

    def page_done(self, cost: PageCost) -> None:
        """A page is in the archive."""
        self._page_size = self._page_size.after(cost)

    def ended(self, prefetch: Prefetch) -> None:
        """Learn from a response that was read to its end, or failed; from each once."""
        if prefetch.is_noted or not prefetch.has_ended:
            return
        prefetch.is_noted = True
        if prefetch.error is None:
            self.gate.succeeded(first_byte_seconds=prefetch.first_byte_seconds)
        elif isinstance(prefetch.error, KubeError) and prefetch.error.status in REFUSALS:
            retry_after_seconds = prefetch.error.retry_after_seconds
            if self.gate.refused(asked_at=prefetch.asked_at, retry_after_seconds=retry_after_seconds):
                self._page_size = self._page_size.after_refusal()

    def patience(self, *, is_aggregated: bool) -> Patience:
        """What a page of a list that was probed may cost in attempts."""
        return Patience(is_aggregated=is_aggregated, is_known=True, is_hurried=self._is_hurried)

    def list_done(self, *, has_lost_patience: bool) -> None:
        """A list is over; after one that was given up, the next ones are given up sooner."""
        self._is_hurried = has_lost_patience

    def pause(self, seconds: float, *, since: float | None) -> None:
        """Wait, less what has passed since the failure if that came before its turn, and until the gate opens."""
        passed = 0.0 if since is None else self.clock() - since
        left = max(seconds - passed, self.gate.wait_seconds)
        if left > 0:
            self._sleep(left)
