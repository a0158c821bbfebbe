"""Which backups may start and where the others stand in the queue (backup_queue_controller.go), decided purely."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinnace.velero.backup import BackupSpec
from pinnace.velero.includes_excludes import select_namespaces

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
    backups: Iterable[Mapping[str, Any]], *, existing_namespaces: Sequence[str], concurrent_backups: int
) -> dict[str, QueuePlace]:
    """Give each waiting backup's place by name.

    A backup starts if fewer than `concurrent_backups` run, and if none that runs or waits before it shares a namespace.
    Velero waits at any earlier runnable one too; the order by queue position, creation and name has the same effect.
    """
    everything = list(backups)
    running = [backup for backup in everything if _phase(backup) in _RUNNING]
    waiting = sorted((backup for backup in everything if _phase(backup) in _WAITING), key=_order)
    free = concurrent_backups - len(running)
    taken: set[str] = set()
    for backup in running:
        taken |= wanted_namespaces(backup, existing=existing_namespaces)
    places: dict[str, QueuePlace] = {}
    position = 0
    for backup in waiting:
        wanted = wanted_namespaces(backup, existing=existing_namespaces)
        if free > 0 and not wanted & taken:
            places[_name(backup)] = QueuePlace(0)
            free -= 1
        else:
            position += 1
            places[_name(backup)] = QueuePlace(position)
        taken |= wanted
    return places


def _phase(backup: Mapping[str, Any]) -> str:
    return str((backup.get("status") or {}).get("phase") or "")


def _name(backup: Mapping[str, Any]) -> str:
    return str(backup["metadata"]["name"])


def _order(backup: Mapping[str, Any]) -> tuple[int, int, str, str]:
    """Those that have a position keep it; new ones come after them, oldest first."""
    position = int((backup.get("status") or {}).get("queuePosition") or 0)
    created = str(backup["metadata"].get("creationTimestamp") or "")
    return (0 if position else 1, position, created, _name(backup))
