"""What to do next for one Backup, as a pure function of what the cluster says; a restart at any point goes on from it.

The order is: enqueue, validate, make the Job suspended, mark the Backup InProgress, resume the Job, and at its end
record what became of it. So an InProgress Backup without a Job is one whose Job somebody deleted, never one that was
not yet made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pinnace.dispatcher.job import job_name
from pinnace.dispatcher.job_state import JobState, State, job_state
from pinnace.dispatcher.queue_order import QueuePlace
from pinnace.velero.phase import phase_of

__all__ = [
    "ATTEMPT_ANNOTATION",
    "RECORDED_ANNOTATION",
    "DeleteJob",
    "Enqueue",
    "Fail",
    "MakeJob",
    "MarkInProgress",
    "NoteAttempt",
    "NoteStart",
    "Nothing",
    "Observed",
    "Record",
    "ResumeJob",
    "Step",
    "TakeFromBucket",
    "next_step",
]

RECORDED_ANNOTATION = "pinnace.io/recorded"
"""On the Job: its end was counted and told. Only then may a TTL delete it."""

STARTED_ANNOTATION = "pinnace.io/started"
"""On the Job: that its pod runs was told."""

ATTEMPT_ANNOTATION = "pinnace.io/attempt"
"""On the Job: the attempt that was told of last, counted through all indexes of an Indexed Job (`JobState.noted`)."""

_TERMINAL = ("Completed", "PartiallyFailed", "Failed")
_LOOK_AGAIN_SECONDS = 30.0

_LAST_WORDS = timedelta(minutes=2)
"""A process writes the phase, ends, and hands over its figures by ending; how long that may take."""

_KUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""A Job with it is resumed by Kueue when its turn has come; whoever else resumes it fights with Kueue."""


@dataclass(frozen=True)
class Observed:
    """Everything that decides; `backup` is None once it is deleted.

    A `job` of None must come from the API server and not from a cache, which may be behind: with an InProgress Backup
    it means that the Job is gone for good.
    """

    backup: Mapping[str, Any] | None
    job: Mapping[str, Any] | None
    pods: Sequence[Mapping[str, Any]]
    place: QueuePlace
    now: datetime
    knows_queue: bool = True
    missing_secret: str = ""


@dataclass(frozen=True)
class Nothing:
    """There is nothing to do; look again after so many seconds, if any."""

    again_after_seconds: float | None = None


@dataclass(frozen=True)
class Enqueue:
    """Write phase Queued and the position."""

    position: int


@dataclass(frozen=True)
class MakeJob:
    """Prepare and validate; make the Job, suspended, or write FailedValidation."""


@dataclass(frozen=True)
class MarkInProgress:
    """Write the defaults, the phase and the start in one merge patch."""


@dataclass(frozen=True)
class ResumeJob:
    """Make the Job's rights where a crash left none, then let its pod be made."""


@dataclass(frozen=True)
class NoteStart:
    """Tell that the pod runs."""

    pod_name: str


@dataclass(frozen=True)
class NoteAttempt:
    """Tell that another attempt is made, and why; `noted` is what then stands on the Job."""

    attempt: int
    attempts: int
    reason: str
    noted: int


@dataclass(frozen=True)
class Fail:
    """Write phase Failed with the reason, keep the pod's last lines as the backup's log, abort its uploads.

    But where this Backup's `velero-backup.json` is in the bucket, an attempt had committed before it was ended, and the
    phase is what that says. Where no attempt has ever run the bucket need not be asked: its Secret may be what lacks.
    """

    reason: str
    pod_name: str = ""
    has_run: bool = True


@dataclass(frozen=True)
class TakeFromBucket:
    """The Job ended well but its last status did not arrive: the bucket knows what it was."""


@dataclass(frozen=True)
class Record:
    """Count and tell the end, then let the TTL have the Job; `pod_name` is a pod whose start was not told yet."""

    pod_name: str = ""


@dataclass(frozen=True)
class DeleteJob:
    """End a Job whose Backup needs it no more."""


Step = (
    Nothing | Enqueue | MakeJob | MarkInProgress | ResumeJob | NoteStart | NoteAttempt | Fail | TakeFromBucket | Record
    | DeleteJob
)  # fmt: skip


def next_step(observed: Observed) -> Step:
    """Decide."""
    backup, job = observed.backup, observed.job
    if backup is None or backup["metadata"].get("deletionTimestamp"):
        return DeleteJob() if job is not None else Nothing()
    phase = phase_of(backup)
    if phase in ("", "New", "Queued", "ReadyToStart"):
        return _before_start(observed, phase=phase)
    if phase == "InProgress":
        return _in_progress(backup, observed)
    if job is not None and phase in _TERMINAL:
        return _at_end(job, observed)
    if job is not None and phase == "FailedValidation":
        return DeleteJob()
    return Nothing()


def _before_start(observed: Observed, *, phase: str) -> Step:
    if observed.job is not None:
        return MarkInProgress()
    if observed.place.may_start:
        return MakeJob()
    position = int(((observed.backup or {}).get("status") or {}).get("queuePosition") or 0)
    if observed.knows_queue and (phase != "Queued" or position != observed.place.position):
        return Enqueue(observed.place.position)
    # Namespaces come and go, by which two backups overlap no more.
    return Nothing(again_after_seconds=_LOOK_AGAIN_SECONDS)


def _in_progress(backup: Mapping[str, Any], observed: Observed) -> Step:
    if observed.job is None:
        return Fail(
            f"Job {job_name(backup)} is gone: it was deleted, or its backup was begun by another server; "
            "create the backup again under another name"
        )
    state = job_state(observed.job, observed.pods, now=observed.now, missing_secret=observed.missing_secret)
    match state.state:
        case State.SUSPENDED:
            is_kueues = _KUEUE_LABEL in (observed.job["metadata"].get("labels") or {})
            return Nothing(again_after_seconds=_LOOK_AGAIN_SECONDS) if is_kueues else ResumeJob()
        case State.COMPLETE:
            return TakeFromBucket()
        case State.FAILED | State.STUCK | State.HOPELESS:
            told = observed.job["metadata"].get("annotations") or {}
            has_run = state.is_started or state.attempt > 1 or STARTED_ANNOTATION in told
            return Fail(_with_attempt(state), state.pod_name, has_run=has_run)
        case State.RUNNING:
            return _running(observed.job, state)


def _running(job: Mapping[str, Any], state: JobState) -> Step:
    annotations = job["metadata"].get("annotations") or {}
    told = str(annotations.get(ATTEMPT_ANNOTATION, ""))
    if state.noted > (int(told) if told.isdecimal() else 1):
        return NoteAttempt(state.attempt, state.attempts, state.last_reason, state.noted)
    if state.is_started and STARTED_ANNOTATION not in annotations:
        return NoteStart(state.pod_name)
    # A pod that waits changes nothing by itself, so that no event would bring us back here.
    return Nothing(again_after_seconds=_LOOK_AGAIN_SECONDS)


def _with_attempt(state: JobState) -> str:
    return f"{state.reason} (attempt {state.attempt} of {state.attempts})" if state.attempts > 1 else state.reason


def _at_end(job: Mapping[str, Any], observed: Observed) -> Step:
    state = job_state(job, observed.pods, now=observed.now)
    annotations = job["metadata"].get("annotations") or {}
    if RECORDED_ANNOTATION not in annotations:
        if state.state is State.RUNNING and _just_ended(observed):
            return Nothing(again_after_seconds=_LOOK_AGAIN_SECONDS)
        return Record(state.pod_name if state.is_started and STARTED_ANNOTATION not in annotations else "")
    if state.state in (State.RUNNING, State.STUCK, State.HOPELESS, State.SUSPENDED):
        # The process writes the phase and then exits; only one that was failed from outside has a Job to end.
        failed = phase_of(observed.backup or {}) == "Failed"
        return DeleteJob() if failed else Nothing(again_after_seconds=_LOOK_AGAIN_SECONDS)
    return Nothing()


def _just_ended(observed: Observed) -> bool:
    completed = ((observed.backup or {}).get("status") or {}).get("completionTimestamp")
    return bool(completed) and observed.now - datetime.fromisoformat(str(completed)) < _LAST_WORDS
