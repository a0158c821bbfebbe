"""Waits for the CSI snapshots that were begun: all by one look, each with its own time, and what goes wrong is told."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pinnace import interruption
from pinnace.errors import KubeError, ServerUnreachableError, VolumeError
from pinnace.velero.duration import format_duration
from pinnace.velero.results import Results
from pinnace.velero.volume_documents import VolumeInfo
from pinnace.volumes.csi_snapshots import CsiSnapshots, bound_content

__all__ = ["CLAIMS", "BegunSnapshot", "SnapshotTimeouts", "SnapshotWatch"]

CLAIMS = "persistentvolumeclaims"
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
"""As often as Velero looks; the first looks come sooner, since many drivers need no second."""

_PASSING_STATUS = (0, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class SnapshotTimeouts:
    """Seconds from a snapshot's beginning: until the storage has it, and until it can be restored from."""

    taken_seconds: float = 600.0
    ready_seconds: float = 4 * 3600.0


@dataclass
class BegunSnapshot:
    """One that was begun; `claim` is the item, compressed, that waits to be written once the snapshot is there."""

    name: str
    uid: str
    info: VolumeInfo
    driver: str
    began: datetime
    began_at: float
    claim: bytes = b""
    content_name: str = ""
    is_taken: bool = False
    is_ready: bool = False
    message: str = ""
    error: str = ""
    is_archived: bool = False

    @property
    def claim_key(self) -> tuple[str, str]:
        """Namespace and name of its claim."""
        return self.info.pvc_namespace, self.info.pvc_name

    @property
    def metadata(self) -> dict[str, Any]:
        """What a request about it needs."""
        return {"metadata": {"namespace": self.info.pvc_namespace, "name": self.name, "uid": self.uid}}


class SnapshotWatch:
    """Looks until snapshots are there or late."""

    def __init__(self, snapshots: CsiSnapshots, *, results: Results, timeouts: SnapshotTimeouts) -> None:
        self._snapshots = snapshots
        self._results = results
        self._timeouts = timeouts

    def wait(self, wanted: Sequence[BegunSnapshot], is_there: Callable[[BegunSnapshot], bool]) -> None:
        """Look until each is there, or its time is over: then it is an error."""
        pause = _FIRST_PAUSE_SECONDS
        while left := [one for one in wanted if not one.error and not is_there(one)]:
            interruption.check()
            self._look(left)
            for snapshot in left:
                if not is_there(snapshot):
                    self._end_if_late(snapshot)
            if all(one.error or is_there(one) for one in left):
                return
            interruption.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def _look(self, wanted: Sequence[BegunSnapshot]) -> None:
        """Read how far they are; a server that is away just now is asked again until their time is over."""
        try:
            found = self._snapshots.look()
            for snapshot in wanted:
                document = found.get(snapshot.uid)
                if document is None:
                    self._fail(snapshot, "the VolumeSnapshot is gone: somebody deleted it")
                else:
                    self._see(snapshot, document)
        except KubeError as error:
            if isinstance(error, ServerUnreachableError) or error.status not in (0, 429, 500, 502, 503, 504):
                raise
            for snapshot in wanted:
                snapshot.message = str(error)

    def _see(self, snapshot: BegunSnapshot, document: Mapping[str, Any]) -> None:
        status = document.get("status") or {}
        snapshot.message = str((status.get("error") or {}).get("message") or "")
        if name := bound_content(document):
            snapshot.content_name = name
        if name and not snapshot.is_taken and (status.get("creationTime") or status.get("readyToUse")):
            content = self._snapshots.content(name) or {}
            snapshot.is_taken = bool((content.get("status") or {}).get("snapshotHandle"))
        snapshot.is_ready = snapshot.is_taken and bool(status.get("readyToUse"))

    def _end_if_late(self, snapshot: BegunSnapshot) -> None:
        waited, because = time.monotonic() - snapshot.began_at, f": {snapshot.message}" if snapshot.message else ""
        if snapshot.error:
            return
        if not snapshot.is_taken and waited > self._timeouts.taken_seconds:
            bound = f"csiSnapshotTimeout {format_duration(self._timeouts.taken_seconds)}"
            self._fail(snapshot, f"the snapshot was not taken within {bound}{because}")
            self.told(snapshot, "Error removing the VolumeSnapshot", self.discard)
        elif snapshot.is_taken and waited > self._timeouts.ready_seconds:
            self._fail(snapshot, f"Asynchronous action timed out{because}")

    def _fail(self, snapshot: BegunSnapshot, reason: str) -> None:
        snapshot.error = reason
        self._add_error(snapshot, "Error backing up item", reason)

    def discard(self, snapshot: BegunSnapshot) -> None:
        """Remove it, and what the storage has of it."""
        self._snapshots.discard(snapshot.metadata, content_name=snapshot.content_name)

    def told(self, snapshot: BegunSnapshot, message: str, act: Callable[[BegunSnapshot], None]) -> None:
        """Do it; what goes wrong with one snapshot is an error in the results."""
        try:
            act(snapshot)
        except (KubeError, VolumeError) as error:
            if isinstance(error, ServerUnreachableError):
                raise
            self._add_error(snapshot, message, str(error))

    def _add_error(self, snapshot: BegunSnapshot, message: str, error: str) -> None:
        info = snapshot.info
        self._results.add_error(message, namespace=info.pvc_namespace, resource=CLAIMS, name=info.pvc_name, error=error)
