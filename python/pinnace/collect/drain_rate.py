"""How fast the archive takes bytes just now: server, engine and bucket together, as the slowest of them allows."""

import math
from dataclasses import dataclass

__all__ = ["DrainRate"]

_MEMORY_SECONDS = 5.0
"""What was taken longer ago counts less than half; a bucket that slows down is noticed within a page."""

_UNKNOWN_BYTES_PER_SECOND = float(24 << 20)
"""Assumed until something was taken. A third of it is still enough for a response that was asked for at this rate to
end within the server's 60 s; and a large kind that is asked for first is not cut into pages for nothing, of which all
but the first come from etcd where the watch cache has no snapshot."""


@dataclass(frozen=True)
class DrainRate:
    """A mean over the last seconds, weighted towards the present."""

    taken_bytes: float = 0.0
    seconds: float = 0.0

    def after(self, taken_bytes: int, *, seconds: float) -> "DrainRate":
        """Count a chunk that took `seconds` from the end of the one before it to its own."""
        weight = math.exp(-seconds / _MEMORY_SECONDS)
        return DrainRate(self.taken_bytes * weight + taken_bytes, self.seconds * weight + seconds)

    @property
    def bytes_per_second(self) -> float:
        """The rate; an assumption while nothing was measured."""
        return self.taken_bytes / self.seconds if self.seconds > 0 else _UNKNOWN_BYTES_PER_SECOND
