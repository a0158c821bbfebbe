"""One attempt's hold on its Backup: written into it at the start, and looked up before each write that follows.

An attempt whose node was lost may live on, asleep or cut off, and go on when another one makes the backup.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pinnace import interruption
from pinnace.errors import AttemptLostError, KubeError, PinnaceError
from pinnace.kube.client import Client
from pinnace.kube.kinds import BACKUPS
from pinnace.kube.objects import Objects

__all__ = ["ATTEMPT_ID_ANNOTATION", "Holder", "Onlooker", "Ownership"]

ATTEMPT_ID_ANNOTATION = "pinnace.io/attempt-id"
"""On the Backup: the uid of the pod that may commit it."""

_BEFORE_START = (None, "", "New", "Queued", "ReadyToStart")
_START_LOOKS = 30
_START_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 60.0
"""How long the API server may be away, and the rights may be late at the start."""

_LAST_STATUS_SECONDS = 600.0
"""How long the last status is tried for: what is in the bucket by then must not stay unknown for a short outage."""

_QUICK_SECONDS = 3.0
"""For a process that was told to stop, and has 10 s for all that it does then."""

_PASSING_STATUS = (0, 403, 409, 429, 500, 502, 503, 504)
"""The API server is away or busy, has not heard of our rights yet (403), or somebody else wrote just now (409)."""

_CONFLICT = 409
_SOON_SECONDS = 0.1

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Holder:
    """A Backup that is not over, whether it is InProgress, and the attempt that makes it; "" while there is none."""

    document: dict[str, Any]
    attempt_id: str
    is_started: bool


class Onlooker:
    """Looks which attempt makes a Backup, for pods that write nothing into it."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        backup_name: str,
        backup_uid: str,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        self._backups = Objects(client, BACKUPS, namespace=namespace)
        self._backup_name = backup_name
        self._backup_uid = backup_uid
        self._sleep = sleep

    def holder(self, *, patience_seconds: float = _LAST_STATUS_SECONDS) -> Holder | None:
        """Look, again while the API server is away; None where the Backup has ended, or is another one by now."""
        return self._patiently(self._look, seconds=patience_seconds)

    def _look(self) -> Holder | None:
        document = self._backups.get(self._backup_name)
        if document is None or document["metadata"]["uid"] != self._backup_uid:
            return None
        phase = (document.get("status") or {}).get("phase")
        if phase == "InProgress":
            annotations = document["metadata"].get("annotations") or {}
            return Holder(document, str(annotations.get(ATTEMPT_ID_ANNOTATION) or ""), is_started=True)
        return Holder(document, "", is_started=False) if phase in _BEFORE_START else None

    def _patiently(self, ask: Callable[[], Answer], *, seconds: float) -> Answer:
        deadline, pause = time.monotonic() + seconds, 0.5
        while True:
            try:
                return ask()
            except KubeError as error:
                if error.status not in _PASSING_STATUS or time.monotonic() + pause > deadline:
                    raise
                if error.status == _CONFLICT:
                    self._sleep(_SOON_SECONDS)
                    continue
                self._sleep(pause)
                pause = min(2 * pause, 10.0)


class Ownership(Onlooker):
    """Reads and writes the Backup as long as it is InProgress and names this attempt; else AttemptLostError."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        backup_name: str,
        backup_uid: str,
        attempt_id: str,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        super().__init__(client, namespace=namespace, backup_name=backup_name, backup_uid=backup_uid, sleep=sleep)
        self._attempt_id = attempt_id

    def claim(self) -> dict[str, Any]:
        """Write into the Backup that this attempt makes it, and give it; AttemptLostError where it is not to be made.

        Who resumes Jobs by another rule than the dispatcher's (Kueue) may do so before the Backup is InProgress.
        """
        return self._patiently(self._claim, seconds=_PATIENCE_SECONDS)

    def check(self) -> None:
        """AttemptLostError where another attempt has taken over; KubeError where the API server stays away."""
        self._patiently(self._own, seconds=_PATIENCE_SECONDS)

    def is_current(self) -> bool:
        """The same by one request within 3 s: False also where there is no answer."""
        current = threading.Event()

        def ask() -> None:
            try:
                self._own()
            except PinnaceError:
                return
            current.set()

        asking = threading.Thread(target=ask, name="ownership", daemon=True)
        asking.start()
        asking.join(_QUICK_SECONDS)
        return current.is_set()

    def write_status(self, status: Mapping[str, Any]) -> None:
        """Change the given fields, once; KubeError of status 409 where somebody else wrote in between."""
        self._patch(self._own(), {"status": dict(status)})

    def write_last_status(self, status: Mapping[str, Any]) -> None:
        """The same, tried for ten minutes."""
        self._patiently(lambda: self.write_status(status), seconds=_LAST_STATUS_SECONDS)

    def _claim(self) -> dict[str, Any]:
        document = self._in_progress(waits=True).document
        return self._patch(document, {"metadata": {"annotations": {ATTEMPT_ID_ANNOTATION: self._attempt_id}}})

    def _own(self) -> dict[str, Any]:
        holder = self._in_progress()
        if holder.attempt_id != self._attempt_id:
            raise AttemptLostError(backup_name=self._backup_name)
        return holder.document

    def _in_progress(self, *, waits: bool = False) -> Holder:
        for _ in range(_START_LOOKS):
            holder = self._look()
            if holder is not None and holder.is_started:
                return holder
            if holder is None or not waits:
                break
            self._sleep(_START_LOOK_SECONDS)
        raise AttemptLostError(backup_name=self._backup_name)

    def _patch(self, document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
        """Only what was read is changed: whoever took over in between makes it a conflict."""
        patched = self._backups.patch_unchanged(document, patch)
        if patched is None:
            raise AttemptLostError(backup_name=self._backup_name)
        return patched
