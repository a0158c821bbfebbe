"""A key waits once, one works on it at a time, and it comes back after a failure with a pause that doubles."""

import threading
from collections import Counter

import pytest

from pinnace.dispatcher.work_queue import WorkQueue


class _Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def queue(clock: _Clock) -> WorkQueue:
    return WorkQueue(clock)


def _order(queue: WorkQueue) -> list[str | None]:
    """All keys that are due, in their order; `last`, which is due now too, ends the queue."""
    queue.add("last")
    keys: list[str | None] = []
    while (key := queue.get()) != "last":
        keys.append(key)
        assert key is not None
        queue.done(key)
    queue.done("last")
    return keys


def test_keys_that_are_due_come_in_the_order_in_which_they_were_due(queue: WorkQueue, clock: _Clock) -> None:
    queue.add("late", after_seconds=5)
    queue.add("soon", after_seconds=1)
    clock.seconds += 10
    assert _order(queue) == ["soon", "late"]


def test_a_key_that_waits_already_waits_once(queue: WorkQueue, clock: _Clock) -> None:
    for _ in range(3):
        queue.add("a")
    clock.seconds += 1
    assert _order(queue) == ["a"]


def test_a_delayed_key_does_not_come_before_its_time(queue: WorkQueue, clock: _Clock) -> None:
    queue.add("a", after_seconds=2)
    clock.seconds += 1
    assert _order(queue) == []
    clock.seconds += 1.5
    assert _order(queue) == ["a"]


def test_an_add_makes_a_key_due_earlier_and_never_later(queue: WorkQueue, clock: _Clock) -> None:
    queue.add("a", after_seconds=30)
    queue.add("a")
    queue.add("b")
    queue.add("b", after_seconds=30)
    clock.seconds += 1
    assert _order(queue) == ["a", "b"]
    clock.seconds += 100
    assert _order(queue) == []


def test_a_key_added_while_it_is_worked_on_comes_again_once_and_only_afterwards(
    queue: WorkQueue, clock: _Clock
) -> None:
    queue.add("a")
    assert queue.get() == "a"
    queue.add("a")
    queue.add("a")
    queue.add("other")
    assert queue.get() == "other"
    queue.done("other")
    queue.done("a")
    clock.seconds += 1
    assert _order(queue) == ["a"]
    clock.seconds += 1
    assert _order(queue) == []


def test_a_delayed_key_that_becomes_due_while_it_is_worked_on_comes_afterwards(queue: WorkQueue, clock: _Clock) -> None:
    queue.add("a")
    assert queue.get() == "a"
    queue.add("a", after_seconds=1)
    clock.seconds += 2
    queue.add("other")
    assert queue.get() == "other"
    queue.done("other")
    queue.done("a")
    clock.seconds += 1
    assert _order(queue) == ["a"]


def test_work_that_went_well_can_ask_for_another_look(queue: WorkQueue, clock: _Clock) -> None:
    queue.add("a")
    assert queue.get() == "a"
    queue.done("a", again_after_seconds=30)
    clock.seconds += 29
    assert _order(queue) == []
    clock.seconds += 2
    assert _order(queue) == ["a"]


def _fail(queue: WorkQueue, clock: _Clock, *, times: int) -> list[float]:
    pauses = []
    queue.add("a")
    for _ in range(times):
        assert queue.get() == "a"
        pauses.append(queue.failed("a"))
        clock.seconds += pauses[-1]
    return pauses


def test_the_pause_after_failures_doubles_up_to_a_minute(queue: WorkQueue, clock: _Clock) -> None:
    assert _fail(queue, clock, times=10) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_a_key_that_fails_for_days_keeps_its_pause(queue: WorkQueue, clock: _Clock) -> None:
    assert _fail(queue, clock, times=3000)[-1] == 60.0


def test_a_failed_key_does_not_come_before_its_pause_has_passed(queue: WorkQueue, clock: _Clock) -> None:
    queue.add("a")
    assert queue.get() == "a"
    queue.failed("a")
    clock.seconds += 0.4
    assert _order(queue) == []
    clock.seconds += 0.2
    assert _order(queue) == ["a"]


def test_the_pause_begins_anew_after_work_that_went_well(queue: WorkQueue, clock: _Clock) -> None:
    _fail(queue, clock, times=4)
    assert queue.get() == "a"
    queue.done("a")
    assert _fail(queue, clock, times=2) == [0.5, 1.0]


def test_pauses_of_other_keys_are_their_own(queue: WorkQueue, clock: _Clock) -> None:
    _fail(queue, clock, times=5)
    assert queue.get() == "a"
    queue.add("b")
    assert queue.get() == "b"
    assert queue.failed("b") == 0.5


def test_a_change_while_a_key_fails_brings_it_back_at_once(queue: WorkQueue, clock: _Clock) -> None:
    _fail(queue, clock, times=6)
    assert queue.get() == "a"
    queue.add("a")
    queue.failed("a")
    clock.seconds += 0.1
    assert _order(queue) == ["a"]


def test_a_closed_queue_gives_no_key_though_one_is_due(queue: WorkQueue) -> None:
    queue.add("a")
    queue.close()
    assert queue.get() is None


def test_several_threads_never_work_on_one_key_at_once_and_lose_no_change() -> None:
    queue = WorkQueue()
    keys = [f"key-{number}" for number in range(5)]
    working: Counter[str] = Counter()
    overlaps: list[str] = []
    wanted, seen = dict.fromkeys(keys, 0), dict.fromkeys(keys, 0)
    lock = threading.Lock()
    all_seen = threading.Event()

    def work() -> None:
        while (key := queue.get()) is not None:
            with lock:
                working[key] += 1
                if working[key] > 1:
                    overlaps.append(key)
                seen[key] = wanted[key]
            with lock:
                working[key] -= 1
            queue.done(key)
            with lock:
                if seen == wanted == dict.fromkeys(keys, 200):
                    all_seen.set()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        for key in keys:
            with lock:
                wanted[key] += 1
            queue.add(key)
    assert all_seen.wait(timeout=60)
    queue.close()
    for thread in threads:
        thread.join(timeout=60)
    assert (overlaps, seen, [thread.is_alive() for thread in threads]) == ([], wanted, [False] * 4)
