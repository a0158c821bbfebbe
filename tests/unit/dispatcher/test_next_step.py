"""Every phase, every state of the Job, every annotation and every place in the queue has its one step."""

from dataclasses import replace
from typing import Any

import pytest

from pinnace.dispatcher.next_step import (
    DeleteJob,
    Enqueue,
    Fail,
    MakeJob,
    MarkInProgress,
    NoteAttempt,
    NoteStart,
    Nothing,
    Observed,
    Record,
    ResumeJob,
    Step,
    TakeFromBucket,
    next_step,
)
from pinnace.dispatcher.queue_order import QueuePlace
from unit.dispatcher.documents import JOB_NAME, NOW, POD_NAME, backup, ended, job, job_condition, later, pod, waiting

_MAY_START, _THIRD = QueuePlace(0), QueuePlace(3)
_LATER = Nothing(again_after_seconds=30.0)

_RUNNING_POD = pod("Running", {"running": {"startedAt": later(-470)}})
_JOBS: dict[str, tuple[dict[str, Any] | None, list[dict[str, Any]]]] = {
    "absent": (None, []),
    "suspended": (job(suspend=True), []),
    "no pod yet": (job(startTime=later(-1)), []),
    "pod waits": (job(active=1), [pod("Pending", waiting("ContainerCreating"), created=-2, scheduled=-1)]),
    "runs": (job(active=1, ready=1), [_RUNNING_POD]),
    "stuck": (job(active=1), [pod("Pending", waiting("ImagePullBackOff", "not found"))]),
    "hopeless": (job(failed=1), [pod("Failed", ended(137, reason="OOMKilled"))]),
    "complete": (
        job(job_condition("Complete", "CompletionsReached", "Reached expected number of succeeded pods"), succeeded=1),
        [pod("Succeeded", ended(0, reason="Completed"))],
    ),
    "failed": (
        job(job_condition("Failed", "PodFailurePolicy", "Container backup ..."), failed=1),
        [pod("Failed", ended(1, message='{"reason": "the bucket is gone"}'))],
    ),
}

_GONE = Fail(
    f"Job {JOB_NAME} is gone: it was deleted, or its backup was begun by another server; "
    "create the backup again under another name"
)
_STUCK = Fail(
    f"image registry.example/pinnace:1 can't be pulled for pod {POD_NAME}: not found; correct the image of the Jobs, "
    "or give podSpec.imagePullSecrets in ConfigMap pinnace-job (attempt 1 of 3)",
    POD_NAME,
    has_run=False,
)
_STUCK_AGAIN = replace(_STUCK, has_run=True)
_HOPELESS = Fail(
    f"pod {POD_NAME} was OOMKilled (exit code 137) at its memory limit of 192Mi; "
    "raise resources.limits.memory in ConfigMap pinnace-job (attempt 1 of 3)",
    POD_NAME,
)
_FAILED = Fail("the bucket is gone (attempt 1 of 3)", POD_NAME)

_COLUMNS = tuple(_JOBS)
_TABLE: dict[str, tuple[dict[str, Any] | None, dict[str, str], tuple[Step, ...]]] = {
    # name: (Backup, annotations of the Job, the step for each Job of _COLUMNS)
    "deleted": (None, {}, (Nothing(), *[DeleteJob()] * 8)),
    "dying before it began": (backup("New", dying=True), {}, (Nothing(), *[DeleteJob()] * 8)),
    "dying in mid-run": (backup("InProgress", dying=True), {}, (Nothing(), *[DeleteJob()] * 8)),
    "without a phase": (backup(), {}, (MakeJob(), *[MarkInProgress()] * 8)),
    "New": (backup("New"), {}, (MakeJob(), *[MarkInProgress()] * 8)),
    "Queued": (backup("Queued", queue_position=2), {}, (MakeJob(), *[MarkInProgress()] * 8)),
    "ReadyToStart": (backup("ReadyToStart"), {}, (MakeJob(), *[MarkInProgress()] * 8)),
    "InProgress": (
        backup("InProgress"),
        {},
        (
            _GONE, ResumeJob(), _LATER, _LATER, NoteStart(POD_NAME), _STUCK, _HOPELESS, TakeFromBucket(),
            _FAILED,
        ),
    ),
    "InProgress, start told": (
        backup("InProgress"),
        {"pinnace.io/started": "true"},
        (_GONE, ResumeJob(), _LATER, _LATER, _LATER, _STUCK_AGAIN, _HOPELESS, TakeFromBucket(), _FAILED),
    ),
    **{
        phase: (
            backup(phase),
            {},
            (Nothing(), *[Record()] * 3, Record(POD_NAME), Record(), *[Record(POD_NAME)] * 3),
        )
        for phase in ("Completed", "PartiallyFailed", "Failed")
    },
    **{
        f"{phase} a moment ago": (
            backup(phase, completionTimestamp=later(-119)),
            {},
            (Nothing(), Record(), *[_LATER] * 3, Record(), *[Record(POD_NAME)] * 3),
        )
        for phase in ("Completed", "PartiallyFailed", "Failed")
    },
    **{
        f"{phase}, its process does not end": (
            backup(phase, completionTimestamp=later(-120)),
            {},
            (Nothing(), *[Record()] * 3, Record(POD_NAME), Record(), *[Record(POD_NAME)] * 3),
        )
        for phase in ("Completed", "PartiallyFailed", "Failed")
    },
    **{
        f"{phase} and recorded": (
            backup(phase),
            {"pinnace.io/recorded": "true"},
            (Nothing(), *[_LATER] * 6, Nothing(), Nothing()),
        )
        for phase in ("Completed", "PartiallyFailed")
    },
    "Failed and recorded": (
        backup("Failed"),
        {"pinnace.io/recorded": "true"},
        (Nothing(), *[DeleteJob()] * 6, Nothing(), Nothing()),
    ),
    "FailedValidation": (backup("FailedValidation"), {}, (Nothing(), *[DeleteJob()] * 8)),
    **{
        phase: (backup(phase), {}, (Nothing(),) * 9)
        for phase in (
            "Deleting", "Finalizing", "FinalizingPartiallyFailed", "WaitingForPluginOperations",
            "WaitingForPluginOperationsPartiallyFailed", "Uploading", "UploadingPartialFailure",
        )
    },
}  # fmt: skip


def _annotated(document: dict[str, Any] | None, annotations: dict[str, str]) -> dict[str, Any] | None:
    return document and {**document, "metadata": {**document["metadata"], "annotations": annotations}}


def _step(
    backup: dict[str, Any] | None, column: str = "absent", *, place: QueuePlace = _MAY_START, **more: Any
) -> Step:
    annotations = more.pop("annotations", {})
    document, pods = _JOBS[column]
    observed = Observed(
        backup=backup, job=_annotated(document, annotations), pods=pods, place=place, now=NOW, **more
    )  # fmt: skip
    return next_step(observed)


@pytest.mark.parametrize("row", _TABLE)
def test_each_phase_and_each_state_of_the_job_have_one_step(row: str) -> None:
    document, annotations, expected = _TABLE[row]
    steps = {column: _step(document, column, annotations=annotations) for column in _COLUMNS}
    assert steps == dict(zip(_COLUMNS, expected, strict=True))


@pytest.mark.parametrize("row", [row for row in _TABLE if not row.startswith(("without", "New", "Queued", "Ready"))])
def test_the_place_in_the_queue_decides_nothing_once_a_backup_has_begun(row: str) -> None:
    document, annotations, _ = _TABLE[row]
    for column in _COLUMNS:
        steps = [_step(document, column, annotations=annotations, place=place) for place in (_MAY_START, _THIRD)]
        assert steps[0] == steps[1]


@pytest.mark.parametrize(
    ("document", "knows_queue", "expected"),
    [
        (backup(), True, Enqueue(3)),
        (backup("New"), True, Enqueue(3)),
        (backup("Queued"), True, Enqueue(3)),
        (backup("Queued", queue_position=4), True, Enqueue(3)),
        (backup("Queued", queue_position=3), True, _LATER),
        (backup("New", queue_position=3), True, Enqueue(3)),
        (backup(), False, _LATER),
        (backup("New"), False, _LATER),
        (backup("Queued", queue_position=4), False, _LATER),
    ],
)
def test_a_backup_that_waits_is_told_its_position_once_and_looked_at_again(
    document: dict[str, Any], knows_queue: bool, expected: Step
) -> None:
    assert _step(document, place=_THIRD, knows_queue=knows_queue) == expected


@pytest.mark.parametrize("column", [column for column in _COLUMNS if column != "absent"])
@pytest.mark.parametrize("document", [backup(), backup("New"), backup("Queued", queue_position=1)])
def test_a_backup_whose_job_exists_goes_on_though_another_is_before_it(document: dict[str, Any], column: str) -> None:
    assert _step(document, column, place=_THIRD) == MarkInProgress()


_FIRST_KILLED = pod("Failed", ended(75, message='{"reason": "the bucket was away"}'), name="first", created=-495)


def _in_progress(job: dict[str, Any], *pods: dict[str, Any], missing_secret: str = "") -> Step:
    observed = Observed(
        backup=backup("InProgress"), job=job, pods=pods, place=_MAY_START, now=NOW, missing_secret=missing_secret
    )  # fmt: skip
    return next_step(observed)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, NoteAttempt(2, 3, "the bucket was away", 2)),
        ({"pinnace.io/started": "true"}, NoteAttempt(2, 3, "the bucket was away", 2)),
        ({"pinnace.io/attempt": "1"}, NoteAttempt(2, 3, "the bucket was away", 2)),
        ({"pinnace.io/attempt": "what a person wrote"}, NoteAttempt(2, 3, "the bucket was away", 2)),
        ({"pinnace.io/attempt": "2"}, NoteStart(POD_NAME)),
        ({"pinnace.io/attempt": "2", "pinnace.io/started": "true"}, _LATER),
        ({"pinnace.io/attempt": "3", "pinnace.io/started": "true"}, _LATER),
    ],
)
def test_another_attempt_is_told_once_with_what_ended_the_one_before(
    annotations: dict[str, str], expected: Step
) -> None:
    told = job(active=1, failed=1, annotations=annotations)
    assert _in_progress(told, _FIRST_KILLED, _RUNNING_POD) == expected


def test_a_deadline_in_the_first_attempt_is_not_told_as_a_second() -> None:
    target = job_condition("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
    ending = job(target, failed=1, terminating=1, annotations={"pinnace.io/started": "true"})
    assert _in_progress(ending, pod("Running", {"running": {}}, deleted=20)) == _LATER


def test_a_job_of_one_attempt_does_not_count_it() -> None:
    failed, pods = _JOBS["failed"]
    assert failed is not None
    once = {**failed, "spec": {**failed["spec"], "backoffLimit": 0}}
    assert _in_progress(once, *pods) == Fail("the bucket is gone", POD_NAME)


def test_a_missing_secret_fails_only_a_backup_whose_pod_waits_for_it() -> None:
    started = job(active=1, annotations={"pinnace.io/started": "true"})
    waits = pod("Pending", waiting("ContainerCreating"), scheduled=-121)
    steps = [_in_progress(started, each, missing_secret="cloud-credentials") for each in (waits, _RUNNING_POD)]
    reason = (
        f"pod {POD_NAME} can't start: Secret cloud-credentials does not exist; create it, or correct the credential of "
        "the backup storage location (attempt 1 of 3)"
    )
    assert steps == [Fail(reason, POD_NAME), _LATER]


def test_a_job_that_kueue_holds_back_is_left_to_kueue() -> None:
    assert _in_progress(job(suspend=True, labels={"kueue.x-k8s.io/queue-name": "backups"})) == _LATER


def test_the_pods_of_the_same_names_earlier_backup_decide_nothing() -> None:
    of_another = pod("Failed", ended(137, reason="OOMKilled"), name="earlier", job_uid="other")
    assert _in_progress(job(startTime=later(-1)), of_another) == _LATER
