"""How fast the archive takes bytes."""

import pytest

from pinnace.collect.drain_rate import DrainRate


def test_until_something_was_taken_a_modest_rate_is_assumed() -> None:
    assert DrainRate().bytes_per_second == 24 << 20


def test_a_steady_rate_is_itself() -> None:
    rate = DrainRate()
    for _ in range(1000):
        rate = rate.after(1000, seconds=0.01)
    assert rate.bytes_per_second == pytest.approx(100_000)


def test_a_bucket_that_stalls_is_noticed_within_seconds() -> None:
    rate = DrainRate()
    for _ in range(1000):
        rate = rate.after(1_000_000, seconds=0.01)
    slow = rate.after(1_000_000, seconds=10.0)
    assert slow.bytes_per_second < rate.bytes_per_second / 5
    for _ in range(10):
        slow = slow.after(1_000_000, seconds=10.0)
    assert slow.bytes_per_second == pytest.approx(100_000, rel=0.01)


def test_chunks_that_cost_nothing_measurable_are_no_division_by_zero() -> None:
    assert DrainRate().after(1000, seconds=0.0).bytes_per_second == 24 << 20
