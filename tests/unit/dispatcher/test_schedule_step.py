"""What is next for a Schedule: a table of its states, and a walk that is cut off after every write."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pinnace.dispatcher.schedule_step import (
    Correct,
    Make,
    Nothing,
    Observed,
    Record,
    SkipNow,
    Step,
    Validate,
    next_due,
    next_step,
)
from pinnace.velero.schedule import made_backup

_CREATED = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_DUE = datetime(2026, 1, 2, 2, 0, tzinfo=UTC)
_WRONG = ("invalid schedule: 'often' has 1 fields, not 5: minute, hour, day of month, month, day of week",)


def after(seconds: float) -> datetime:
    return _DUE + timedelta(seconds=seconds)


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def schedule(*, expression: str = "0 2 * * *", phase: str = "Enabled", status: Any = None, **spec: Any) -> Any:
    return {
        "metadata": {"name": "nightly", "namespace": "velero", "uid": "u-1", "creationTimestamp": text(_CREATED)},
        "spec": {"schedule": expression, "template": {}, **spec},
        "status": {"phase": phase, **(status or {})},
    }


def backup(name: str = "nightly-20260102020000", phase: str = "InProgress") -> Any:
    return {"metadata": {"name": name, "labels": {"velero.io/schedule-name": "nightly"}}, "status": {"phase": phase}}


def step(document: Any, *backups: Any, seconds: float = 1, skip: bool = False) -> Step:
    return next_step(Observed(document, backups, after(seconds), skip_immediately=skip))


def test_it_is_validated_first_and_again_when_it_changed() -> None:
    assert step(schedule(phase="")) == Validate(())
    assert step(schedule(phase="New")) == Validate(())
    assert step(schedule(expression="often")) == Validate(_WRONG)
    failed = {"validationErrors": list(_WRONG)}
    assert step(schedule(expression="often", phase="FailedValidation", status=failed)) == Nothing()
    assert step(schedule(phase="FailedValidation", status=failed)) == Validate(())
    assert (Validate(()).phase, Validate(_WRONG).phase) == ("Enabled", "FailedValidation")


def test_before_its_time_it_waits_and_looks_again_each_minute() -> None:
    assert step(schedule(), seconds=-3600) == Nothing(60.0)
    assert step(schedule(), seconds=-2.5) == Nothing(2.5)


def test_at_its_time_a_backup_is_made() -> None:
    assert step(schedule(), seconds=0) == Make(_DUE)
    assert step(schedule(), backup("nightly-20260101020000", "Completed")) == Make(_DUE)


def test_after_an_outage_one_is_made_for_all_times_that_were_missed() -> None:
    late = 30 * 86400.0
    assert step(schedule(), seconds=late + 5) == Make(after(late))
    assert step(schedule(status={"lastBackup": text(after(late + 5))}), seconds=late + 6) == Nothing(60.0)


@pytest.mark.parametrize("phase", ["", "New", "Queued", "ReadyToStart", "InProgress", "Finalizing"])
def test_it_waits_while_one_of_its_backups_is_not_over(phase: str) -> None:
    other = backup("nightly-20260101020000", phase)
    assert step(schedule(), other) == Nothing(60.0, waits_for="nightly-20260101020000")


@pytest.mark.parametrize("phase", ["Completed", "PartiallyFailed", "Failed", "FailedValidation", "Deleting"])
def test_one_that_is_over_is_not_waited_for(phase: str) -> None:
    assert step(schedule(), backup("nightly-20260101020000", phase)) == Make(_DUE)


@pytest.mark.parametrize("phase", ["", "Queued", "InProgress", "Completed", "Failed"])
def test_a_time_whose_backup_is_there_is_only_recorded(phase: str) -> None:
    assert step(schedule(), backup(phase=phase)) == Record(_DUE)


def test_a_paused_one_makes_and_skips_nothing() -> None:
    assert step(schedule(paused=True)) == Nothing()
    assert step(schedule(paused=True, skipImmediately=True)) == Nothing()
    assert step(schedule(paused=True, phase="")) == Validate(())


@pytest.mark.parametrize(
    ("wanted", "setting", "skips"),
    [(None, False, False), (None, True, True), (False, True, False), (True, False, True), (True, True, True)],
)
def test_what_is_due_is_left_out_if_it_says_so(wanted: bool | None, setting: bool, skips: bool) -> None:
    found = step(schedule(skipImmediately=wanted), skip=setting)
    assert found == (SkipNow() if skips else Make(_DUE))


def test_what_was_left_out_is_not_due_any_more() -> None:
    skipped = schedule(skipImmediately=False, status={"lastSkipped": text(after(0))})
    assert step(skipped, seconds=1) == Nothing(60.0)
    assert step(skipped, seconds=86400) == Make(after(86400))


def test_a_clock_that_was_put_back_is_told_and_its_times_are_corrected() -> None:
    year = {"lastBackup": text(after(365 * 86400))}
    assert step(schedule(status=year)) == Correct(("lastBackup",))
    both = year | {"lastSkipped": text(after(3600))}
    assert step(schedule(status=both)) == Correct(("lastBackup", "lastSkipped"))


def test_another_dispatchers_clock_may_be_a_little_ahead() -> None:
    assert step(schedule(status={"lastBackup": text(after(30))}), seconds=0) == Nothing(60.0)


def test_a_time_that_comes_again_after_a_clock_was_put_back_makes_no_second_backup() -> None:
    corrected = schedule(status={"lastBackup": text(after(-600))})
    assert step(corrected, backup(phase="Completed"), seconds=0) == Record(_DUE)


def test_the_next_due_time_is_the_first_that_has_no_backup() -> None:
    assert next_due(schedule()) == _DUE
    assert next_due(schedule(status={"lastBackup": text(after(86400))})) == after(2 * 86400)
    assert next_due(schedule(paused=True)) is None
    assert next_due(schedule(expression="often")) is None


class Cut(Exception):
    """The dispatcher was killed after a write."""


class World:
    """One Schedule and its Backups; the dispatcher is killed after so many writes."""

    def __init__(self, cut_after: int) -> None:
        self.schedule = schedule(phase="", skipImmediately=True)
        self.backups: dict[str, Any] = {}
        self.now = _CREATED
        self._writes_left = cut_after

    def tick(self) -> None:
        """One step of the controller, as schedule_controller does it."""
        found = next_step(Observed(self.schedule, list(self.backups.values()), self.now))
        match found:
            case Validate():
                self.write(self.schedule["status"], {"phase": found.phase})
            case SkipNow():
                self.schedule["spec"]["skipImmediately"] = False
                self.write(self.schedule["status"], {"lastSkipped": text(self.now)})
            case Make(due):
                made = made_backup(self.schedule, due)
                self.write(self.backups, {made["metadata"]["name"]: made})
                self.write(self.schedule["status"], {"lastBackup": text(self.now)})
            case Record():
                self.write(self.schedule["status"], {"lastBackup": text(self.now)})

    def write(self, where: dict[str, Any], what: dict[str, Any]) -> None:
        where.update(what)
        self._writes_left -= 1
        if self._writes_left == 0:
            raise Cut

    def finish_backups(self) -> None:
        for made in self.backups.values():
            made["status"] = {"phase": "Completed"}


@pytest.mark.parametrize("cut_after", range(9))
@pytest.mark.parametrize("away_hours", [0, 1, 30])
def test_a_dispatcher_that_is_killed_after_any_write_makes_no_backup_twice_and_leaves_none_out(
    cut_after: int, away_hours: int
) -> None:
    """Every hour for four days some looks; backups take less than an hour."""
    world, away_until = World(cut_after), _CREATED
    for hours in range(106):
        world.now = _CREATED + timedelta(hours=hours, seconds=3)
        if world.now < away_until:
            continue
        for _ in range(4):
            try:
                world.tick()
            except Cut:
                away_until = world.now + timedelta(hours=away_hours)
                break
        world.finish_backups()
    expected = {f"nightly-2026010{day}020000" for day in (2, 3, 4, 5)}
    if away_hours < 24:
        assert set(world.backups) == expected
    else:
        # Of two times in one outage the later one is made up for.
        assert set(world.backups) <= expected
        assert len(world.backups) >= 3
        assert "nightly-20260105020000" in world.backups
    assert world.schedule["status"]["lastBackup"] >= text(after(3 * 86400))
