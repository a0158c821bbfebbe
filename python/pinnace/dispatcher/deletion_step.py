"""What to do next for one DeleteBackupRequest, as a pure function; a restart at any point goes on from it.

The order is: note on the request what is deleted, mark the Backup Deleting, end its Job, remove the snapshots and wait
for the drivers that do it, then the objects in the bucket (the metadata first), then the Restores, then the Backup, and
last the requests. What is noted on the request (location, name and uid of the Backup) is all that is needed once the
Backup is gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pinnace.dispatcher.job_state import State, job_state
from pinnace.dispatcher.next_step import RECORDED_ANNOTATION
from pinnace.velero.label import BACKUP_UID_LABEL
from pinnace.velero.phase import phase_of

__all__ = [
    "ASKED_ANNOTATION",
    "LOCATION_ANNOTATION",
    "SNAPSHOTS_ANNOTATION",
    "Begin",
    "DeleteBackup",
    "DeleteRequests",
    "DeletionStep",
    "EndJob",
    "Finish",
    "Forget",
    "MarkDeleting",
    "NoteSnapshots",
    "ObservedDeletion",
    "RemoveObjects",
    "RemoveRestores",
    "RemoveSnapshots",
    "Wait",
    "backup_uid",
    "deletion_step",
    "owns_objects",
]

LOCATION_ANNOTATION = "pinnace.io/storage-location"
"""On the request: where the backup's objects are; empty where it never had any."""

ASKED_ANNOTATION = "pinnace.io/snapshots-asked"
"""On the request: when all drivers were asked to delete the snapshots of the backup; the others are gone by then."""

SNAPSHOTS_ANNOTATION = "pinnace.io/snapshots-removed"
"""On the request: its snapshots are gone, so that their list may go too."""

_KEPT = timedelta(hours=24)
"""How long a request that failed stays, as in Velero."""

_LAST_WORDS = timedelta(minutes=2)
"""How long the Job of an ended backup may take to end itself."""

_DRIVERS_PATIENCE = timedelta(minutes=10)
"""How long drivers may take; Velero gives them the same, where it waits (resource timeout)."""

_LOOK_AGAIN_SECONDS = 2.0
_LOOK_AT_DRIVERS_SECONDS = 5.0
_TAKEN = "already exists in object storage"


@dataclass(frozen=True)
class ObservedDeletion:
    """Everything that decides, read from the API server and the bucket just now.

    `others` are the other requests for the same backup; `location` is None where it does not exist; `has_objects` is
    asked of the bucket once the snapshots are gone; `restores` are those of this backup. `snapshots_left` are sentences
    about what drivers have not deleted yet, asked for once they were told to.
    """

    request: Mapping[str, Any]
    now: datetime
    backup: Mapping[str, Any] | None = None
    job: Mapping[str, Any] | None = None
    pods: Sequence[Mapping[str, Any]] = ()
    others: Sequence[Mapping[str, Any]] = ()
    location: Mapping[str, Any] | None = None
    has_objects: bool = False
    restores: Sequence[Mapping[str, Any]] = field(default=())
    snapshots_left: Sequence[str] = ()


@dataclass(frozen=True)
class Wait:
    """Look again after so many seconds; None: nothing more is to come."""

    seconds: float | None = _LOOK_AGAIN_SECONDS


@dataclass(frozen=True)
class Begin:
    """Mark the request InProgress, note Backup and location on it, and remove those that failed before it."""

    location: str


@dataclass(frozen=True)
class MarkDeleting:
    """Write phase Deleting, unless the Backup changed meanwhile: it may just have begun to run."""


@dataclass(frozen=True)
class EndJob:
    """Delete the Job, whose pod could still write."""


@dataclass(frozen=True)
class RemoveSnapshots:
    """Remove the backup's snapshots or have them removed, and note which of both."""


@dataclass(frozen=True)
class NoteSnapshots:
    """Note that the drivers have deleted theirs, too."""


@dataclass(frozen=True)
class RemoveObjects:
    """Remove its objects from the bucket."""


@dataclass(frozen=True)
class RemoveRestores:
    """Remove the Restores that were made from it, with their logs."""


@dataclass(frozen=True)
class DeleteBackup:
    """Delete the Backup."""


@dataclass(frozen=True)
class DeleteRequests:
    """All is gone: delete this request and the others for the same Backup, but not those for a newer one."""


@dataclass(frozen=True)
class Forget:
    """Delete this request, which failed a day ago."""


@dataclass(frozen=True)
class Finish:
    """Write phase Processed with the errors; the request stays for a day, for people who look."""

    errors: tuple[str, ...]


DeletionStep = (
    Wait | Begin | MarkDeleting | EndJob | RemoveSnapshots | NoteSnapshots | RemoveObjects | RemoveRestores
    | DeleteBackup | DeleteRequests | Finish | Forget
)  # fmt: skip


def backup_uid(request: Mapping[str, Any]) -> str:
    """The Backup that a request is for; "" where people made it without the label, and it was not begun."""
    return str((request["metadata"].get("labels") or {}).get(BACKUP_UID_LABEL) or "")


def owns_objects(backup: Mapping[str, Any]) -> bool:
    """Whether what the bucket has under its name is its own: it has run, and the name was not another's before."""
    status = backup.get("status") or {}
    return bool(status.get("startTimestamp")) and _TAKEN not in str(status.get("failureReason") or "")


def deletion_step(observed: ObservedDeletion) -> DeletionStep:
    """Decide."""
    phase = phase_of(observed.request)
    if phase == "Processed":
        return _after_the_end(observed)
    if not (observed.request.get("spec") or {}).get("backupName"):
        return Finish(("spec.backupName is required",))
    if any(_comes_before(other, observed.request) for other in observed.others):
        return Wait()
    return _go_on(observed) if phase == "InProgress" else _begin(observed)


def _after_the_end(observed: ObservedDeletion) -> DeletionStep:
    ends = datetime.fromisoformat(str(observed.request["metadata"]["creationTimestamp"])) + _KEPT
    if ends <= observed.now:
        return Forget()
    return Wait((ends - observed.now).total_seconds())


def _comes_before(other: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Of several open requests one is worked on: the one that has begun, else the oldest."""
    return phase_of(other) != "Processed" and _order(other) < _order(request)


def _order(request: Mapping[str, Any]) -> tuple[bool, str, str]:
    metadata = request["metadata"]
    return phase_of(request) != "InProgress", str(metadata["creationTimestamp"]), str(metadata["name"])


def _begin(observed: ObservedDeletion) -> DeletionStep:
    backup = observed.backup
    if backup is None or _is_another(observed.request, backup):
        return Finish(("backup not found",))
    if (step := _wait_for_job(backup, observed)) is not None:
        return step
    if not owns_objects(backup):
        return Begin(location="")
    name = str((backup.get("spec") or {}).get("storageLocation") or "")
    return _refused_by_location(name, observed) or Begin(location=name)


def _go_on(observed: ObservedDeletion) -> DeletionStep:
    request, backup = observed.request, observed.backup
    if backup is not None:
        if _is_another(request, backup):
            return Finish((f"backup {backup['metadata']['name']} was replaced by another while it was deleted",))
        if phase_of(backup) != "Deleting":
            return _wait_for_job(backup, observed) or MarkDeleting()
        if _may_write(observed):
            return EndJob() if observed.job is not None else Wait()
    annotations = request["metadata"].get("annotations") or {}
    if location := str(annotations.get(LOCATION_ANNOTATION) or ""):
        if refused := _refused_by_location(location, observed):
            return refused
        if SNAPSHOTS_ANNOTATION not in annotations:
            return _remove_snapshots(str(annotations.get(ASKED_ANNOTATION) or ""), observed)
        if observed.has_objects:
            return RemoveObjects()
    if observed.restores:
        return RemoveRestores()
    return DeleteBackup() if backup is not None else DeleteRequests()


def _remove_snapshots(asked: str, observed: ObservedDeletion) -> DeletionStep:
    """Ask once; what drivers do not delete in time is an error, and another request asks and waits again."""
    if not asked:
        return RemoveSnapshots()
    if not observed.snapshots_left:
        return NoteSnapshots()
    if observed.now - datetime.fromisoformat(asked) < _DRIVERS_PATIENCE:
        return Wait(_LOOK_AT_DRIVERS_SECONDS)
    return Finish(tuple(observed.snapshots_left))


def _wait_for_job(backup: Mapping[str, Any], observed: ObservedDeletion) -> DeletionStep | None:
    """Whether the backup runs is what its Job says; a Backup whose Job has ended gets its last phase in a moment."""
    phase = phase_of(backup)
    is_live = _may_write(observed)
    if phase in ("", "New", "Queued", "ReadyToStart", "InProgress"):
        if is_live:
            return Finish(("backup is still in progress",))
        return Wait() if phase == "InProgress" else None
    completed = (backup.get("status") or {}).get("completionTimestamp")
    just_ended = bool(completed) and observed.now - datetime.fromisoformat(str(completed)) < _LAST_WORDS
    is_recorded = observed.job is None or RECORDED_ANNOTATION in (observed.job["metadata"].get("annotations") or {})
    return Wait() if just_ended and (is_live or not is_recorded) else None


def _may_write(observed: ObservedDeletion) -> bool:
    """Whether a pod of its Job runs or may come; pods outlive a Job that was deleted by their grace period."""
    if observed.job is None:
        return any(phase_of(pod) not in ("Succeeded", "Failed") for pod in observed.pods)
    state = job_state(observed.job, observed.pods, now=observed.now).state
    return state not in (State.COMPLETE, State.FAILED)


def _is_another(request: Mapping[str, Any], backup: Mapping[str, Any]) -> bool:
    """Whether the request was made for an earlier Backup of the same name."""
    return backup_uid(request) not in ("", backup["metadata"]["uid"])


def _refused_by_location(name: str, observed: ObservedDeletion) -> DeletionStep | None:
    location = observed.location
    if location is None:
        return Finish((f"backup storage location {name} not found",))
    where = f"cannot delete backup because backup storage location {name} is currently in"
    if (location.get("spec") or {}).get("accessMode") == "ReadOnly":
        return Finish((f"{where} read-only mode",))
    phase = phase_of(location)
    if not phase:
        return Wait()  # its first validation comes within seconds
    return None if phase == "Available" else Finish((f"{where} Unavailable state",))
