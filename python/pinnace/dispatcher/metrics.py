"""The metrics of Velero's dashboards and alerts under Velero's names, and a few of our own (metrics.go)."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from pinnace.dispatcher.termination import Termination
from pinnace.velero.schedule import schedule_name_of

__all__ = ["Metrics"]

_DURATION_BUCKETS = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 14400)


class Metrics:
    """All families of one dispatcher; series are there at 0 before anything is counted, as in Velero.

    One that begins at 1 has never increased, so that no alert would tell of the first failure.
    """

    def __init__(self) -> None:
        # The library's own `_created` series have no counterpart in Velero, and double what a Prometheus stores.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._attempt = self._counter("velero_backup_attempt", "Backups that were begun.")
        self._success = self._counter("velero_backup_success", "Backups that ended as Completed.")
        self._partial_failure = self._counter("velero_backup_partial_failure", "Backups that ended as PartiallyFailed.")
        self._failure = self._counter("velero_backup_failure", "Backups that ended as Failed.")
        self._validation_failure = self._counter("velero_backup_validation_failure", "Backups whose spec was refused.")
        self._deletion_attempt = self._counter("velero_backup_deletion_attempt", "Deletions that were begun.")
        self._deletion_success = self._counter("velero_backup_deletion_success", "Backups that were deleted.")
        self._deletion_failure = self._counter("velero_backup_deletion_failure", "Deletions that ended with errors.")
        self._warnings = self._counter("velero_backup_warning", "Warnings of all backups.")
        self._volume_snapshots = _Snapshots("velero_volume_snapshot", "native snapshots", ("schedule",), self.registry)
        # In Velero only with its feature EnableCSI, which is always on here.
        self._csi_snapshots = _Snapshots(
            "velero_csi_snapshot", "CSI snapshots", ("schedule", "backupName"), self.registry
        )
        self._duration = Histogram(
            "velero_backup_duration_seconds", "From start to end, in seconds.", ["schedule"],
            buckets=_DURATION_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._tarball_bytes = self._gauge("velero_backup_tarball_size_bytes", "Size of the last archive.")
        self._items = self._gauge("velero_backup_items_total", "Items of the last backup.")
        self._item_errors = self._gauge("velero_backup_items_errors", "Errors of the last backup.")
        self._last_success = self._gauge("velero_backup_last_successful_timestamp", "End of the last Completed backup.")
        self._last_status = self._gauge("velero_backup_last_status", "1 if the last backup ended as Completed, else 0.")
        self._total = Gauge("velero_backup_total", "Backups that exist.", registry=self.registry)
        self._location = Gauge(
            "velero_backup_location_status_gauge", "1 if the location is Available, else 0.",
            ["backup_location_name"], registry=self.registry,
        )  # fmt: skip
        self._job_attempts = Counter(
            "pinnace_job_attempts", "Ended attempts of Jobs.", ["outcome"], registry=self.registry
        )
        self._list_seconds = self._gauge("pinnace_backup_list_seconds", "Time in which the last backup listed.")
        self._page_bytes = self._gauge("pinnace_backup_page_bytes", "Bytes of list responses of the last backup.")
        self._throttled = self._counter("pinnace_backup_throttled", "Requests that the API server answered with 429.")
        self._last_success_at: dict[str, datetime] = {}
        self._known: set[str] = set()
        self._csi_snapshots.begin(("", ""))
        self.begin("")

    def begin(self, schedule: str) -> None:
        """Begin the series of a schedule's Backups, or of those without one: nothing ended badly yet."""
        if schedule in self._known:
            return
        self._known.add(schedule)
        ends = (self._success, self._partial_failure, self._failure, self._validation_failure)
        deletions = (self._deletion_attempt, self._deletion_success, self._deletion_failure)
        for family in (self._attempt, *ends, *deletions, self._warnings, self._items, self._item_errors):
            family.labels(schedule)
        self._volume_snapshots.begin((schedule,))
        self._last_status.labels(schedule).set(1)

    def begun(self, backup: Mapping[str, Any]) -> None:
        """A Backup became InProgress."""
        self._attempt.labels(schedule_name_of(backup)).inc()

    def refused(self, backup: Mapping[str, Any]) -> None:
        """A Backup became FailedValidation; Velero 1.9 never counts these."""
        self._validation_failure.labels(schedule_name_of(backup)).inc()

    def ended(self, backup: Mapping[str, Any], termination: Termination) -> None:
        """A Backup reached its last phase; counted once, when its Job is recorded."""
        schedule, status = schedule_name_of(backup), backup.get("status") or {}
        phase = status.get("phase")
        counter = {"Completed": self._success, "PartiallyFailed": self._partial_failure}.get(str(phase), self._failure)
        counter.labels(schedule).inc()
        self._last_status.labels(schedule).set(1 if phase == "Completed" else 0)
        self._warnings.labels(schedule).inc(int(status.get("warnings") or 0))
        self._volume_snapshots.add((schedule,), status, field="volumeSnapshots")
        if status.get("csiVolumeSnapshotsAttempted"):
            self._csi_snapshots.add((schedule, _name(backup)), status, field="csiVolumeSnapshots")
        self._items.labels(schedule).set(int((status.get("progress") or {}).get("itemsBackedUp") or 0))
        self._item_errors.labels(schedule).set(int(status.get("errors") or 0))
        if started_and_ended := _times(status):
            started, ended = started_and_ended
            self._duration.labels(schedule).observe(int((ended - started).total_seconds()))
            if phase == "Completed":
                self._succeeded(schedule, ended)
        if termination.archive_bytes:
            self._tarball_bytes.labels(schedule).set(termination.archive_bytes)
            self._page_bytes.labels(schedule).set(termination.page_bytes)
            self._list_seconds.labels(schedule).set(termination.list_seconds)
        self._throttled.labels(schedule).inc(termination.throttled_count)
        self._job_attempts.labels("succeeded" if phase != "Failed" else "failed").inc()

    def deletion_begun(self, backup: Mapping[str, Any]) -> None:
        """A Backup became Deleting."""
        self._deletion_attempt.labels(schedule_name_of(backup)).inc()

    def deleted(self, backup: Mapping[str, Any]) -> None:
        """A Backup was deleted with all that it had."""
        self._deletion_success.labels(schedule_name_of(backup)).inc()

    def deletion_failed(self, backup: Mapping[str, Any]) -> None:
        """A deletion that had begun ended with errors."""
        self._deletion_failure.labels(schedule_name_of(backup)).inc()

    def retried(self) -> None:
        """An attempt ended and another is made."""
        self._job_attempts.labels("retried").inc()

    def existing(self, backups: Iterable[Mapping[str, Any]]) -> None:
        """Count the Backups that exist, and find the last success of each schedule, which a restart forgot.

        Series that name a Backup which is gone go with it: else there would be more with each night.
        """
        count, labels = 0, {("", "")}
        for backup in backups:
            count += 1
            labels.add((schedule_name_of(backup), _name(backup)))
            status = backup.get("status") or {}
            if status.get("phase") == "Completed" and (times := _times(status)):
                self._succeeded(schedule_name_of(backup), times[1])
        self._total.set(count)
        self._csi_snapshots.keep(labels)

    def location(self, name: str, *, is_available: bool) -> None:
        """A BackupStorageLocation was validated."""
        self._location.labels(name).set(1 if is_available else 0)

    def _succeeded(self, schedule: str, ended: datetime) -> None:
        self._last_success_at[schedule] = max(self._last_success_at.get(schedule, ended), ended)
        self._last_success.labels(schedule).set(int(self._last_success_at[schedule].timestamp()))

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, ["schedule"], registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, ["schedule"], registry=self.registry)


class _Snapshots:
    """Attempts, successes and failures of one kind of snapshots."""

    def __init__(self, name: str, what: str, labels: tuple[str, ...], registry: CollectorRegistry) -> None:
        def counter(suffix: str, text: str) -> Counter:
            return Counter(f"{name}_{suffix}", f"{what.capitalize()} of volumes {text}.", labels, registry=registry)

        self._attempt = counter("attempt", "that were tried")
        self._success = counter("success", "that were taken")
        self._failure = counter("failure", "that failed")
        self._seen: set[tuple[str, ...]] = set()

    def begin(self, labels: tuple[str, ...]) -> None:
        """Make the series at 0."""
        self._seen.add(labels)
        for family in (self._attempt, self._success, self._failure):
            family.labels(*labels)

    def add(self, labels: tuple[str, ...], status: Mapping[str, Any], *, field: str) -> None:
        """Add what a Backup's status counts."""
        self._seen.add(labels)
        attempted, completed = (int(status.get(f"{field}{end}") or 0) for end in ("Attempted", "Completed"))
        self._attempt.labels(*labels).inc(attempted)
        self._success.labels(*labels).inc(completed)
        self._failure.labels(*labels).inc(max(attempted - completed, 0))

    def keep(self, labels: Collection[tuple[str, ...]]) -> None:
        """Drop all other series."""
        for gone in self._seen.difference(labels):
            for family in (self._attempt, self._success, self._failure):
                family.remove(*gone)
            self._seen.discard(gone)


def _name(backup: Mapping[str, Any]) -> str:
    return str(backup["metadata"]["name"])


def _times(status: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    started, ended = status.get("startTimestamp"), status.get("completionTimestamp")
    return (datetime.fromisoformat(started), datetime.fromisoformat(ended)) if started and ended else None
