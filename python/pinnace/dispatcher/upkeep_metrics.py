"""Metrics of schedules, garbage collection and sync, for which Velero has none: all are ours."""

from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from pinnace.velero.schedule import schedule_name_of

__all__ = ["UpkeepMetrics"]

Family = TypeVar("Family", Counter, Gauge)


class UpkeepMetrics:
    """What keeps backups coming and going without anybody; the families are put into the registry of the others."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._next_due = self._family(
            Gauge, "pinnace_schedule_next_due_timestamp", "First due time without a backup; one that is over is late.",
            "schedule",
        )  # fmt: skip
        self._expired = self._family(
            Counter, "pinnace_backup_expired", "Expired backups whose deletion was asked for.", "schedule"
        )
        self._guarded = self._family(
            Gauge, "pinnace_backup_kept_by_retention_guard", "Expired backups that are kept: no newer one is good.",
            "schedule",
        )  # fmt: skip
        self._uncollectable = self._family(
            Gauge,
            "pinnace_backup_gc_failures",
            "Expired backups that can't be deleted, by velero.io/gc-failure.",
            "reason",
        )
        self._created = self._of_location(Counter, "pinnace_backup_sync_created", "Backups made from the bucket.")
        self._orphans = self._of_location(
            Counter, "pinnace_backup_sync_orphans", "Backups removed, gone in the bucket."
        )
        self._unreadable = self._of_location(Gauge, "pinnace_backup_sync_unreadable", "Backups that can't be synced.")
        self._last_sync = self._of_location(Gauge, "pinnace_backup_sync_last_timestamp", "End of the last whole sync.")

    def schedule(self, name: str, *, next_due: datetime | None) -> None:
        """A Schedule was looked at; one that is paused, invalid or deleted is never due."""
        if next_due is not None:
            self._next_due.labels(name).set(int(next_due.timestamp()))
            return
        with suppress(KeyError):
            self._next_due.remove(name)

    def collected(self, backup: Mapping[str, Any]) -> None:
        """A DeleteBackupRequest was made for an expired Backup."""
        self._expired.labels(schedule_name_of(backup)).inc()

    def expired(self, *, guarded: Iterable[str], failures: Iterable[str]) -> None:
        """A whole look for expired Backups: the schedules whose last good one is kept, and why others can't go."""
        for family, values in ((self._guarded, guarded), (self._uncollectable, failures)):
            family.clear()
            for value, count in Counts(values).items():
                family.labels(value).set(count)

    def synced(self, location: str, *, created: int, orphans: int, unreadable: int, ended: datetime | None) -> None:
        """A round of a location's sync; `ended` if it saw everything."""
        self._created.labels(location).inc(created)
        self._orphans.labels(location).inc(orphans)
        self._unreadable.labels(location).set(unreadable)
        if ended is not None:
            self._last_sync.labels(location).set(int(ended.timestamp()))

    def _family(self, family: type[Family], name: str, text: str, label: str) -> Family:
        return family(name, text, [label], registry=self._registry)

    def _of_location(self, family: type[Family], name: str, text: str) -> Family:
        return self._family(family, name, text, "backup_location_name")
