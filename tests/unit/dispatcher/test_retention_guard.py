"""The last Completed backup of a schedule stays while nothing newer is good, unless the operator says otherwise."""

from typing import Any

import pytest

from pinnace.dispatcher.retention_guard import kept_because
from unit.dispatcher.documents import NOW, later

_DAY = 86400.0
_LAST = "it is the last Completed one of schedule nightly, "
_FAILED = {"old": _LAST + "and none of the newer ones is: 1 Failed"}


def backup(name: str, phase: str, *, days_ago: float, schedule: str = "nightly", guard: str = "") -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "creationTimestamp": later(-days_ago * _DAY)}
    if schedule:
        metadata["labels"] = {"velero.io/schedule-name": schedule}
    if guard:
        metadata["annotations"] = {"pinnace.io/retention-guard": guard}
    return {"metadata": metadata, "status": {"phase": phase, "startTimestamp": later(-days_ago * _DAY)}}


def schedule(expression: str = "0 2 * * *", *, guard: str = "", **spec: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "nightly", "creationTimestamp": later(-90 * _DAY)}
    if guard:
        metadata["annotations"] = {"pinnace.io/retention-guard": guard}
    return {"metadata": metadata, "spec": {"schedule": expression, **spec}}


def kept(*backups: Any, schedules: Any = (), leaving: Any = (), is_on: bool = True) -> dict[str, str]:
    return kept_because(backups, schedules=schedules, leaving=leaving, is_on=is_on, now=NOW)


_OLD, _BAD = backup("old", "Completed", days_ago=31), backup("bad", "Failed", days_ago=1)


def test_while_the_newer_ones_failed_the_last_good_one_is_kept() -> None:
    others = [backup("older", "Completed", days_ago=32), backup("bad-too", "PartiallyFailed", days_ago=2)]
    assert kept(_OLD, _BAD) == _FAILED
    assert kept(*others, _OLD, _BAD) == {"old": _LAST + "and none of the newer ones is: 1 PartiallyFailed, 1 Failed"}


@pytest.mark.parametrize("phase", ["", "New", "Queued", "InProgress", "FailedValidation", "PartiallyFailed", "Failed"])
def test_only_a_completed_one_replaces_it(phase: str) -> None:
    found = kept(_OLD, backup("new", phase, days_ago=1))
    assert found == {"old": _LAST + f"and none of the newer ones is: 1 {phase or 'New'}"}


def test_with_a_newer_completed_one_it_may_go_and_that_one_is_the_last() -> None:
    assert kept(_OLD, backup("new", "Completed", days_ago=2)) == {}
    assert list(kept(_OLD, backup("new", "Completed", days_ago=2), _BAD)) == ["new"]


def test_one_that_is_being_deleted_is_not_counted_on() -> None:
    new = backup("new", "Completed", days_ago=2)
    assert list(kept(_OLD, new, _BAD, leaving={"new"})) == ["old"]
    assert list(kept(_OLD, backup("new", "Deleting", days_ago=2), _BAD)) == ["old"]
    assert kept(_OLD, _BAD, leaving={"old", "bad"}) == {}


def test_what_no_schedule_made_and_other_schedules_do_not_matter() -> None:
    assert kept(backup("old", "Completed", days_ago=31, schedule=""), backup("bad", "Failed", days_ago=1, schedule=""))\
        == {}  # fmt: skip
    assert kept(_OLD, backup("bad", "Failed", days_ago=1, schedule="weekly")) == {}


def test_after_an_outage_in_which_none_was_made_the_last_one_is_kept() -> None:
    overdue = {"old": _LAST + "and the next one was due and is not there"}
    assert kept(_OLD, schedules=[schedule()]) == overdue
    assert kept(_OLD, schedules=[schedule(paused=True)]) == {}
    assert kept(_OLD, schedules=[]) == {}


def test_a_weekly_backup_that_is_kept_for_a_day_goes_after_a_day() -> None:
    """NOW is a Thursday."""
    weekly = schedule("0 2 * * 1")
    assert kept(backup("old", "Completed", days_ago=3), schedules=[weekly]) == {}
    assert list(kept(backup("old", "Completed", days_ago=4), schedules=[weekly])) == ["old"]


@pytest.mark.parametrize(
    ("setting", "on_schedule", "on_backup", "keeps"),
    [
        (True, "", "", True),
        (False, "", "", False),
        (True, "off", "", False),
        (False, "on", "", True),
        (True, "off", "on", True),
        (True, "on", "off", False),
        (True, "of", "OFF", True),
        (False, "yes", "", False),
    ],
)
def test_the_operator_decides_by_setting_and_annotation(
    setting: bool, on_schedule: str, on_backup: str, keeps: bool
) -> None:
    old = backup("old", "Completed", days_ago=31, guard=on_backup)
    found = kept(old, _BAD, schedules=[schedule(guard=on_schedule)], is_on=setting)
    assert found == (_FAILED if keeps else {})
