"""The Schedule controller's writes: cut off after any of them, the next dispatcher comes to the same end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pinnace.dispatcher.schedule_controller import ScheduleController
from pinnace.dispatcher.upkeep_metrics import UpkeepMetrics
from pinnace.errors import KubeError
from pinnace.kube.events import EventRecorder

_CREATED = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class Killed(BaseException):
    """The dispatcher's process is gone."""


class Api:
    """One Schedule and its Backups, as copies and as the API server's; it kills the dispatcher after so many writes."""

    def __init__(self, *, killed_after: int = -1, **spec: Any) -> None:
        metadata = {"name": "nightly", "namespace": "velero", "uid": "u-1", "resourceVersion": "0"}
        metadata |= {"creationTimestamp": "2026-01-01T12:00:00Z"}
        self.schedule: dict[str, Any] = {
            "metadata": metadata, "spec": {"schedule": "0 2 * * *", "template": {}, **spec}, "status": {},
        }  # fmt: skip
        self.backups: dict[str, Any] = {}
        self.events: list[tuple[str, str]] = []
        self.refusal: int = 0
        self.begun: list[str] = []
        self.synced = True
        self._killed_after = killed_after

    def list(self) -> list[dict[str, Any]]:
        return list(self.backups.values())

    def get(self, path: str, *_: Any, **__: Any) -> Any:
        """The copy of the Schedule, or a Backup of the API server."""
        return self.schedule if path == "nightly" else self.backups[path.rsplit("/", maxsplit=1)[-1]]

    def send(self, method: str, path: str, *, body: Any, **_: Any) -> Any:
        if path.endswith("/events"):
            self.events.append((body["reason"], body["message"]))
            return {}
        if method == "POST":
            self._create(path, body)
        else:
            self._patch(body)
        self._killed_after -= 1
        if self._killed_after == 0:
            raise Killed
        return {}

    def _create(self, path: str, body: Any) -> None:
        name = body["metadata"]["name"]
        if self.refusal or name in self.backups:
            raise KubeError(request=f"POST {path}", status=self.refusal or 409, reason="no")
        self.backups[name] = {**body, "status": {"phase": "New"}}

    def _patch(self, body: Any) -> None:
        metadata = self.schedule["metadata"]
        if body["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise KubeError(request="PATCH", status=409, reason="it was changed")
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        self.schedule["spec"] |= body.get("spec") or {}
        self.schedule["status"] |= body.get("status") or {}


def dispatcher(api: Api, clock: Any, monkeypatch: pytest.MonkeyPatch) -> ScheduleController:
    client: Any = api
    made = ScheduleController(
        client,
        namespace="velero",
        backups=api,
        skip_immediately=False,
        metrics=UpkeepMetrics(CollectorRegistry()),
        begin_series=api.begun.append,
        events=EventRecorder(client, namespace="velero", component="test"),
        clock=clock,
    )
    monkeypatch.setattr(made, "_schedules", api)
    return made


def run(api: Api, monkeypatch: pytest.MonkeyPatch, *, hours: int, away_hours: float = 0) -> None:
    """Look four times an hour; a backup takes half an hour; one who is killed is followed after a while."""
    times, away_until = [_CREATED], _CREATED
    controller = dispatcher(api, lambda: times[-1], monkeypatch)
    for _ in range(4 * hours):
        times.append(times[-1] + timedelta(minutes=15))
        for backup in api.backups.values():
            begun = backup.setdefault("begun", times[-1])
            backup["status"]["phase"] = "Completed" if times[-1] - begun >= timedelta(minutes=30) else "InProgress"
        try:
            while times[-1] >= away_until and controller.reconcile("nightly") is None:
                pass
        except Killed:
            away_until = times[-1] + timedelta(hours=away_hours)
            controller = dispatcher(api, lambda: times[-1], monkeypatch)


@pytest.mark.parametrize("killed_after", range(1, 9))
@pytest.mark.parametrize("away_hours", [0, 0.5, 5])
def test_whoever_is_killed_after_any_write_is_followed_by_one_who_comes_to_the_same_end(
    killed_after: int, away_hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, killed = Api(skipImmediately=True), Api(killed_after=killed_after, skipImmediately=True)
    run(undisturbed, monkeypatch, hours=92)
    run(killed, monkeypatch, hours=92, away_hours=away_hours)
    expected = [f"nightly-2026010{day}020000" for day in (2, 3, 4, 5)]
    assert (sorted(undisturbed.backups), sorted(killed.backups)) == (expected, expected)
    assert (killed.schedule["spec"], killed.schedule["status"]["phase"]) == (undisturbed.schedule["spec"], "Enabled")
    assert [reason for reason, _ in undisturbed.events] == ["BackupMade"] * 4


def test_a_backup_that_is_refused_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    run(api, monkeypatch, hours=10)
    api.refusal = 403
    controller = dispatcher(api, lambda: _CREATED + timedelta(days=1), monkeypatch)
    with pytest.raises(KubeError):
        controller.reconcile("nightly")
    [(reason, message)] = api.events
    assert (reason, "Backup nightly-20260102020000 can't be made: " in message) == ("BackupNotMade", True)
    assert "lastBackup" not in api.schedule["status"]


def test_a_name_that_somebody_else_took_is_told_and_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    api.schedule["status"]["phase"] = "Enabled"
    api.backups["nightly-20260102020000"] = {"metadata": {"name": "nightly-20260102020000"}, "status": {}}
    controller = dispatcher(api, lambda: _CREATED + timedelta(days=1), monkeypatch)
    assert controller.reconcile("nightly") is None
    text = "Backup nightly-20260102020000 was there already, and is not this schedule's; none was made for this time"
    assert api.events == [("BackupNotMade", text)]
    assert api.schedule["status"]["lastBackup"] == "2026-01-02T12:00:00Z"


def test_its_series_begin_before_its_first_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    dispatcher(api, lambda: _CREATED, monkeypatch).reconcile("nightly")
    assert (api.begun, api.backups) == (["nightly"], {})
