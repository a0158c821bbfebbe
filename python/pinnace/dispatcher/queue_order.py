"""Which backups may start and where the others stand in the queue (backup_queue_controller.go), decided purely."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinnace.velero.backup import BackupSpec
from pinnace.velero.includes_excludes import select_namespaces
from pinnace.velero.phase import phase_of

__all__ = ["QueuePlace", "queue_places", "wanted_namespaces"]

_WAITING = ("", "New", "Queued")
_RUNNING = ("ReadyToStart", "InProgress")


@dataclass(frozen=True)
class QueuePlace:
    """`position` counts from 1 among those that wait; 0 for one that may start now."""

    position: int

    @property
    def may_start(self) -> bool:
        """Whether its turn has come."""
        return self.position == 0


def wanted_namespaces(backup: Mapping[str, Any], *, existing: Sequence[str]) -> frozenset[str]:
    """The namespaces of a backup as they exist now; overlapping backups would list the same items twice at once."""
    spec = backup.get("spec") or {}
    includes = tuple(name for name in spec.get("includedNamespaces") or () if name)
    excludes = tuple(name for name in spec.get("excludedNamespaces") or () if name)
    selection = select_namespaces(
        BackupSpec(included_namespaces=includes, excluded_namespaces=excludes), existing=existing
    )
    return frozenset(selection.names)


def queue_places(
    backups: Iterable[Mapping[str, Any]],
    *,
    existing_namespaces: Sequence[str],
    concurrent_backups: int,
    with_jobs: Collection[str] = (),
) -> dict[str, QueuePlace]:
    """Give the place of each backup that has not begun, by name.

    A backup starts if fewer than `concurrent_backups` run, and if none that runs or waits before it shares a namespace.
    Velero waits at any earlier runnable one too; the order by queue position, creation and name has the same effect.
    One whose Job exists (`with_jobs`) counts as running before its phase says so, and so does ReadyToStart, which a
    Velero server may have left. One that is being deleted has no place.
    """
    alive = [backup for backup in backups if not _is_dying(backup) or phase_of(backup) == "InProgress"]
    begun = [backup for backup in alive if phase_of(backup) in _WAITING and _name(backup) in with_jobs]
    running = [*begun, *(backup for backup in alive if phase_of(backup) in _RUNNING)]
    waiting = [backup for backup in alive if phase_of(backup) in _WAITING and _name(backup) not in with_jobs]
    free = concurrent_backups - len(running)
    taken: set[str] = set()
    for backup in running:
        taken |= wanted_namespaces(backup, existing=existing_namespaces)
    places = {_name(backup): QueuePlace(0) for backup in running if phase_of(backup) != "InProgress"}
    position = 0
    for backup in sorted(waiting, key=_order):
        wanted = wanted_namespaces(backup, existing=existing_namespaces)
        if free > 0 and not wanted & taken:
            places[_name(backup)] = QueuePlace(0)
            free -= 1
        else:
            position += 1
            places[_name(backup)] = QueuePlace(position)
        taken |= wanted
    return places


def _is_dying(backup: Mapping[str, Any]) -> bool:
    return bool(backup["metadata"].get("deletionTimestamp"))


def _name(backup: Mapping[str, Any]) -> str:
    return str(backup["metadata"]["name"])


def _order(backup: Mapping[str, Any]) -> tuple[int, int, str, str]:
    """Those that have a position keep it; new ones come after them, oldest first."""
    position = int((backup.get("status") or {}).get("queuePosition") or 0)
    created = str(backup["metadata"].get("creationTimestamp") or "")
    return (0 if position else 1, position, created, _name(backup))
