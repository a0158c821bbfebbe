"""A request is repeated while the store is away, and not for anything else."""

import threading

import pytest

from pinnace.errors import PinnaceError, StoreError, StoreUnavailableError
from pinnace.store.patience import PATIENT, Patience

_AWAY = StoreUnavailableError(location="bucket b", action="s3:PutObject", reason="away")
_REFUSED = StoreError(location="bucket b", action="s3:PutObject", reason="refused")


class Attempts:
    """A request that fails so often, then succeeds."""

    def __init__(self, *failures: PinnaceError) -> None:
        self.failures = list(failures)
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        if self.failures:
            raise self.failures.pop(0)
        return self.count


def test_it_is_repeated_until_it_succeeds() -> None:
    attempts = Attempts(_AWAY, _AWAY)
    assert Patience((0, 0, 0)).call(attempts, ended=threading.Event()) == 3


def test_the_last_failure_is_raised_when_the_waits_are_used_up() -> None:
    attempts = Attempts(*[_AWAY] * 9)
    with pytest.raises(StoreUnavailableError):
        Patience((0, 0)).call(attempts, ended=threading.Event())
    assert attempts.count == 3


def test_a_refusal_is_not_repeated() -> None:
    attempts = Attempts(_REFUSED)
    with pytest.raises(StoreError, match="refused"):
        Patience((0, 0)).call(attempts, ended=threading.Event())
    assert attempts.count == 1


def test_an_end_cuts_the_wait_short() -> None:
    ended = threading.Event()
    ended.set()
    attempts = Attempts(_AWAY)
    with pytest.raises(StoreUnavailableError):
        Patience((3600,)).call(attempts, ended=ended)
    assert attempts.count == 1


def test_a_store_that_takes_long_to_fail_is_not_asked_as_often() -> None:
    attempts = Attempts(_AWAY, _AWAY)
    with pytest.raises(StoreUnavailableError):
        Patience((0, 0, 0), limit_seconds=-1).call(attempts, ended=threading.Event())
    assert attempts.count == 1


def test_a_bucket_may_be_away_for_half_a_minute() -> None:
    assert sum(PATIENT.waits_seconds) == 30
