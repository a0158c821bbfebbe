"""The Schedule controller: makes a Backup at each due time (schedule_controller.go); schedule_step decides."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pinnace.dispatcher import schedule_step as steps
from pinnace.dispatcher.controllers import Copies, QueueController
from pinnace.dispatcher.upkeep_metrics import UpkeepMetrics
from pinnace.errors import KubeError
from pinnace.kube.client import Client
from pinnace.kube.events import EventRecorder
from pinnace.kube.kinds import BACKUPS, SCHEDULES
from pinnace.kube.objects import Objects
from pinnace.velero.label import valid_name
from pinnace.velero.schedule import backup_name, made_backup, schedule_name_of
from pinnace.velero.timestamps import timestamp

__all__ = ["ScheduleController"]

_log = logging.getLogger(__name__)


class ScheduleController(QueueController):
    """Keeps nothing of its own; `backups` are copies of all Backups, which may be behind: a name that is taken is seen
    when the Backup is made. `begin_series` is told each name, as labels have it, before its first Backup is counted."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        backups: Copies,
        skip_immediately: bool,
        metrics: UpkeepMetrics,
        begin_series: Callable[[str], None],
        events: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__("schedule")
        self._namespace = namespace
        self._copies = backups
        self._skip_immediately = skip_immediately
        self._metrics = metrics
        self._begin_series = begin_series
        self._events = events.about("velero.io/v1", "Schedule")
        self._clock = clock
        self._backups = Objects(client, BACKUPS, namespace=namespace)
        self._objects = Objects(client, SCHEDULES, namespace=namespace)
        self._schedules = self.watch(client, SCHEDULES, namespace=namespace)

    @property
    def synced(self) -> bool:
        """Whether the Backups are known, too: one that runs keeps the next waiting."""
        return super().synced and self._copies.synced

    def reconcile(self, name: str) -> float | None:
        """Decide for one Schedule and do it."""
        schedule = self._schedules.get(name, namespace=self._namespace)
        if schedule is None:
            self._metrics.schedule(name, next_due=None)
            return None
        self._begin_series(valid_name(name))
        observed = steps.Observed(
            schedule=schedule,
            backups=[backup for backup in self._copies.list() if schedule_name_of(backup) == valid_name(name)],
            now=self._clock(),
            skip_immediately=self._skip_immediately,
        )
        self._metrics.schedule(name, next_due=steps.next_due(schedule))
        step = steps.next_step(observed)
        if isinstance(step, steps.Nothing):
            if step.waits_for:
                _log.info("schedule %s: is due, and waits for the end of backup %s", name, step.waits_for)
            return step.again_after_seconds
        _log.info("schedule %s: %s", name, step)
        self._perform(step, schedule)
        return None

    def _perform(self, step: steps.Step, schedule: Mapping[str, Any]) -> None:
        now = timestamp(self._clock())
        match step:
            case steps.Validate(errors):
                self._objects.patch_unchanged(
                    schedule, {"status": {"phase": step.phase, "validationErrors": list(errors) or None}}
                )
                if errors:
                    self._events.warn(schedule, "FailedValidation", "; ".join(errors))
            case steps.SkipNow():
                self._objects.patch_unchanged(
                    schedule, {"spec": {"skipImmediately": False}, "status": {"lastSkipped": now}}
                )
            case steps.Correct(fields):
                text = (
                    f"{' and '.join(fields)} lay in the future, when nothing would have been due: the clock was wrong"
                )
                self._events.warn(schedule, "ClockWasWrong", text)
                self._objects.patch_unchanged(schedule, {"status": dict.fromkeys(fields, now)})
            case steps.Make(due):
                self._make(schedule, due)
                self._objects.patch_unchanged(schedule, {"status": {"lastBackup": now}})
            case steps.Record():
                self._objects.patch_unchanged(schedule, {"status": {"lastBackup": now}})

    def _make(self, schedule: Mapping[str, Any], due: datetime) -> None:
        name = backup_name(str(schedule["metadata"]["name"]), due)
        try:
            is_made = self._backups.create(made_backup(schedule, due))
        except KubeError as error:
            self._events.warn(schedule, "BackupNotMade", f"Backup {name} can't be made: {error}")
            raise
        if is_made:
            self._events.tell(schedule, "BackupMade", f"Backup {name} was made, due at {timestamp(due)}")
            return
        found = self._backups.get(name)
        if found is not None and schedule_name_of(found) != valid_name(str(schedule["metadata"]["name"])):
            text = f"Backup {name} was there already, and is not this schedule's; none was made for this time"
            self._events.warn(schedule, "BackupNotMade", text)
