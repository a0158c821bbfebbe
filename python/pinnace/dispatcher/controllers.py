"""The pattern of a controller: a thread of its own that brings names from a queue one step further, or looks around.

What a controller does next is a pure function of what the cluster says, in a module of its own; here is only when it
is asked, and that a failure is said and tried again instead of ending the thread.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pinnace.dispatcher.work_queue import WorkQueue
from pinnace.errors import PinnaceError
from pinnace.kube.client import Client
from pinnace.kube.informer import Informer
from pinnace.kube.objects import Kind

__all__ = ["Controller", "Copies", "PeriodicController", "QueueController"]

_SYNC_SECONDS = 0.2
_log = logging.getLogger(__name__)


class Controller(Protocol):
    """What the dispatcher starts, asks after, and stops."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End after the step at hand."""

    @property
    def synced(self) -> bool:
        """Whether it knows what is there."""

    @property
    def alive(self) -> bool:
        """Whether its thread works."""


class Copies(Protocol):
    """What other controllers read of an informer: all objects of its kind, which may be a moment old."""

    @property
    def synced(self) -> bool:
        """Whether the first list has come."""

    def list(self) -> list[dict[str, Any]]:
        """All copies."""


class QueueController(ABC):
    """Informers put names into a queue, each waits there once, and `reconcile` is called with one at a time.

    `word` is what log lines call the kind (`backup`).
    """

    def __init__(self, word: str) -> None:
        self.queue = WorkQueue()
        self._word = word
        self._informers: list[Informer] = []
        self._thread = threading.Thread(target=self._work, name=f"{word}s", daemon=True)

    def watch(
        self, client: Client, kind: Kind, *, namespace: str, on_change: Callable[[dict[str, Any]], None] | None = None,
        on_deleted: Callable[[dict[str, Any]], None] | None = None, label_selector: str = "",
    ) -> Informer:  # fmt: skip
        """Keep a copy of a kind; without `on_change` the name of what changed comes into the queue."""
        informer = Informer(
            client, kind, namespace=namespace, on_change=on_change or self.changed, on_deleted=on_deleted,
            label_selector=label_selector,
        )  # fmt: skip
        self._informers.append(informer)
        return informer

    @abstractmethod
    def reconcile(self, name: str) -> float | None:
        """Do the next step for a name; the seconds after which to look again, None if only a change brings it back.

        A PinnaceError is said and the name comes back after a pause that doubles.
        """

    def changed(self, document: Mapping[str, Any]) -> None:
        """Put the name of what changed into the queue."""
        self.queue.add(str(document["metadata"]["name"]))

    def start(self) -> None:
        """Begin: what is there already is gone on with."""
        for informer in self._informers:
            informer.start()
        self._thread.start()

    def stop(self) -> None:
        """End after the step at hand."""
        self.queue.close()
        for informer in self._informers:
            informer.stop()
        self._thread.join()

    @property
    def synced(self) -> bool:
        """Whether all copies were filled once."""
        return all(informer.synced for informer in self._informers)

    @property
    def alive(self) -> bool:
        """Whether the queue is worked on."""
        return self._thread.is_alive()

    def _work(self) -> None:
        while (name := self.queue.get()) is not None:
            if not self.synced:
                self.queue.done(name, again_after_seconds=_SYNC_SECONDS)
                continue
            try:
                again_after_seconds = self.reconcile(name)
            except PinnaceError as error:
                pause = self.queue.failed(name)
                _log.warning("%s %s: %s; tried again in %.1f s", self._word, name, error, pause)
            except Exception:
                pause = self.queue.failed(name)
                _log.exception("%s %s: a defect of the dispatcher; tried again in %.1f s", self._word, name, pause)
            else:
                self.queue.done(name, again_after_seconds=again_after_seconds)


class PeriodicController(ABC):
    """Calls `look` at once and then every so many seconds; `word` is what log lines call what it looks at."""

    def __init__(self, word: str, *, look_seconds: float) -> None:
        self._word = word
        self._look_seconds = look_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name=word, daemon=True)

    @abstractmethod
    def look(self) -> None:
        """Do what is due now; a PinnaceError is said, and the next look tries again."""

    def start(self) -> None:
        """Begin at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the look at hand."""
        self._stopped.set()
        self._thread.join()

    @property
    def synced(self) -> bool:
        """Whether it knows what is there: it asks each time."""
        return True

    @property
    def alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except PinnaceError as error:
                _log.warning("%s: %s", self._word, error)
            except Exception:
                _log.exception("%s: a defect of the dispatcher", self._word)
            self._stopped.wait(self._look_seconds)
