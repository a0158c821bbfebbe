"""The Schedule controller's writes: cut off after any of them, the next dispatcher comes to the same end."""

from datetime import UTC, datetime, timedelta

import pytest

from pinnace.errors import KubeError
from unit.dispatcher.schedule_api import Api, Killed, dispatcher

_CREATED = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


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
