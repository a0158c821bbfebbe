"""Waiting for CSI snapshots through faults that a real controller can't be made to show in time."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from pinnace import interruption
from pinnace.backup.snapshot_watch import BegunSnapshot, SnapshotTimeouts, SnapshotWatch
from pinnace.errors import KubeError, ServerUnreachableError
from pinnace.velero.results import Results
from pinnace.velero.volume_documents import VolumeInfo
from pinnace.volumes.csi_snapshots import CsiSnapshots

_TAKEN = {"boundVolumeSnapshotContentName": "content", "creationTime": "2026-11-25T03:00:00Z"}
Look = dict[str, Any] | KubeError


class ScriptedSnapshots:
    """Says at each look what it was told to: the status of the one snapshot, {} where it is gone, or a refusal."""

    def __init__(self, *looks: Look) -> None:
        self._looks: Iterator[Look] = iter(looks)
        self._last: Look = {}
        self.discarded: list[str] = []

    def look(self) -> dict[str, dict[str, Any]]:
        self._last = next(self._looks, self._last)
        if isinstance(self._last, KubeError):
            raise self._last
        return {"u": {"status": self._last}} if self._last else {}

    def content(self, name: str) -> dict[str, Any]:
        return {"status": {"snapshotHandle": f"handle-of-{name}"}}

    def discard(self, snapshot: dict[str, Any], *, content_name: str) -> None:
        self.discarded.append(f"{snapshot['metadata']['name']} {content_name}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """Time that passes only while something is slept."""
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(interruption, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return lambda: now[0]


def begun() -> BegunSnapshot:
    info = VolumeInfo("data", "shop", "pv")
    return BegunSnapshot("velero-data-x", "u", info, "d", datetime(2026, 11, 25, tzinfo=UTC), 100.0)


def waited(snapshots: ScriptedSnapshots, *, is_ready: bool = True) -> tuple[BegunSnapshot, list[str]]:
    results, snapshot = Results(), begun()
    timeouts = SnapshotTimeouts(taken_seconds=60, ready_seconds=600)
    watch = SnapshotWatch(cast(CsiSnapshots, snapshots), results=results, timeouts=timeouts)
    watch.wait([snapshot], lambda one: one.is_ready if is_ready else one.is_taken)
    return snapshot, [entry.error for entry in results.entries()]


def refused(status: int) -> KubeError:
    return KubeError(request="GET volumesnapshots", status=status, reason="as told")


def test_one_that_is_taken_and_then_ready(clock: Callable[[], float]) -> None:
    looks: list[Look] = [{"readyToUse": False}] * 3
    snapshot, errors = waited(ScriptedSnapshots(*looks, _TAKEN, {**_TAKEN, "readyToUse": True}))
    assert (snapshot.is_ready, snapshot.content_name, errors) == (True, "content", [])
    assert clock() < 103


def test_a_server_that_is_away_for_a_moment_is_asked_again(clock: Callable[[], float]) -> None:
    snapshot, errors = waited(ScriptedSnapshots(refused(503), refused(429), {**_TAKEN, "readyToUse": True}))
    assert (snapshot.is_ready, errors) == (True, [])


@pytest.mark.parametrize(
    "error", [refused(403), ServerUnreachableError(request="GET volumesnapshots", status=0, reason="refused")]
)
def test_a_refusal_that_will_not_get_better_ends_the_waiting(clock: Callable[[], float], error: KubeError) -> None:
    with pytest.raises(KubeError) as raised:
        waited(ScriptedSnapshots(error))
    assert raised.value is error


@pytest.mark.parametrize(
    ("looks", "reason", "discarded"),
    [
        (
            ({"readyToUse": False},),
            "the snapshot was not taken within csiSnapshotTimeout 1m0s",
            ["velero-data-x "],
        ),
        (
            ({"error": {"message": "the array is full"}, "boundVolumeSnapshotContentName": "content"},),
            "the snapshot was not taken within csiSnapshotTimeout 1m0s: the array is full",
            ["velero-data-x content"],
        ),
        (
            (refused(503),),
            "the snapshot was not taken within csiSnapshotTimeout 1m0s: GET volumesnapshots: as told",
            ["velero-data-x "],
        ),
        ((_TAKEN,), "Asynchronous action timed out", []),
        (({"readyToUse": False}, {}), "the VolumeSnapshot is gone: somebody deleted it", []),
    ],
)
def test_one_that_does_not_come_is_an_error_that_says_why(
    clock: Callable[[], float], looks: tuple[Look, ...], reason: str, discarded: list[str]
) -> None:
    snapshots = ScriptedSnapshots(*looks)
    snapshot, errors = waited(snapshots)
    assert (errors, snapshot.error, snapshots.discarded) == ([reason], reason, discarded)
    assert clock() < 100 + 606
