"""How many lists are asked for at once: one more for each round that goes well, half of them after a refusal."""

from dataclasses import dataclass

__all__ = ["FOR_PROBES", "MOST_IN_FLIGHT", "Concurrency"]

MOST_IN_FLIGHT = 6
"""Beyond this, overlapping round trips gains nothing that a byte budget would not take back."""

_FIRST = 2.0
_LATENCY_BUDGET_SECONDS = 1.0
"""A server that needs longer for the first byte has enough to do."""


_CAUTION = 10
"""So many times slower it rises about the number that was refused: tried again in each round, it is refused in each."""


@dataclass(frozen=True)
class Concurrency:
    """Responses that may be in flight; the fraction is what a round of successes has gained so far.

    `refused` is the limit that the server refused last, until one more than that was granted.
    """

    allowed: float = _FIRST
    refused: int | None = None

    @property
    def limit(self) -> int:
        """The whole number, at least 1."""
        return int(self.allowed)

    def after_success(self, *, first_byte_seconds: float) -> "Concurrency":
        """Rise by one in as many responses as may be in flight, within the latency budget."""
        if first_byte_seconds > _LATENCY_BUDGET_SECONDS:
            return self
        is_near = self.refused is not None and self.allowed >= self.refused - 1
        step = 1 / self.allowed / (_CAUTION if is_near else 1)
        allowed = min(self.allowed + step, float(MOST_IN_FLIGHT))
        has_passed = self.refused is not None and allowed >= self.refused + 1
        return Concurrency(allowed, None if has_passed else self.refused)

    def after_refusal(self) -> "Concurrency":
        """Halve after a 429 or a 504."""
        return Concurrency(max(self.allowed / 2, 1.0), self.limit)


FOR_PROBES = Concurrency(float(MOST_IN_FLIGHT))
"""Lists of one item each: they begin with as many as there may ever be."""
