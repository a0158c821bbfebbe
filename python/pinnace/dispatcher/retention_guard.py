"""Which Backups are kept past their TTL because nothing newer is good: the last Completed one of a schedule.

A TTL counts on newer backups. Where they fail, or are due and not made, it would delete the last one that can be
restored. Decided purely.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from pinnace.velero.label import valid_name
from pinnace.velero.phase import phase_of
from pinnace.velero.schedule import read_cron, schedule_name_of

__all__ = ["GUARD_ANNOTATION", "kept_because"]

GUARD_ANNOTATION = "pinnace.io/retention-guard"
"""On a Backup, or on its Schedule, which hands it on: `off` lets the TTL alone decide, `on` guards where the
dispatcher's setting does not."""


def kept_because(
    backups: Iterable[Mapping[str, Any]],
    *,
    schedules: Iterable[Mapping[str, Any]],
    leaving: Collection[str],
    is_on: bool,
    now: datetime,
) -> dict[str, str]:
    """Name the Backups that must not be collected now, whether they have expired or not, with the reason of each.

    `leaving` names Backups whose deletion was asked for: they are as good as gone, and neither kept nor counted on.
    """
    known = {valid_name(str(schedule["metadata"]["name"])): schedule for schedule in schedules}
    by_schedule: dict[str, list[Mapping[str, Any]]] = {}
    for backup in backups:
        name = schedule_name_of(backup)
        if name and backup["metadata"]["name"] not in leaving and phase_of(backup) != "Deleting":
            by_schedule.setdefault(name, []).append(backup)
    kept: dict[str, str] = {}
    for name, siblings in by_schedule.items():
        good = [backup for backup in siblings if phase_of(backup) == "Completed"]
        if not good:
            continue
        last, schedule = max(good, key=_began), known.get(name)
        if _is_guarded(last, schedule, is_on=is_on) and (why := _nothing_newer(last, siblings, schedule, now=now)):
            kept[str(last["metadata"]["name"])] = f"it is the last Completed one of schedule {name}, {why}"
    return kept


def _nothing_newer(
    last: Mapping[str, Any],
    siblings: Iterable[Mapping[str, Any]],
    schedule: Mapping[str, Any] | None,
    *,
    now: datetime,
) -> str:
    """Say what became of those that should have replaced it; "" where there should be none yet."""
    began = _began(last)
    phases = Counter(phase_of(sibling) or "New" for sibling in siblings if _began(sibling) > began)
    if phases:
        return f"and none of the newer ones is: {', '.join(f'{count} {phase}' for phase, count in phases.items())}"
    if schedule is not None and _is_overdue(schedule, began=began, now=now):
        return "and the next one was due and is not there"
    return ""


def _is_guarded(backup: Mapping[str, Any], schedule: Mapping[str, Any] | None, *, is_on: bool) -> bool:
    """The Backup's own annotation counts first, then the Schedule's, then the setting."""
    for document in (backup, schedule or {}):
        value = ((document.get("metadata") or {}).get("annotations") or {}).get(GUARD_ANNOTATION)
        if value in ("on", "off"):
            return bool(value == "on")
    return is_on


def _is_overdue(schedule: Mapping[str, Any], *, began: datetime, now: datetime) -> bool:
    """A weekly backup that is kept for a day goes on its day; it is not that a newer one were missing."""
    cron, _ = read_cron(schedule)
    if cron is None or (schedule.get("spec") or {}).get("paused"):
        return False
    return cron.due_time(since=began, now=now) is not None


def _began(backup: Mapping[str, Any]) -> datetime:
    status, metadata = backup.get("status") or {}, backup["metadata"]
    return datetime.fromisoformat(str(status.get("startTimestamp") or metadata["creationTimestamp"]))
