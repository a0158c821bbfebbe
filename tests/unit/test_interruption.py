"""A signal ends a run at a point of its own choosing, and in the time it has."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pinnace import interruption
from pinnace.errors import InterruptedRun


@pytest.fixture(autouse=True)
def handled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Handlers as `pinnace` has them; the process's own come back."""
    monkeypatch.setattr(interruption, "_state", interruption._State())
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    interruption.install()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_outside_a_run_it_raises_at_once() -> None:
    with pytest.raises(InterruptedRun) as raised:
        terminate()
    assert (raised.value.exit_code, str(raised.value)) == (143, "interrupted by signal 15")


def test_inside_a_run_it_is_noted_until_the_next_check() -> None:
    with interruption.deferred():
        terminate()
        assert interruption.is_noted()
        with pytest.raises(InterruptedRun, match=r"^interrupted by signal 15; uploads were aborted"):
            interruption.check()


def test_it_says_what_it_means_for_what_was_under_way_and_who_knows_most_is_heard() -> None:
    with pytest.raises(InterruptedRun) as raised, interruption.meaning("the dinner"), interruption.meaning("the soup"):
        terminate()
    assert str(raised.value) == "interrupted by signal 15; the soup"


def test_what_cleans_up_is_not_interrupted_again() -> None:
    with interruption.deferred():
        terminate()
        with pytest.raises(InterruptedRun):
            interruption.check()
        interruption.check()
        terminate()
        interruption.sleep(60)


def test_a_run_that_was_whole_by_then_is_left_as_it_is() -> None:
    with interruption.deferred():
        terminate()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("wait", ["sleep", "wait", "result"])
def test_who_waits_is_woken(wait: str) -> None:
    never = threading.Event()
    with ThreadPoolExecutor(1) as pool, interruption.deferred():
        waits: dict[str, Callable[[], object]] = {
            "sleep": lambda: interruption.sleep(60),
            "wait": lambda: interruption.wait(never, 60),
            "result": lambda: interruption.result(pool.submit(never.wait, 60)),
        }
        threading.Timer(0.2, terminate).start()
        try:
            with pytest.raises(InterruptedRun):
                waits[wait]()
        finally:
            never.set()


def test_another_thread_is_told_to_wait_no_longer_but_is_not_ended() -> None:
    told: list[bool] = []
    with interruption.deferred():
        terminate()
        thread = threading.Thread(target=lambda: told.append(interruption.wait(threading.Event(), 60)))
        thread.start()
        thread.join(30)
    assert told == [True]


def test_a_wait_ends_by_its_event_or_by_its_time() -> None:
    event = threading.Event()
    assert interruption.wait(event, 0.01) is False
    event.set()
    assert interruption.wait(event, 60) is True


def test_an_error_of_what_is_waited_for_passes_through() -> None:
    def fail() -> None:
        raise TimeoutError("its own")

    with ThreadPoolExecutor(1) as pool, pytest.raises(TimeoutError, match="its own"):
        interruption.result(pool.submit(fail))


def test_a_process_that_can_not_end_is_ended_and_says_what_is_left() -> None:
    program = """
        import threading
        from pinnace import interruption
        interruption.CLEANING_SECONDS = 0.3
        interruption.install()
        with interruption.deferred():
            print("ready", flush=True)
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
    """
    stuck = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert stuck.stdout is not None
    assert stuck.stdout.readline() == "ready\n"
    stuck.send_signal(signal.SIGTERM)
    _, printed = stuck.communicate(timeout=60)
    assert stuck.returncode == 143
    assert "could not be removed" in printed
    assert "pinnace backup cleanup" in printed
