"""Which expired Backups are deleted, which stay, and what their label says then: Velero's rules, and the guard."""

from typing import Any

import pytest

from pinnace.dispatcher.garbage import Collect, Keep, Refuse, Verdict, verdicts
from unit.dispatcher.documents import NOW, later


def backup(
    name: str = "b", phase: str = "Completed", *, expires: float | None = -1, schedule: str = ""
) -> dict[str, Any]:
    status = {"phase": phase, "startTimestamp": later(-86400)}
    if expires is not None:
        status["expiration"] = later(expires)
    labels = {"velero.io/schedule-name": schedule} if schedule else {}
    metadata = {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": later(-86400), "labels": labels}
    return {"metadata": metadata, "spec": {"storageLocation": "main"}, "status": status}


def location(phase: str = "Available", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "main"}, "spec": spec, "status": {"phase": phase}}


def request(phase: str = "", *, name: str = "b", uid: str | None = "uid-of-b") -> dict[str, Any]:
    labels = {"velero.io/backup-uid": uid} if uid else {}
    return {"metadata": {"name": "r", "labels": labels}, "spec": {"backupName": name}, "status": {"phase": phase}}


_MAIN = {"main": location()}


def found(*backups: Any, locations: Any = _MAIN, requests: Any = (), guard: bool = True) -> list[Verdict]:
    return list(verdicts(backups, locations=locations, schedules=[], requests=requests, guard=guard, now=NOW))


@pytest.mark.parametrize(("expires", "goes"), [(None, False), (1, False), (0, True), (-1, True)])
def test_it_goes_when_it_has_expired(expires: float | None, goes: bool) -> None:
    one = backup(expires=expires)
    assert found(one) == ([Collect(one)] if goes else [])


@pytest.mark.parametrize("phase", ["Completed", "PartiallyFailed", "Failed", "FailedValidation", "Deleting"])
def test_one_that_is_over_goes(phase: str) -> None:
    one = backup(phase=phase)
    assert found(one) == [Collect(one)]


@pytest.mark.parametrize("phase", ["", "New", "Queued", "ReadyToStart", "InProgress", "Finalizing"])
def test_one_that_runs_ends_first(phase: str) -> None:
    assert found(backup(phase=phase)) == []


@pytest.mark.parametrize(
    ("locations", "reason"),
    [
        (None, "BSLCannotGet"),
        ({}, "BSLNotFound"),
        ({"main": location(accessMode="ReadOnly")}, "BSLReadOnly"),
        ({"main": location("Unavailable", accessMode="ReadOnly")}, "BSLReadOnly"),
    ],
)
def test_without_a_location_that_can_be_written_to_the_label_says_why(locations: Any, reason: str) -> None:
    one = backup()
    assert found(one, locations=locations) == [Refuse(one, reason)]


@pytest.mark.parametrize("phase", ["Unavailable", ""])
def test_a_location_that_is_away_is_only_tried_again(phase: str) -> None:
    assert found(backup(), locations={"main": location(phase)}) == []


@pytest.mark.parametrize(
    ("pending", "asks"),
    [
        (request(), False),
        (request("New"), False),
        (request("InProgress"), False),
        (request("Processed"), True),
        (request(uid=None), False),
        (request(uid="of-an-earlier-one"), True),
        (request(name="other"), True),
    ],
)
def test_a_deletion_is_asked_for_once(pending: Any, asks: bool) -> None:
    one = backup()
    assert found(one, requests=[pending]) == ([Collect(one)] if asks else [])


def test_the_last_good_one_of_a_schedule_is_kept_and_without_the_guard_it_would_be_lost() -> None:
    old = backup("old", schedule="nightly")
    bad = backup("bad", "Failed", expires=86400, schedule="nightly")
    bad["status"]["startTimestamp"] = later(-60)
    reason = "it is the last Completed one of schedule nightly, and none of the newer ones is: 1 Failed"
    assert found(old, bad) == [Keep(old, reason)]
    assert found(old, bad, guard=False) == [Collect(old)]


def test_of_several_that_failed_each_goes_when_it_has_expired() -> None:
    everything = [backup(str(number), "Failed", schedule="nightly") for number in range(3)]
    assert found(*everything) == [Collect(one) for one in everything]
