"""How long a request is repeated while the store is away: the one rule for parts, small objects and downloads."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pinnace import interruption
from pinnace.errors import StoreUnavailableError

__all__ = ["PATIENT", "Patience"]

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """Waits between repetitions, and when to begin no further one.

    `waits_seconds` are fixed, without jitter, so that they promise something: their sum is the shortest time for
    which the store may be away. A run has few requests under way, which need no spreading; the S3 client's own
    retries, inside each repetition, have jitter. `limit_seconds` bounds a store that takes requests and answers none.
    """

    waits_seconds: tuple[float, ...] = (1, 2, 4, 8, 15)
    limit_seconds: float = 60

    def call(self, request: Callable[[], Answer], *, ended: threading.Event) -> Answer:
        """Repeat while it ends in StoreUnavailableError; the last one is raised, at once when `ended` is set.

        The same where a signal told the process to stop: then InterruptedRun (interruption.wait).
        """
        began = time.monotonic()
        for wait_seconds in self.waits_seconds:
            try:
                return request()
            except StoreUnavailableError:
                if time.monotonic() - began > self.limit_seconds or interruption.wait(ended, wait_seconds):
                    raise
        return request()


PATIENT = Patience()
"""30 seconds at least: a server that restarts, a load balancer that fails over."""
