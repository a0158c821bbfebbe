"""When a list may be asked for: no more at once than the server takes, and none before the time that it named."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pinnace import interruption
from pinnace.collect.concurrency import Concurrency

__all__ = ["REFUSALS", "Gate"]

REFUSALS = (429, 504)
"""What a server says that has too much to do: at once, or after it has tried for its whole time."""


class Gate:
    """Of one run's lists; threads share it.

    A refusal (429, 504) halves what may be in flight, once for all requests that were on their way by then: they met
    the same moment of the server. Its `Retry-After` closes the gate for every list, since they all wait for the same
    server, and those that were not refused yet would be.
    """

    def __init__(self, concurrency: Concurrency, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._concurrency = concurrency
        self._in_flight = 0
        self._not_before = self._halved_at = clock()
        self._closed_seconds = 0.0
        self._fewest: int | None = None

    @property
    def limit(self) -> int:
        """Lists that may be in flight."""
        return self._concurrency.limit

    @property
    def fewest(self) -> int | None:
        """The smallest limit after a refusal; None without one."""
        return self._fewest

    @property
    def closed_seconds(self) -> float:
        """How long it was closed in all, and is going to be."""
        return self._closed_seconds

    @property
    def wait_seconds(self) -> float:
        """Until it opens; 0 where it is open."""
        return max(self._not_before - self._clock(), 0.0)

    def succeeded(self, *, first_byte_seconds: float) -> None:
        """Learn from a response."""
        with self._changed:
            self._concurrency = self._concurrency.after_success(first_byte_seconds=first_byte_seconds)
            self._changed.notify_all()

    def refused(self, *, asked_at: float, retry_after_seconds: float) -> bool:
        """Learn from a 429 or 504; False where an earlier refusal has halved already what this one was part of."""
        with self._changed:
            self._close(retry_after_seconds)
            is_new = asked_at >= self._halved_at
            if is_new:
                self._concurrency = self._concurrency.after_refusal()
                self._halved_at = self._clock()
                self._fewest = min(self.limit, self._fewest or self.limit)
            return is_new

    def follow(self, earlier: "Gate") -> None:
        """Begin as another one has ended, at the more careful of both."""
        self._not_before = max(self._not_before, earlier._not_before)
        self._closed_seconds += earlier.closed_seconds
        self._fewest = earlier.fewest
        if earlier.fewest is not None:
            self._concurrency = min(self._concurrency, earlier._concurrency, key=lambda each: each.allowed)

    @contextmanager
    def place(self, ended: threading.Event) -> Iterator[None]:
        """Wait for a place among the lists in flight, and hold it; InterruptedError where `ended` is set meanwhile."""
        with self._changed:
            while self._must_wait(ended):
                self._changed.wait(min(self.wait_seconds or interruption.LOOK_SECONDS, interruption.LOOK_SECONDS))
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def _must_wait(self, ended: threading.Event) -> bool:
        interruption.check()
        if ended.is_set() or interruption.is_noted():
            raise InterruptedError
        return self._in_flight >= self.limit or self.wait_seconds > 0

    def _close(self, seconds: float) -> None:
        now = self._clock()
        opens_at = now + seconds
        self._closed_seconds += max(opens_at - max(self._not_before, now), 0.0)
        self._not_before = max(self._not_before, opens_at)
