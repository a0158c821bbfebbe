"""The sync of Backups: makes those that a bucket has and the cluster lacks, and removes those whose data is gone.

As backup_sync_controller.go; which names are read and which Backups are orphans, sync_plan decides.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from pinnace.dispatcher import sync_plan
from pinnace.dispatcher.controllers import Copies, PeriodicController
from pinnace.dispatcher.location_status import is_sync_due
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.upkeep_metrics import UpkeepMetrics
from pinnace.errors import (
    BackupNotFoundError,
    KubeError,
    PinnaceError,
    StoreError,
    StoreUnavailableError,
    UsageError,
)
from pinnace.kube.client import Client
from pinnace.kube.events import EventRecorder
from pinnace.kube.kinds import BACKUPS, SCHEDULES
from pinnace.kube.objects import Objects
from pinnace.store.backup_store import BackupStore
from pinnace.store.object_store import ObjectStore, is_key
from pinnace.velero.synced_backup import synced_backup
from pinnace.velero.timestamps import timestamp

__all__ = ["BackupSync"]

_LOOK_SECONDS = 10.0
_TOLD_EACH = 10
"""So many unreadable backups of a round are told each by an Event; of more, their number."""

_REFUSED = (400, 413, 422)
"""Answers of the API server that are about this one Backup, such as a phase that the installed CRD does not know."""

_log = logging.getLogger(__name__)


class BackupSync(PeriodicController):
    """Works in a thread of its own; each location has its turn when its `backupSyncPeriod` is over."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        backups: Copies,
        locations: Locations,
        period_seconds: float,
        metrics: UpkeepMetrics,
        events: EventRecorder,
        clock: Callable[[], datetime],
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        super().__init__("backup sync", look_seconds=max(min(look_seconds, period_seconds), 1.0))
        self._namespace = namespace
        self._copies = backups
        self._locations = locations
        self._period_seconds = period_seconds
        self._metrics = metrics
        self._events = events.about("velero.io/v1", "BackupStorageLocation")
        self._clock = clock
        self._backups = Objects(client, BACKUPS, namespace=namespace)
        self._schedules = Objects(client, SCHEDULES, namespace=namespace)
        self._misses: dict[tuple[str, str], sync_plan.Misses] = {}

    def look(self) -> None:
        """Sync the locations that are due; one that fails does not keep the others waiting."""
        if not self._copies.synced:
            return
        locations = self._locations.documents()
        keys = [_key(location) for location in locations]
        self._misses = {key: self._misses.get(key) or sync_plan.Misses() for key in keys}
        for location, key in zip(locations, keys, strict=True):
            if is_sync_due(location, default_seconds=self._period_seconds, now=self._clock()):
                try:
                    self._sync(location, self._locations.open_document(location), self._misses[key])
                except PinnaceError as error:
                    _log.warning("backup sync of location %s: %s", location["metadata"]["name"], error)
                    self._events.warn(location, "SyncFailed", str(error))

    def _sync(self, location: Mapping[str, Any], store: ObjectStore, misses: sync_plan.Misses) -> None:
        """One round. The Backups are taken first: what ends after that is no orphan."""
        location_name, copies = str(location["metadata"]["name"]), self._copies.list()
        stored = [name for name in store.list_directories("backups/") if is_key(name)]
        misses.forget_others(stored)
        known = [str(backup["metadata"]["name"]) for backup in copies]
        reading = sync_plan.reading(stored, known=known, misses=misses, now=self._clock())
        created = self._read(location, store, reading.names, misses)
        orphans = sync_plan.orphans(copies, stored=stored, location_name=location_name)
        removed = self._remove(location, store, orphans)
        is_whole = reading.is_whole and orphans.is_whole
        if is_whole:
            self._locations.patch(location, {"status": {"lastSyncedTime": timestamp(self._clock())}})
        ended = self._clock() if is_whole else None
        self._metrics.synced(
            location_name, created=created, orphans=removed, unreadable=misses.unreadable_count, ended=ended
        )
        if created or removed or not is_whole:
            text = "backup sync of location %s: %d of %d in the bucket made, %d removed%s"
            rest = "" if is_whole else "; the rest follows"
            _log.info(text, location_name, created, len(stored), removed, rest)

    def _read(
        self, location: Mapping[str, Any], store: ObjectStore, names: Sequence[str], misses: sync_plan.Misses
    ) -> int:
        """Read the metadata of each and make its Backup; gives how many were made."""
        uids = {str(each["metadata"]["name"]): str(each["metadata"]["uid"]) for each in self._schedules.list()}
        created, unreadable = 0, 0
        for name in names:
            document, error = None, None
            try:
                document = self._document(location, store, name, uids)
            except (UsageError, StoreError, KubeError) as raised:
                if _is_general(raised):
                    raise
                error, unreadable = raised, unreadable + 1
            if document is not None:
                created += 1
                continue
            misses.add(name, now=self._clock(), is_unreadable=error is not None)
            if error is not None and unreadable <= _TOLD_EACH:
                self._events.warn(location, "BackupNotSynced", f"backup {name} can't be synced: {error}")
        if unreadable > _TOLD_EACH:
            self._events.warn(
                location, "BackupNotSynced", f"{unreadable} backups can't be synced, {_TOLD_EACH} are told each"
            )
        return created

    def _document(
        self, location: Mapping[str, Any], store: ObjectStore, name: str, schedule_uids: Mapping[str, str]
    ) -> Mapping[str, Any] | None:
        """Make one Backup; None where the bucket has none that is finished."""
        try:
            text = BackupStore(store, name).read_metadata()
        except BackupNotFoundError:
            return None
        try:
            document = synced_backup(
                orjson.loads(text),
                name=name,
                namespace=self._namespace,
                location_name=str(location["metadata"]["name"]),
                schedule_uids=schedule_uids,
                now=self._clock(),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"its velero-backup.json is malformed: {error}") from error
        if document is not None:
            self._backups.create(document)
        return document

    def _remove(self, location: Mapping[str, Any], store: ObjectStore, found: sync_plan.Orphans) -> int:
        """Remove orphans, after the bucket has said of each by itself that it is gone."""
        if found.kept_because:
            self._events.warn(location, "OrphansKept", found.kept_because)
        gone = []
        for backup in found.backups:
            if store.exists(BackupStore(store, str(backup["metadata"]["name"])).keys.metadata):
                text = f"its listing leaves out backup {backup['metadata']['name']}, which is there; nothing is removed"
                self._events.warn(location, "OrphansKept", text)
                return 0
            gone.append(backup)
        for backup in gone:
            self._backups.delete(backup["metadata"]["name"], uid=backup["metadata"]["uid"])
            _log.info(
                "backup %s: its data is gone from location %s", backup["metadata"]["name"], location["metadata"]["name"]
            )
        return len(gone)


def _is_general(error: PinnaceError) -> bool:
    """Whether it is not about one backup: the bucket or the API server is away, and the next would say the same."""
    return isinstance(error, StoreUnavailableError) or (isinstance(error, KubeError) and error.status not in _REFUSED)


def _key(location: Mapping[str, Any]) -> tuple[str, str]:
    """A location that points elsewhere is another one."""
    return str(location["metadata"]["name"]), repr(location.get("spec"))
