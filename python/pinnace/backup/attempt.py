"""Whether a run is still the one that makes the backup: of a Job's attempts an earlier one may live on unseen."""

from typing import Final, Protocol

__all__ = ["SOLE_ATTEMPT", "Attempt"]


class Attempt(Protocol):
    """What a run asks before it touches what another attempt may have made."""

    def check(self) -> None:
        """AttemptLostError where another attempt has taken over; any other error where that can't be found out."""

    def is_current(self) -> bool:
        """The same within seconds, for a run that ends: False also where it can't be found out."""
        ...


class _SoleAttempt:
    """A run that somebody started by hand: there is no other."""

    def check(self) -> None:
        pass

    def is_current(self) -> bool:
        return True


SOLE_ATTEMPT: Final[Attempt] = _SoleAttempt()
