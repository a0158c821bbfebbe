"""An attempt holds its Backup through conflicts, late rights and outages, and lets go of what is another's."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faults.list_server import Answer, Asked, serving
from pinnace.entrypoint.ownership import ATTEMPT_ID_ANNOTATION, Onlooker, Ownership
from pinnace.errors import AttemptLostError, KubeError


def backup(*, phase: str = "InProgress", uid: str = "u", attempt_id: str | None = None, version: str = "7") -> Answer:
    annotations = {} if attempt_id is None else {ATTEMPT_ID_ANNOTATION: attempt_id}
    metadata = {"name": "b", "uid": uid, "resourceVersion": version, "annotations": annotations}
    return Answer(json.dumps({"metadata": metadata, "status": {"phase": phase}}).encode())


def refusal(status: int) -> Answer:
    return Answer(json.dumps({"kind": "Status", "message": f"no: {status}"}).encode(), status=status)


OWN = backup(attempt_id="me")


@contextmanager
def owning(answers: Sequence[Answer], *, folder: Path) -> Iterator[tuple[Ownership, Asked, list[float]]]:
    slept: list[float] = []
    with serving(answers, folder=folder) as (client, asked):
        yield (
            Ownership(client, namespace="velero", backup_name="b", backup_uid="u", attempt_id="me", sleep=slept.append),
            asked,
            slept,
        )


def patches(asked: Asked) -> list[dict[str, Any]]:
    return [json.loads(body) for body in asked.bodies if body]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([], id="at once"),
        pytest.param([refusal(403)], id="our rights are late"),
        pytest.param([refusal(503)], id="the server is away"),
        pytest.param([backup(version="6"), refusal(409)], id="somebody else wrote just now"),
        pytest.param([backup(phase="New"), backup(phase="Queued")], id="the Job was resumed before its Backup"),
    ],
)
def test_a_claim_names_the_attempt_in_what_it_has_read(before: list[Answer], tmp_path: Path) -> None:
    with owning([*before, backup(), OWN], folder=tmp_path) as (ownership, asked, _):
        assert ownership.claim()["metadata"]["annotations"] == {ATTEMPT_ID_ANNOTATION: "me"}
    assert patches(asked)[-1] == {
        "metadata": {"annotations": {ATTEMPT_ID_ANNOTATION: "me"}, "resourceVersion": "7"},
    }


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(refusal(404), id="deleted"),
        pytest.param(backup(uid="another"), id="created again"),
        pytest.param(backup(phase="Failed"), id="ended"),
        pytest.param(backup(phase="Deleting"), id="being deleted"),
    ],
)
def test_what_is_not_to_be_made_is_not_claimed(found: Answer, tmp_path: Path) -> None:
    with owning([found], folder=tmp_path) as (ownership, asked, _), pytest.raises(AttemptLostError):
        ownership.claim()
    assert patches(asked) == []


def test_a_backup_that_never_begins_is_given_up(tmp_path: Path) -> None:
    with owning([backup(phase="New")] * 30, folder=tmp_path) as (ownership, _, slept):
        with pytest.raises(AttemptLostError):
            ownership.claim()
        assert sum(slept) == 60


@pytest.mark.parametrize("status", [400, 401, 422])
def test_a_refusal_that_time_does_not_mend_is_told_at_once(status: int, tmp_path: Path) -> None:
    # The client asks once more after a 401, with credentials that it has read anew.
    with owning([refusal(status)] * 2, folder=tmp_path) as (ownership, _, slept):
        with pytest.raises(KubeError) as raised:
            ownership.claim()
        assert (raised.value.status, slept) == (status, [])


def test_another_attempt_is_noticed(tmp_path: Path) -> None:
    with owning([backup(attempt_id="another")] * 2, folder=tmp_path) as (ownership, asked, _):
        with pytest.raises(AttemptLostError, match="another attempt has taken over"):
            ownership.check()
        with pytest.raises(AttemptLostError):
            ownership.write_status({"phase": "Completed"})
    assert patches(asked) == []


def test_a_status_is_written_into_what_was_read_only(tmp_path: Path) -> None:
    with owning([OWN, refusal(409)], folder=tmp_path) as (ownership, asked, _):
        with pytest.raises(KubeError) as raised:
            ownership.write_status({"progress": {"itemsBackedUp": 3}})
        assert raised.value.status == 409
    assert patches(asked) == [{"status": {"progress": {"itemsBackedUp": 3}}, "metadata": {"resourceVersion": "7"}}]


def test_the_last_status_is_tried_again(tmp_path: Path) -> None:
    with owning([OWN, refusal(409), refusal(503), OWN, OWN], folder=tmp_path) as (ownership, asked, _):
        ownership.write_last_status({"phase": "Completed"})
    assert [patch["status"] for patch in patches(asked)] == [{"phase": "Completed"}] * 2


@pytest.mark.parametrize(
    ("answer", "current"), [(OWN, True), (backup(attempt_id="another"), False), (refusal(503), False)]
)
def test_who_cleans_up_asks_once(answer: Answer, *, current: bool, tmp_path: Path) -> None:
    with owning([answer], folder=tmp_path) as (ownership, asked, _):
        assert ownership.is_current() is current
    assert len(asked.paths) == 1


def test_who_cleans_up_does_not_wait_for_a_server_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinnace.entrypoint.ownership._QUICK_SECONDS", 0.1)
    never = threading.Event()
    with owning([Answer(OWN.body, hold=never)], folder=tmp_path) as (ownership, _, _slept):
        assert ownership.is_current() is False
        never.set()


@pytest.mark.parametrize(
    ("answers", "attempt_id"),
    [
        pytest.param([backup(attempt_id="other")], "other", id="an attempt makes it"),
        pytest.param([backup()], "", id="no attempt has begun"),
        pytest.param([backup(phase="Queued")], "", id="it waits"),
        pytest.param([refusal(403), refusal(503), OWN], "me", id="our rights are late, then the server is away"),
        pytest.param([backup(phase="Completed", attempt_id="me")], None, id="it is over"),
        pytest.param([backup(phase="Deleting", attempt_id="me")], None, id="it is being deleted"),
        pytest.param([backup(uid="v", attempt_id="me")], None, id="it is another one of that name"),
        pytest.param([refusal(404)], None, id="it is gone"),
    ],
)
def test_an_onlooker_sees_who_makes_a_backup_and_writes_nothing(
    answers: list[Answer], attempt_id: str | None, tmp_path: Path
) -> None:
    with serving(answers, folder=tmp_path) as (client, asked):
        onlooker = Onlooker(client, namespace="velero", backup_name="b", backup_uid="u", sleep=lambda _: None)
        holder = onlooker.holder()
    assert (None if holder is None else holder.attempt_id) == attempt_id
    assert patches(asked) == []
