"""How many lists are asked for at once: one more for each round that goes well, half of them after a refusal."""

from dataclasses import dataclass

__all__ = ["FOR_PROBES", "MOST_IN_FLIGHT", "Concurrency"]

MOST_IN_FLIGHT = 6
"""Beyond this, overlapping round trips gains nothing that a byte budget would not take back."""

_FIRST = 2.0
_LATENCY_BUDGET_SECONDS = 1.0
"""A server that needs longer for the first byte has enough to do."""


@dataclass(frozen=True)
class Concurrency:
    """Responses that may be in flight; the fraction is what a round of successes has gained so far."""

    allowed: float = _FIRST

    @property
    def limit(self) -> int:
        """The whole number, at least 1."""
        return int(self.allowed)

    def after_success(self, *, first_byte_seconds: float) -> "Concurrency":
        """Rise by one in as many responses as may be in flight, within the latency budget."""
        if first_byte_seconds > _LATENCY_BUDGET_SECONDS:
            return self
        return Concurrency(min(self.allowed + 1 / self.allowed, float(MOST_IN_FLIGHT)))

    def after_refusal(self) -> "Concurrency":
        """Halve after a 429 or a 504."""
        return Concurrency(max(self.allowed / 2, 1.0))


FOR_PROBES = Concurrency(float(MOST_IN_FLIGHT))
"""Lists of one item each: they begin with as many as there may ever be."""
