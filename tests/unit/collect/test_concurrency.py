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


def responses_until(concurrency: Concurrency, limit: int) -> int:
    """How many responses it takes."""
    for count in range(1000):
        if concurrency.limit == limit:
            return count
        concurrency = concurrency.after_success(first_byte_seconds=0.1)
    raise AssertionError(f"stays at {concurrency.limit}")


def test_it_comes_back_quickly_to_what_was_taken_and_slowly_to_what_was_refused() -> None:
    refused = Concurrency(6.0).after_refusal()
    assert responses_until(refused, 5) < 12
    assert responses_until(refused, 6) > 50


def test_a_server_that_takes_one_at_a_time_refuses_less_than_a_tenth() -> None:
    concurrency, refused = Concurrency(), 0
    for _ in range(200):
        concurrency = concurrency.after_success(first_byte_seconds=0.1)
        if concurrency.limit > 1:
            concurrency, refused = concurrency.after_refusal(), refused + 1
    assert (concurrency.limit, refused < 20) == (1, True)


def test_a_limit_that_is_passed_after_all_is_forgotten() -> None:
    full = Concurrency(1.0).after_refusal()
    slowly = responses_until(full, 2)
    assert slowly > 10
    assert responses_until(full, 6) == slowly + responses_until(Concurrency(2.0), 6)
