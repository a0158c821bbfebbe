"""A queue of keys, as client-go's: a key waits once, one works on it at a time, and it comes back after a failure."""

import heapq
import threading
import time
from collections.abc import Callable

__all__ = ["WorkQueue"]

_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 60.0
_MOST_DOUBLINGS = 7
"""0.5 s doubled 7 times is beyond the longest pause; an outage of a day would double beyond what a float can hold."""


class WorkQueue:
    """Keys with a time at which they are due."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._working: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._closed = False

    def add(self, key: str, *, after_seconds: float = 0.0) -> None:
        """Make a key due, or due earlier than it was; one that is being worked on comes again afterwards."""
        with self._changed:
            if key in self._working and after_seconds <= 0:
                self._again.add(key)
                return
            due = self._clock() + after_seconds
            if due < self._due.get(key, float("inf")):
                self._due[key] = due
                heapq.heappush(self._heap, (due, key))
                self._changed.notify()

    def get(self) -> str | None:
        """Wait for the next key that is due; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                wait_seconds = self._seconds_to_next()
                if wait_seconds == 0.0:
                    _, key = heapq.heappop(self._heap)
                    del self._due[key]
                    self._working.add(key)
                    return key
                self._changed.wait(wait_seconds)
            return None

    def done(self, key: str, *, again_after_seconds: float | None = None) -> None:
        """End the work on a key that went well."""
        self._failures.pop(key, None)
        self._end(key, again_after_seconds)

    def failed(self, key: str) -> float:
        """End the work on a key that failed; it comes back after a pause that doubles. Gives the pause in seconds."""
        count = self._failures.get(key, 0)
        self._failures[key] = min(count + 1, _MOST_DOUBLINGS)
        pause = min(_FIRST_RETRY_SECONDS * 2.0**count, _LONGEST_RETRY_SECONDS)
        self._end(key, pause)
        return pause

    def close(self) -> None:
        """Wake all who wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _seconds_to_next(self) -> float | None:
        """How long to wait for the first key; 0.0 if it is due, None if there is none."""
        while self._heap:
            due, key = self._heap[0]
            if self._due.get(key) != due or key in self._working:
                heapq.heappop(self._heap)
                if self._due.get(key) == due:
                    # It is being worked on by another: it comes back when that ends.
                    del self._due[key]
                    self._again.add(key)
                continue
            return max(due - self._clock(), 0.0)
        return None

    def _end(self, key: str, again_after_seconds: float | None) -> None:
        with self._changed:
            self._working.discard(key)
            is_wanted_now = key in self._again
            self._again.discard(key)
        if is_wanted_now:
            self.add(key)
        elif again_after_seconds is not None:
            self.add(key, after_seconds=again_after_seconds)
