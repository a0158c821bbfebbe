"""How many lists are in flight."""

from pinnace.collect.concurrency import Concurrency


def test_it_rises_by_one_in_a_round_and_has_a_bound() -> None:
    concurrency, limits = Concurrency(), []
    for _ in range(20):
        limits.append(concurrency.limit)
        concurrency = concurrency.after_success(first_byte_seconds=0.1)
    assert limits == [*[2] * 3, *[3] * 3, *[4] * 5, *[5] * 5, *[6] * 4]


def test_it_halves_after_a_refusal_and_one_is_always_in_flight() -> None:
    concurrency, limits = Concurrency(6.0), []
    for _ in range(4):
        limits.append(concurrency.limit)
        concurrency = concurrency.after_refusal()
    assert limits == [6, 3, 1, 1]


def test_a_slow_server_is_not_asked_for_more() -> None:
    assert Concurrency(3.0).after_success(first_byte_seconds=1.5) == Concurrency(3.0)
