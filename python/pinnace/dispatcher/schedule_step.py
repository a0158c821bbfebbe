"""What to do next for one Schedule, as a pure function of what the cluster says; a restart goes on from any point.

A due time has one Backup, whose name says the time. So whoever died between making it and writing `lastBackup` is
followed by somebody who finds it there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pinnace.velero.cron import Cron
from pinnace.velero.phase import phase_of
from pinnace.velero.schedule import backup_name, read_cron

__all__ = ["Correct", "Make", "Nothing", "Observed", "Record", "SkipNow", "Step", "Validate", "next_due", "next_step"]

_OPEN = frozenset(
    {
        "", "New", "Queued", "ReadyToStart", "InProgress", "WaitingForPluginOperations",
        "WaitingForPluginOperationsPartiallyFailed", "Finalizing", "FinalizingPartiallyFailed",
    }
)  # fmt: skip
"""Phases of a Backup that is not over; the next one of its schedule waits for it."""

_LOOK_AGAIN_SECONDS = 60.0
_SKEW = timedelta(minutes=1)
"""How far the clocks of two dispatchers may be apart; what was done later than that from now was done by a clock that
was wrong."""


@dataclass(frozen=True)
class Observed:
    """Everything that decides; `backups` are those with the schedule's label."""

    schedule: Mapping[str, Any]
    backups: Iterable[Mapping[str, Any]]
    now: datetime
    skip_immediately: bool = False
    """The dispatcher's setting, for Schedules that leave it open."""


@dataclass(frozen=True)
class Validate:
    """Write phase Enabled, or FailedValidation with the errors."""

    errors: tuple[str, ...]

    @property
    def phase(self) -> str:
        """The phase to write."""
        return "FailedValidation" if self.errors else "Enabled"


@dataclass(frozen=True)
class SkipNow:
    """Leave out what is due: write skipImmediately back as false, and lastSkipped."""


@dataclass(frozen=True)
class Correct:
    """Put the given times of the status, which lie in the future, to now: nothing would be due until then."""

    fields: tuple[str, ...]


@dataclass(frozen=True)
class Make:
    """Make the Backup of a due time, then record it."""

    due: datetime


@dataclass(frozen=True)
class Record:
    """Write lastBackup: the Backup of the due time is there already."""

    due: datetime


@dataclass(frozen=True)
class Nothing:
    """There is nothing to do; look again after so many seconds, if any. `waits_for` names a Backup that is not over."""

    again_after_seconds: float | None = None
    waits_for: str = ""


Step = Validate | SkipNow | Correct | Make | Record | Nothing


def next_step(observed: Observed) -> Step:
    """Decide: validate, skip, make what is due, or wait."""
    schedule, now = observed.schedule, observed.now
    spec, status = schedule.get("spec") or {}, schedule.get("status") or {}
    cron, errors = read_cron(schedule)
    validate = Validate(errors)
    if phase_of(schedule) != validate.phase or tuple(status.get("validationErrors") or ()) != errors:
        return validate
    if cron is None or spec.get("paused"):
        return Nothing()
    skip = spec.get("skipImmediately")
    if observed.skip_immediately if skip is None else skip:
        return SkipNow()
    if early := tuple(name for name in ("lastBackup", "lastSkipped") if _is_later(status.get(name), now + _SKEW)):
        return Correct(early)
    return _when_due(observed, cron)


def next_due(schedule: Mapping[str, Any]) -> datetime | None:
    """The first due time without a backup, which may be over already; None for one that is paused or invalid."""
    cron, _ = read_cron(schedule)
    if cron is None or (schedule.get("spec") or {}).get("paused"):
        return None
    return cron.next_after(_since(schedule))


def _when_due(observed: Observed, cron: Cron) -> Step:
    now = observed.now
    due = cron.due_time(since=_since(observed.schedule), now=now)
    if due is None:
        coming = cron.next_after(max(_since(observed.schedule), now))
        seconds = _LOOK_AGAIN_SECONDS if coming is None else (coming - now).total_seconds()
        # A clock that is put forward meanwhile is noticed at the next look.
        return Nothing(min(seconds, _LOOK_AGAIN_SECONDS))
    wanted = backup_name(str(observed.schedule["metadata"]["name"]), due)
    names = {str(backup["metadata"]["name"]): phase_of(backup) for backup in observed.backups}
    if wanted in names:
        return Record(due)
    running = sorted(name for name, phase in names.items() if phase in _OPEN)
    return Nothing(_LOOK_AGAIN_SECONDS, waits_for=running[0]) if running else Make(due)


def _since(schedule: Mapping[str, Any]) -> datetime:
    """The later of the last backup, or else the creation, and of the last time that was skipped."""
    status = schedule.get("status") or {}
    begun = _time(status.get("lastBackup") or schedule["metadata"]["creationTimestamp"])
    skipped = status.get("lastSkipped")
    return max(begun, _time(skipped)) if skipped else begun


def _is_later(text: str | None, time: datetime) -> bool:
    return bool(text) and _time(str(text)) > time


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
