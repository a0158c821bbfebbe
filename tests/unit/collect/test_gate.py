"""What the refusals of an API server change for the lists that come after them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pinnace.collect.concurrency import Concurrency
from pinnace.collect.gate import Gate


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def gate(allowed: float = 6.0) -> tuple[Gate, Clock]:
    clock = Clock()
    return Gate(Concurrency(allowed), clock=clock), clock


def test_a_refusal_closes_it_for_as_long_as_the_server_says_and_halves_what_may_be_in_flight() -> None:
    closed, clock = gate()
    clock.now = 101.0
    assert closed.refused(asked_at=100.5, retry_after_seconds=4.0)
    assert (closed.limit, closed.wait_seconds, closed.fewest) == (3, 4.0, 3)
    clock.now = 105.0
    assert (closed.limit, closed.wait_seconds) == (3, 0.0)


def test_refusals_of_requests_that_were_on_their_way_together_halve_once_and_the_longest_pause_counts() -> None:
    closed, clock = gate()
    clock.now = 101.0
    assert closed.refused(asked_at=100.5, retry_after_seconds=1.0)
    assert not closed.refused(asked_at=100.6, retry_after_seconds=3.0)
    assert not closed.refused(asked_at=100.7, retry_after_seconds=2.0)
    assert (closed.limit, closed.wait_seconds, closed.closed_seconds) == (3, 3.0, 3.0)
    clock.now = 110.0
    assert closed.refused(asked_at=105.0, retry_after_seconds=1.0)
    assert (closed.limit, closed.closed_seconds) == (1, 4.0)


def test_successes_open_it_wider_again_and_the_narrowest_is_remembered() -> None:
    opened, _ = gate(2.0)
    opened.refused(asked_at=100.0, retry_after_seconds=0.0)
    assert opened.limit == 1
    for _ in range(20):
        opened.succeeded(first_byte_seconds=0.1)
    assert (opened.limit, opened.fewest) == (2, 1)


@pytest.mark.parametrize(("refusals", "limit"), [(0, 2), (1, 2), (2, 1)])
def test_pages_begin_with_what_the_probes_left_if_that_is_less(refusals: int, limit: int) -> None:
    probes, clock = gate(6.0)
    for _ in range(refusals):
        clock.now += 1.0
        probes.refused(asked_at=clock.now, retry_after_seconds=5.0)
    pages = Gate(Concurrency(2.0), clock=clock)
    pages.follow(probes)
    assert (pages.limit, pages.wait_seconds > 0, pages.fewest is None) == (limit, refusals > 0, refusals == 0)


def test_no_more_places_are_given_than_may_be_in_flight() -> None:
    narrow, ended = Gate(Concurrency(2.0)), threading.Event()
    seen, lock, inside = [], threading.Lock(), 0

    def hold(_: int) -> None:
        nonlocal inside
        with narrow.place(ended):
            with lock:
                inside += 1
                seen.append(inside)
            threading.Event().wait(0.01)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(hold, range(24)))
    assert (len(seen), max(seen)) == (24, 2)


def test_who_waits_for_a_place_is_let_go_when_it_is_ended() -> None:
    narrow, ended = Gate(Concurrency(1.0)), threading.Event()
    narrow.refused(asked_at=float("inf"), retry_after_seconds=1000.0)

    def wait() -> None:
        with narrow.place(ended):
            raise AssertionError("it is closed")

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wait)
        ended.set()
        with pytest.raises(InterruptedError):
            waiting.result()
