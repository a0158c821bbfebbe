"""Dashboards and alerts made for Velero find its names, labels and values."""

from typing import Any

import pytest
from prometheus_client import generate_latest

from pinnace.dispatcher.metrics import Metrics
from pinnace.dispatcher.termination import Termination


def _lines(metrics: Metrics, *, without: str = "") -> list[str]:
    """The series, without those that `without`, the text of an earlier moment, had in the same way."""
    text = generate_latest(metrics.registry).decode()
    return [line for line in text.splitlines() if not line.startswith("#") and line not in without.splitlines()]


def _changes(metrics: Metrics, before: str) -> list[str]:
    return _lines(metrics, without=before)


def _text(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def _backup(phase: str, *, schedule: str = "", **status: Any) -> dict[str, Any]:
    labels = {"velero.io/schedule-name": schedule} if schedule else {}
    return {"metadata": {"name": "b", "labels": labels}, "status": {"phase": phase, **status}}


_COMPLETED = _backup(
    "Completed",
    schedule="nightly",
    startTimestamp="2026-01-01T00:00:00Z",
    completionTimestamp="2026-01-01T00:06:40Z",
    warnings=2,
    progress={"totalItems": 120, "itemsBackedUp": 120},
)
_FIGURES = Termination(archive_bytes=5000, item_count=120, page_bytes=90000, list_seconds=2.5, throttled_count=4)


def test_families_have_veleros_names_and_types() -> None:
    types = [line.removeprefix("# TYPE ") for line in _text(Metrics()).splitlines() if line.startswith("# TYPE")]
    assert types == [
        "velero_backup_attempt_total counter",
        "velero_backup_success_total counter",
        "velero_backup_partial_failure_total counter",
        "velero_backup_failure_total counter",
        "velero_backup_validation_failure_total counter",
        "velero_backup_deletion_attempt_total counter",
        "velero_backup_deletion_success_total counter",
        "velero_backup_deletion_failure_total counter",
        "velero_backup_warning_total counter",
        "velero_volume_snapshot_attempt_total counter",
        "velero_volume_snapshot_success_total counter",
        "velero_volume_snapshot_failure_total counter",
        "velero_csi_snapshot_attempt_total counter",
        "velero_csi_snapshot_success_total counter",
        "velero_csi_snapshot_failure_total counter",
        "velero_backup_duration_seconds histogram",
        "velero_backup_tarball_size_bytes gauge",
        "velero_backup_items_total gauge",
        "velero_backup_items_errors gauge",
        "velero_backup_last_successful_timestamp gauge",
        "velero_backup_last_status gauge",
        "velero_backup_total gauge",
        "velero_backup_location_status_gauge gauge",
        "pinnace_job_attempts_total counter",
        "pinnace_backup_list_seconds gauge",
        "pinnace_backup_page_bytes gauge",
        "pinnace_backup_throttled_total counter",
    ]


def test_series_without_a_schedule_are_there_before_any_backup() -> None:
    assert _lines(Metrics()) == [
        'velero_backup_attempt_total{schedule=""} 0.0',
        'velero_backup_success_total{schedule=""} 0.0',
        'velero_backup_partial_failure_total{schedule=""} 0.0',
        'velero_backup_failure_total{schedule=""} 0.0',
        'velero_backup_validation_failure_total{schedule=""} 0.0',
        'velero_backup_deletion_attempt_total{schedule=""} 0.0',
        'velero_backup_deletion_success_total{schedule=""} 0.0',
        'velero_backup_deletion_failure_total{schedule=""} 0.0',
        'velero_backup_warning_total{schedule=""} 0.0',
        'velero_volume_snapshot_attempt_total{schedule=""} 0.0',
        'velero_volume_snapshot_success_total{schedule=""} 0.0',
        'velero_volume_snapshot_failure_total{schedule=""} 0.0',
        'velero_csi_snapshot_attempt_total{backupName="",schedule=""} 0.0',
        'velero_csi_snapshot_success_total{backupName="",schedule=""} 0.0',
        'velero_csi_snapshot_failure_total{backupName="",schedule=""} 0.0',
        'velero_backup_items_total{schedule=""} 0.0',
        'velero_backup_items_errors{schedule=""} 0.0',
        'velero_backup_last_status{schedule=""} 1.0',
        "velero_backup_total 0.0",
    ]


def test_a_completed_backup_of_a_schedule() -> None:
    metrics = Metrics()
    before = _text(metrics)
    metrics.begun(_COMPLETED)
    metrics.ended(_COMPLETED, _FIGURES)
    assert _changes(metrics, before) == [
        'velero_backup_attempt_total{schedule="nightly"} 1.0',
        'velero_backup_success_total{schedule="nightly"} 1.0',
        'velero_backup_warning_total{schedule="nightly"} 2.0',
        'velero_volume_snapshot_attempt_total{schedule="nightly"} 0.0',
        'velero_volume_snapshot_success_total{schedule="nightly"} 0.0',
        'velero_volume_snapshot_failure_total{schedule="nightly"} 0.0',
        'velero_backup_duration_seconds_bucket{le="60.0",schedule="nightly"} 0.0',
        'velero_backup_duration_seconds_bucket{le="300.0",schedule="nightly"} 0.0',
        'velero_backup_duration_seconds_bucket{le="600.0",schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_bucket{le="900.0",schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_bucket{le="1800.0",schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_bucket{le="3600.0",schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_bucket{le="7200.0",schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_bucket{le="10800.0",schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_bucket{le="14400.0",schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_bucket{le="+Inf",schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_count{schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_sum{schedule="nightly"} 400.0',
        'velero_backup_tarball_size_bytes{schedule="nightly"} 5000.0',
        'velero_backup_items_total{schedule="nightly"} 120.0',
        'velero_backup_items_errors{schedule="nightly"} 0.0',
        'velero_backup_last_successful_timestamp{schedule="nightly"} 1.767226e+09',
        'velero_backup_last_status{schedule="nightly"} 1.0',
        'pinnace_job_attempts_total{outcome="succeeded"} 1.0',
        'pinnace_backup_list_seconds{schedule="nightly"} 2.5',
        'pinnace_backup_page_bytes{schedule="nightly"} 90000.0',
        'pinnace_backup_throttled_total{schedule="nightly"} 4.0',
    ]


def test_a_partially_failed_backup_is_no_success_and_its_job_is_one() -> None:
    metrics = Metrics()
    before = _text(metrics)
    metrics.ended(_backup("PartiallyFailed", errors=3, progress={"itemsBackedUp": 7}), Termination())
    assert _changes(metrics, before) == [
        'velero_backup_partial_failure_total{schedule=""} 1.0',
        'velero_backup_items_total{schedule=""} 7.0',
        'velero_backup_items_errors{schedule=""} 3.0',
        'velero_backup_last_status{schedule=""} 0.0',
        'pinnace_job_attempts_total{outcome="succeeded"} 1.0',
        'pinnace_backup_throttled_total{schedule=""} 0.0',
    ]


def test_a_backup_that_failed_before_it_had_figures() -> None:
    metrics = Metrics()
    before = _text(metrics)
    metrics.ended(_backup("Failed"), Termination(reason="the bucket is away"))
    assert _changes(metrics, before) == [
        'velero_backup_failure_total{schedule=""} 1.0',
        'velero_backup_last_status{schedule=""} 0.0',
        'pinnace_job_attempts_total{outcome="failed"} 1.0',
        'pinnace_backup_throttled_total{schedule=""} 0.0',
    ]


def test_snapshots_are_counted_from_the_last_status_those_by_csi_for_each_backup() -> None:
    metrics = Metrics()
    before = _text(metrics)
    counts = {"csiVolumeSnapshotsAttempted": 5, "csiVolumeSnapshotsCompleted": 3}
    native = {"volumeSnapshotsAttempted": 2, "volumeSnapshotsCompleted": 2}
    backup = _backup("PartiallyFailed", schedule="nightly", **counts, **native)
    metrics.ended(backup, Termination())
    metrics.ended(_backup("Failed", schedule="nightly", volumeSnapshotsAttempted=1), Termination())
    snapshots = [line for line in _changes(metrics, before) if "_snapshot_" in line]
    assert snapshots == [
        'velero_volume_snapshot_attempt_total{schedule="nightly"} 3.0',
        'velero_volume_snapshot_success_total{schedule="nightly"} 2.0',
        'velero_volume_snapshot_failure_total{schedule="nightly"} 1.0',
        'velero_csi_snapshot_attempt_total{backupName="b",schedule="nightly"} 5.0',
        'velero_csi_snapshot_success_total{backupName="b",schedule="nightly"} 3.0',
        'velero_csi_snapshot_failure_total{backupName="b",schedule="nightly"} 2.0',
    ]
    metrics.existing([backup])
    assert [line for line in _changes(metrics, before) if "_snapshot_" in line] == snapshots
    # A Backup that is gone leaves no series behind.
    metrics.existing([])
    assert [line for line in _changes(metrics, before) if "_snapshot_" in line] == snapshots[:3]


def test_a_refused_backup_and_another_attempt_are_counted() -> None:
    metrics = Metrics()
    before = _text(metrics)
    metrics.refused(_backup("FailedValidation", schedule="nightly"))
    metrics.retried()
    assert _changes(metrics, before) == [
        'velero_backup_validation_failure_total{schedule="nightly"} 1.0',
        'pinnace_job_attempts_total{outcome="retried"} 1.0',
    ]


def test_locations_are_one_or_nought() -> None:
    metrics = Metrics()
    before = _text(metrics)
    metrics.location("default", is_available=True)
    metrics.location("far", is_available=True)
    metrics.location("far", is_available=False)
    assert _changes(metrics, before) == [
        'velero_backup_location_status_gauge{backup_location_name="default"} 1.0',
        'velero_backup_location_status_gauge{backup_location_name="far"} 0.0',
    ]


def test_after_a_restart_the_last_success_of_each_schedule_is_found_among_those_that_exist() -> None:
    metrics = Metrics()
    before = _text(metrics)
    times = ["2026-01-01T00:06:40Z", "2026-01-01T00:05:00Z"]
    backups = [
        *(_backup("Completed", startTimestamp="2026-01-01T00:00:00Z", completionTimestamp=time) for time in times),
        _backup("Failed", startTimestamp="2026-01-01T00:00:00Z", completionTimestamp="2026-01-02T00:00:00Z"),
        _backup(""),
        {"metadata": {"name": "new"}},
    ]
    metrics.existing(backups)
    assert _changes(metrics, before) == [
        'velero_backup_last_successful_timestamp{schedule=""} 1.767226e+09',
        "velero_backup_total 5.0",
    ]


@pytest.mark.parametrize("moment", ["2026-01-01T00:06:40Z", "2025-01-01T00:00:00Z"])
def test_an_older_success_does_not_replace_the_last(moment: str) -> None:
    metrics = Metrics()
    metrics.ended(_COMPLETED, _FIGURES)
    before = _text(metrics)
    metrics.existing(
        [_backup("Completed", schedule="nightly", startTimestamp="2025-01-01T00:00:00Z", completionTimestamp=moment)]
    )
    assert _changes(metrics, before) == ["velero_backup_total 1.0"]


def test_no_series_tells_when_it_was_created() -> None:
    metrics = Metrics()
    metrics.ended(_COMPLETED, _FIGURES)
    assert [line for line in _text(metrics).splitlines() if "_created" in line] == []


def test_the_series_of_a_schedule_are_there_before_its_first_failure_and_are_begun_once() -> None:
    metrics = Metrics()
    metrics.begin("nightly")
    assert 'velero_backup_failure_total{schedule="nightly"} 0.0' in _lines(metrics)
    assert 'velero_backup_last_status{schedule="nightly"} 1.0' in _lines(metrics)
    metrics.ended(_backup("Failed", schedule="nightly"), Termination())
    metrics.begin("nightly")
    assert 'velero_backup_failure_total{schedule="nightly"} 1.0' in _lines(metrics)
    assert 'velero_backup_last_status{schedule="nightly"} 0.0' in _lines(metrics)
