"""What becomes of each expired Backup: deleted, kept, or why it can't go (gc_controller.go); decided purely."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pinnace.dispatcher.retention_guard import kept_because
from pinnace.velero.label import BACKUP_UID_LABEL
from pinnace.velero.phase import phase_of

__all__ = ["GC_FAILURE_LABEL", "Collect", "Keep", "Refuse", "Verdict", "has_expired", "verdicts"]

GC_FAILURE_LABEL = "velero.io/gc-failure"
_OVER = frozenset({"Completed", "PartiallyFailed", "Failed", "FailedValidation", "Deleting"})
"""A Backup that still runs ends first, however short its TTL; one in Deleting is one whose deletion had errors."""

_PENDING = frozenset({"", "New", "InProgress"})


@dataclass(frozen=True)
class Collect:
    """Make a DeleteBackupRequest, and take the label away that said why it could not be."""

    backup: Mapping[str, Any]


@dataclass(frozen=True)
class Refuse:
    """Write the label: `BSLNotFound`, `BSLCannotGet` or `BSLReadOnly`, Velero's words."""

    backup: Mapping[str, Any]
    reason: str


@dataclass(frozen=True)
class Keep:
    """Tell why it is kept though it has expired."""

    backup: Mapping[str, Any]
    reason: str


Verdict = Collect | Refuse | Keep


def verdicts(
    backups: Iterable[Mapping[str, Any]],
    *,
    locations: Mapping[str, Mapping[str, Any]] | None,
    schedules: Iterable[Mapping[str, Any]],
    requests: Iterable[Mapping[str, Any]],
    guard: bool,
    now: datetime,
) -> Iterator[Verdict]:
    """Decide over every expired Backup that is over, and whose deletion is not pending.

    `locations` are the BackupStorageLocations by name, None where the API server did not give them; a location that is
    Unavailable gets no verdict, since it is only tried again. `requests` are the DeleteBackupRequests.
    """
    everything = list(backups)
    pending = {_wanted(request) for request in requests if phase_of(request) in _PENDING}
    leaving = {str(backup["metadata"]["name"]) for backup in everything if _is_pending(backup, pending)}
    kept = kept_because(everything, schedules=schedules, leaving=leaving, is_on=guard, now=now)
    for backup in everything:
        name = str(backup["metadata"]["name"])
        if name in leaving or not has_expired(backup, now) or phase_of(backup) not in _OVER:
            continue
        verdict = Keep(backup, kept[name]) if name in kept else _verdict(backup, locations)
        if verdict is not None:
            yield verdict


def _verdict(backup: Mapping[str, Any], locations: Mapping[str, Mapping[str, Any]] | None) -> Collect | Refuse | None:
    if locations is None:
        return Refuse(backup, "BSLCannotGet")
    location = locations.get(str((backup.get("spec") or {}).get("storageLocation") or ""))
    if location is None:
        return Refuse(backup, "BSLNotFound")
    if (location.get("spec") or {}).get("accessMode") == "ReadOnly":
        return Refuse(backup, "BSLReadOnly")
    return Collect(backup) if phase_of(location) == "Available" else None


def has_expired(backup: Mapping[str, Any], now: datetime) -> bool:
    """Whether its time is over; a Backup without an expiration has not begun."""
    expiration = (backup.get("status") or {}).get("expiration")
    return bool(expiration) and datetime.fromisoformat(str(expiration)) <= now


def _is_pending(backup: Mapping[str, Any], pending: Collection[tuple[str, str]]) -> bool:
    """One that people made may lack the uid; one with another uid was for a Backup that is gone."""
    name, uid = str(backup["metadata"]["name"]), str(backup["metadata"].get("uid", ""))
    return (name, uid) in pending or (name, "") in pending


def _wanted(request: Mapping[str, Any]) -> tuple[str, str]:
    labels = request["metadata"].get("labels") or {}
    return str((request.get("spec") or {}).get("backupName", "")), str(labels.get(BACKUP_UID_LABEL, ""))
