"""How long a request that fails is repeated, and how long to wait before the next attempt."""

from dataclasses import dataclass, replace

from pinnace.errors import KubeError, ServerUnreachableError

__all__ = ["Patience"]

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0
_RESTART_SECONDS = 60.0
"""An apiserver that is restarted, or the load balancer before it, is back by then."""

_THROTTLED_SECONDS = 300.0
"""A 429 says that the server lives and sorts requests; it is worth waiting for."""

_ATTEMPTS = 5
"""For failures that the same request may cause again: 500, 504, responses that break off."""

_AGGREGATED_ATTEMPTS = 2
"""The aggregator says 503 at once for an APIService that is not available; one more attempt sees a rollout through."""

_HURRIED_ATTEMPTS = 2
"""After another list was given up for the same reason, so that a sick server does not cost a minute for each kind."""


@dataclass(frozen=True)
class Patience:
    """What is left of it for one page; whoever makes progress begins anew."""

    is_aggregated: bool = False
    is_known: bool = False
    """A probe could list it: what is forbidden or not found now is so because the API server has just started."""

    is_hurried: bool = False
    attempts: int = 0
    waited_seconds: float = 0.0

    def pause_seconds(self, error: KubeError) -> float | None:
        """Wait so long before the next attempt, at least as long as the server asked for; None gives up."""
        if self.attempts + 1 >= self._attempts(error):
            return None
        backoff = min(_FIRST_PAUSE_SECONDS * 2**self.attempts, _LONGEST_PAUSE_SECONDS)
        pause = max(backoff, error.retry_after_seconds)
        longest = _THROTTLED_SECONDS if error.status == 429 else _RESTART_SECONDS
        # The first pause that a server names is always granted.
        return pause if self.attempts == 0 or self.waited_seconds + pause <= longest else None

    def after(self, pause_seconds: float) -> "Patience":
        """Count an attempt and the pause after it."""
        return replace(self, attempts=self.attempts + 1, waited_seconds=self.waited_seconds + pause_seconds)

    def _attempts(self, error: KubeError) -> float:
        if isinstance(error, ServerUnreachableError) or error.status == 429:
            return float("inf")
        if error.status == 503 and (self.is_aggregated or _is_the_aggregators(error)):
            return _AGGREGATED_ATTEMPTS
        if error.status in (502, 503):
            return _HURRIED_ATTEMPTS if self.is_hurried else float("inf")
        if error.status in (0, 500, 504):
            return _HURRIED_ATTEMPTS if self.is_hurried else _ATTEMPTS
        if error.status in (403, 404) and self.is_known:
            return _HURRIED_ATTEMPTS if self.is_hurried else _ATTEMPTS
        return 0


def _is_the_aggregators(error: KubeError) -> bool:
    """Whether an APIService's server is what is missing: its texts, in bodies that are no Status (kube-aggregator)."""
    return error.reason.startswith(("service unavailable", "error trying to reach service"))
