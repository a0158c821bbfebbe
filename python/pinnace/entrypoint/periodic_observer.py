"""An observer that sends the newest counts from a thread of its own, and so is never in the way of the data."""

import threading
from abc import abstractmethod
from types import TracebackType
from typing import Self

from pinnace.backup.progress import Observer

__all__ = ["PeriodicObserver"]


class PeriodicObserver(Observer):
    """Sends every few seconds while it is entered; `_send` looks what is new, and raises nothing."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    @abstractmethod
    def _send(self) -> None:
        """Send what there is."""

    def _work(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._send()
