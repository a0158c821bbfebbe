"""Ends a run that SIGINT or SIGTERM told to stop, at a point where it holds no lock and nothing is half done.

A signal handler that raises does so anywhere, also inside a lock's own code: what cleans up would then wait for that
lock forever. So while `deferred()` a signal is only noted, and who waits or comes round asks by `check()`.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeVar

from pinnace.errors import InterruptedRun

__all__ = ["LOOK_SECONDS", "check", "deferred", "ignore", "install", "is_noted", "meaning", "result", "sleep", "wait"]

CLEANING_SECONDS = 9.0
"""From the signal to the end of a process that a store or a server keeps from ending, which has 10 s for that."""

LOOK_SECONDS = 0.1
"""Who waits in a run looks up so often whether it was told to stop."""

_ABORTED = "uploads were aborted and nothing is visible"

_HANDLED = (signal.SIGINT, signal.SIGTERM)

Answer = TypeVar("Answer")


class _State:
    """Of the process, as signals are."""

    def __init__(self) -> None:
        self.is_deferred = False
        self.signal_number: int | None = None
        self.has_raised = False


_state = _State()


def install() -> None:
    """Handle both signals: by InterruptedRun at once, unless deferred."""
    for handled in _HANDLED:
        signal.signal(handled, _note)


def ignore() -> None:
    """Let no signal change what the process has come to; the first one is not cut off by a second one either."""
    for handled in _HANDLED:
        signal.signal(handled, signal.SIG_IGN)


@contextmanager
def deferred() -> Iterator[None]:
    """Raise at a `check()` only; a run that was whole by then is left as it is.

    The process ends 9 s after the signal, whatever it waits for, with the exit code of the signal.
    """
    before, _state.is_deferred = _state.is_deferred, True
    try:
        yield
    finally:
        _state.is_deferred = before
        if not before and _state.signal_number is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def meaning(consequence: str) -> Iterator[None]:
    """Have an interruption say what it means for what goes on inside; who knows more has said it already."""
    try:
        yield
    except InterruptedRun as interrupted:
        interrupted.consequence = interrupted.consequence or consequence
        raise


def is_noted() -> bool:
    """Whether a signal came: nothing is worth being waited for any more."""
    return _state.signal_number is not None


def check() -> None:
    """InterruptedRun in the main thread where a signal was noted; once, since what cleans up comes by here too."""
    if _state.signal_number is None or _state.has_raised or threading.current_thread() is not threading.main_thread():
        return
    _state.has_raised = True
    raise InterruptedRun(signal_number=_state.signal_number, consequence=_ABORTED)


def sleep(seconds: float) -> None:
    """Sleep, and check meanwhile; a noted signal also ends the sleep of what cleans up."""
    wait(threading.Event(), seconds)


def wait(ended: threading.Event, seconds: float) -> bool:
    """Wait for `ended`, and check meanwhile; True where it is set or a signal was noted."""
    until = time.monotonic() + seconds
    while (left_seconds := until - time.monotonic()) > 0:
        check()
        if is_noted() or ended.wait(min(left_seconds, LOOK_SECONDS)):
            return True
    check()
    return is_noted() or ended.is_set()


def result(future: "Future[Answer]") -> Answer:
    """The future's result, and check meanwhile."""
    while True:
        check()
        try:
            return future.result(timeout=LOOK_SECONDS)
        except TimeoutError:
            if future.done():
                raise


def _note(number: int, _frame: FrameType | None) -> None:
    ignore()
    _state.signal_number = number
    if _state.is_deferred:
        signal.signal(signal.SIGALRM, _end)
        signal.setitimer(signal.ITIMER_REAL, CLEANING_SECONDS)
        return
    _state.has_raised = True
    raise InterruptedRun(signal_number=number)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    number = _state.signal_number or signal.SIGTERM
    sentence = (
        f"error: interrupted by signal {number}; what was written could not be removed in {CLEANING_SECONDS:.0f} s"
    )
    print(
        f"{sentence}: the next run of this backup, or `pinnace backup cleanup`, removes it", file=sys.stderr, flush=True
    )
    os._exit(128 + number)
