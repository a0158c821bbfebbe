"""Every refusal and every point at which a deletion may be interrupted has its one step."""

from dataclasses import replace
from typing import Any

import pytest

from pinnace.dispatcher.deletion_step import (
    Begin,
    DeleteBackup,
    DeleteRequests,
    DeletionStep,
    EndJob,
    Finish,
    Forget,
    MarkDeleting,
    NoteSnapshots,
    ObservedDeletion,
    RemoveObjects,
    RemoveRestores,
    RemoveSnapshots,
    Wait,
    deletion_step,
    owns_objects,
)
from unit.dispatcher.documents import NOW, backup, ended, job, job_condition, later, pod

_AVAILABLE = {"spec": {}, "status": {"phase": "Available"}}
_READ_ONLY = {"spec": {"accessMode": "ReadOnly"}, "status": {"phase": "Available"}}
_UNAVAILABLE = {"spec": {}, "status": {"phase": "Unavailable"}}
_NEW_LOCATION: dict[str, Any] = {"spec": {}}
_RESTORE = {"metadata": {"name": "r"}, "spec": {"backupName": "nightly"}}
_COMPLETE = job(job_condition("Complete", "CompletionsReached", "Reached expected number of succeeded pods"))
_RECORDED = {**_COMPLETE, "metadata": {**_COMPLETE["metadata"], "annotations": {"pinnace.io/recorded": "Completed"}}}
_RUNS = pod("Running", {"running": {"startedAt": later(-470)}})


def request(
    phase: str = "", *, name: str = "d", created: float = -10, uid: str = "", backup_name: str = "nightly",
    **annotations: str,
) -> dict[str, Any]:  # fmt: skip
    metadata: dict[str, Any] = {"name": name, "uid": name, "creationTimestamp": later(created)}
    if uid:
        metadata["labels"] = {"velero.io/backup-uid": uid}
    if annotations:
        metadata["annotations"] = {f"pinnace.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "metadata": metadata,
        "spec": {"backupName": backup_name},
        **({"status": {"phase": phase}} if phase else {}),
    }


def stored(phase: str = "Completed", *, completed: float = -300, **status: Any) -> dict[str, Any]:
    document = backup(phase, startTimestamp=later(-500), completionTimestamp=later(completed), **status)
    document["spec"] = {"storageLocation": "default"}
    return document


_NEW = ObservedDeletion(request=request(), now=NOW, backup=stored(), location=_AVAILABLE)
_BEGUN = request("InProgress", uid=stored()["metadata"]["uid"], storage_location="default")
_CLEARED = request(
    "InProgress", uid=stored()["metadata"]["uid"], storage_location="default", snapshots_removed="true"
)  # fmt: skip
_ASKED = request(
    "InProgress", uid=stored()["metadata"]["uid"], storage_location="default", snapshots_asked=later(-599)
)  # fmt: skip
_ASKED_LONG_AGO = request(
    "InProgress", uid=stored()["metadata"]["uid"], storage_location="default", snapshots_asked=later(-600)
)  # fmt: skip
_MARKED = replace(_NEW, request=_BEGUN, backup=stored("Deleting"))
_IN_PROGRESS = Finish(("backup is still in progress",))
_LOOK_AGAIN = Wait(2.0)


@pytest.mark.parametrize(
    ("observed", "step"),
    [
        (replace(_NEW, request=request(backup_name="")), Finish(("spec.backupName is required",))),
        (replace(_NEW, backup=None), Finish(("backup not found",))),
        (replace(_NEW, request=request(uid="of an earlier one")), Finish(("backup not found",))),
        (replace(_NEW, location=None), Finish(("backup storage location default not found",))),
        (
            replace(_NEW, location=_READ_ONLY),
            Finish(("cannot delete backup because backup storage location default is currently in read-only mode",)),
        ),
        (
            replace(_NEW, location=_UNAVAILABLE),
            Finish(("cannot delete backup because backup storage location default is currently in Unavailable state",)),
        ),
        (replace(_NEW, location=_NEW_LOCATION), _LOOK_AGAIN),
        (_NEW, Begin("default")),
    ],
)
def test_a_new_request_is_refused_or_begun(observed: ObservedDeletion, step: DeletionStep) -> None:
    assert deletion_step(observed) == step


@pytest.mark.parametrize(
    ("document", "its_job", "pods", "step"),
    [
        (backup(), None, [], Begin("")),
        (backup("Queued", queue_position=2), None, [], Begin("")),
        (backup("Queued"), job(suspend=True), [], _IN_PROGRESS),
        (backup("FailedValidation"), None, [], Begin("")),
        (backup("InProgress", startTimestamp=later(-500)), job(active=1), [_RUNS], _IN_PROGRESS),
        (backup("InProgress", startTimestamp=later(-500)), _COMPLETE, [], _LOOK_AGAIN),
        (backup("InProgress", startTimestamp=later(-500)), None, [], _LOOK_AGAIN),
        (backup("InProgress", startTimestamp=later(-500)), None, [_RUNS], _IN_PROGRESS),
        (stored(completed=-1), job(active=1), [_RUNS], _LOOK_AGAIN),
        (stored(completed=-1), _COMPLETE, [], _LOOK_AGAIN),
        (stored(completed=-1), _RECORDED, [pod("Succeeded", ended(0))], Begin("default")),
        (stored(completed=-1), None, [], Begin("default")),
        (stored(completed=-200), job(active=1), [_RUNS], Begin("default")),
        (stored("Deleting"), None, [], Begin("default")),
        (
            stored("Failed", failureReason="bucket b: backup nightly already exists in object storage"),
            None,
            [],
            Begin(""),
        ),
        (stored("Failed", failureReason="out of memory"), None, [], Begin("default")),
    ],
)
def test_whether_a_backup_runs_is_what_its_job_says(
    document: dict[str, Any], its_job: dict[str, Any] | None, pods: list[dict[str, Any]], step: DeletionStep
) -> None:
    assert deletion_step(replace(_NEW, backup=document, job=its_job, pods=pods)) == step


@pytest.mark.parametrize(
    ("observed", "step"),
    [
        (replace(_MARKED, backup=stored()), MarkDeleting()),
        (replace(_MARKED, backup=backup("InProgress"), job=job(active=1), pods=[_RUNS]), _IN_PROGRESS),
        (replace(_MARKED, job=job(suspend=True)), EndJob()),
        (replace(_MARKED, pods=[_RUNS]), _LOOK_AGAIN),
        (_MARKED, RemoveSnapshots()),
        (replace(_MARKED, request=_ASKED, snapshots_left=["a is left"]), Wait(5.0)),
        (replace(_MARKED, request=_ASKED), NoteSnapshots()),
        (replace(_MARKED, request=_ASKED_LONG_AGO), NoteSnapshots()),
        (replace(_MARKED, request=_ASKED_LONG_AGO, snapshots_left=["a is left", "b"]), Finish(("a is left", "b"))),
        (replace(_MARKED, request=_ASKED, backup=None, snapshots_left=["a is left"]), Wait(5.0)),
        (replace(_MARKED, request=_CLEARED, has_objects=True), RemoveObjects()),
        (replace(_MARKED, request=_CLEARED, restores=[_RESTORE]), RemoveRestores()),
        (replace(_MARKED, request=_CLEARED), DeleteBackup()),
        (replace(_MARKED, request=_CLEARED, backup=None), DeleteRequests()),
        # Somebody deleted the Backup alone, in the middle.
        (replace(_MARKED, backup=None), RemoveSnapshots()),
        (replace(_MARKED, request=_CLEARED, backup=None, has_objects=True), RemoveObjects()),
        (replace(_MARKED, request=_CLEARED, backup=None, restores=[_RESTORE]), RemoveRestores()),
        # One of which the bucket has nothing needs no location.
        (replace(_MARKED, request=request("InProgress", storage_location=""), location=None), DeleteBackup()),
        (
            replace(_MARKED, request=request("InProgress", uid="other", storage_location="default")),
            Finish(("backup nightly was replaced by another while it was deleted",)),
        ),
        (replace(_MARKED, location=None), Finish(("backup storage location default not found",))),
    ],
)
def test_an_interrupted_deletion_goes_on_where_it_was(observed: ObservedDeletion, step: DeletionStep) -> None:
    assert deletion_step(observed) == step


@pytest.mark.parametrize(
    ("own", "other", "step"),
    [
        (request(created=-10), request(name="older", created=-20), _LOOK_AGAIN),
        (request(created=-10), request(name="younger", created=-5), Begin("default")),
        (request(created=-10), request("InProgress", name="younger", created=-5), _LOOK_AGAIN),
        (request(created=-10), request("Processed", name="older", created=-20), Begin("default")),
    ],
)
def test_of_several_requests_for_one_backup_one_is_worked_on(
    own: dict[str, Any], other: dict[str, Any], step: DeletionStep
) -> None:
    assert deletion_step(replace(_NEW, request=own, others=[other])) == step


@pytest.mark.parametrize(("created", "step"), [(-10, Wait(86390.0)), (-86400, Forget())])
def test_a_request_that_failed_is_kept_for_a_day(created: float, step: DeletionStep) -> None:
    assert deletion_step(replace(_NEW, request=request("Processed", created=created))) == step


def test_every_walk_ends_with_nothing_left() -> None:
    """From each state the steps lead to the end, and the metadata's snapshots are asked for before it goes."""
    observed, walked = replace(_NEW, restores=[_RESTORE]), list[DeletionStep]()
    while not isinstance(walked[-1] if walked else None, DeleteRequests):
        step = deletion_step(observed)
        walked.append(step)
        observed = _after(step, observed)
    assert [type(step) for step in walked] == [
        Begin, MarkDeleting, RemoveSnapshots, RemoveObjects, RemoveRestores, DeleteBackup, DeleteRequests
    ]  # fmt: skip


def _after(step: DeletionStep, observed: ObservedDeletion) -> ObservedDeletion:
    match step:
        case Begin():
            return replace(observed, request=_BEGUN)
        case MarkDeleting():
            return replace(observed, backup=stored("Deleting"))
        case RemoveSnapshots():
            return replace(observed, request=_CLEARED, has_objects=True)
        case RemoveObjects():
            return replace(observed, has_objects=False)
        case RemoveRestores():
            return replace(observed, restores=[])
        case DeleteBackup():
            return replace(observed, backup=None)
    return observed


@pytest.mark.parametrize(
    ("document", "owns"),
    [
        (stored(), True),
        (backup("FailedValidation"), False),
        (stored("Failed", failureReason="backup already exists in object storage"), False),
    ],
)
def test_what_the_bucket_has_under_the_name_may_be_anothers(document: dict[str, Any], owns: bool) -> None:
    assert owns_objects(document) is owns
