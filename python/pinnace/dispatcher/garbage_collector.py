"""The garbage collection: asks for the deletion of Backups that have expired (gc_controller.go); garbage.py decides."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pinnace.dispatcher.controllers import Copies, PeriodicController
from pinnace.dispatcher.garbage import GC_FAILURE_LABEL, Collect, Keep, Refuse, Verdict, has_expired, verdicts
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.retention_guard import GUARD_ANNOTATION
from pinnace.dispatcher.upkeep_metrics import UpkeepMetrics
from pinnace.errors import KubeError
from pinnace.kube.client import Client
from pinnace.kube.events import EventRecorder
from pinnace.kube.kinds import BACKUPS, DELETE_BACKUP_REQUESTS, SCHEDULES
from pinnace.kube.objects import Objects
from pinnace.velero.delete_request import delete_request
from pinnace.velero.schedule import schedule_name_of

__all__ = ["GarbageCollector"]

_LOOK_SECONDS = 10.0
"""How soon the first look comes after the copies of Backups are there, and after one came that has expired already, as
of an old bucket; then the frequency counts."""

_log = logging.getLogger(__name__)


class GarbageCollector(PeriodicController):
    """Deletes nothing itself: a DeleteBackupRequest does, with all the checks of a deletion that people ask for."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        backups: Copies,
        locations: Locations,
        frequency_seconds: float,
        guard: bool,
        metrics: UpkeepMetrics,
        events: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__("garbage collection", look_seconds=max(min(_LOOK_SECONDS, frequency_seconds), 1.0))
        self._copies = backups
        self._locations = locations
        self._frequency = timedelta(seconds=frequency_seconds)
        self._guard = guard
        self._metrics = metrics
        self._events = events.about("velero.io/v1", "Backup")
        self._clock = clock
        self._backups = Objects(client, BACKUPS, namespace=namespace)
        self._requests = Objects(client, DELETE_BACKUP_REQUESTS, namespace=namespace)
        self._schedules = Objects(client, SCHEDULES, namespace=namespace)
        self._looked_at: datetime | None = None
        self._known: frozenset[str] = frozenset()

    def look(self) -> None:
        """Look for expired Backups if it is time; one that can't be handled does not keep the others waiting."""
        if not self._copies.synced:
            return
        now, backups = self._clock(), self._copies.list()
        if not self._is_due(now) and not self._has_come(backups, now):
            return
        found = list(
            verdicts(
                backups,
                locations=self._documents(),
                schedules=self._schedules.list(),
                requests=self._requests.list(),
                guard=self._guard,
                now=now,
            )
        )
        for verdict in found:
            try:
                self._perform(verdict)
            except KubeError as error:
                _log.warning("expired backup %s: %s", verdict.backup["metadata"]["name"], error)
        self._metrics.expired(
            guarded=[schedule_name_of(each.backup) for each in found if isinstance(each, Keep)],
            failures=[each.reason for each in found if isinstance(each, Refuse)],
        )
        self._looked_at, self._known = now, frozenset(map(_uid, backups))

    def _is_due(self, now: datetime) -> bool:
        """A clock that was put back must not end the looking."""
        return self._looked_at is None or not timedelta() <= now - self._looked_at < self._frequency

    def _has_come(self, backups: Iterable[Mapping[str, Any]], now: datetime) -> bool:
        """Whether a Backup was made since the last look that has expired already, for which Velero looks at once."""
        return any(has_expired(backup, now) and _uid(backup) not in self._known for backup in backups)

    def _documents(self) -> dict[str, dict[str, Any]] | None:
        try:
            return {str(document["metadata"]["name"]): document for document in self._locations.documents()}
        except KubeError as error:
            _log.warning("garbage collection: locations can't be read: %s", error)
            return None

    def _perform(self, verdict: Verdict) -> None:
        match verdict:
            case Collect(backup):
                self._label(backup, None)
                self._request_deletion(backup)
            case Refuse(backup, reason):
                self._label(backup, reason)
            case Keep(backup, reason):
                message = f"it has expired, but is kept: {reason}; annotation {GUARD_ANNOTATION}=off lets it go"
                self._events.warn(backup, "KeptByRetentionGuard", message)

    def _label(self, backup: Mapping[str, Any], reason: str | None) -> None:
        metadata = backup["metadata"]
        if (metadata.get("labels") or {}).get(GC_FAILURE_LABEL) == reason:
            return
        self._backups.merge_patch(metadata["name"], {"metadata": {"labels": {GC_FAILURE_LABEL: reason}}})
        if reason:
            location = (backup.get("spec") or {}).get("storageLocation") or "without a name"
            what = {"BSLNotFound": "does not exist", "BSLReadOnly": "is read-only"}.get(reason, "can't be read")
            self._events.warn(backup, reason, f"it has expired, and stays: location {location} {what}")

    def _request_deletion(self, backup: Mapping[str, Any]) -> None:
        self._requests.create(delete_request(backup))
        self._metrics.collected(backup)
        self._events.tell(backup, "Expired", "its deletion was asked for")


def _uid(backup: Mapping[str, Any]) -> str:
    return str(backup["metadata"]["uid"])
