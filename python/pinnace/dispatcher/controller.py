"""The Backup controller: informers fill a queue of names, and each name is brought one step further at a time."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pinnace.dispatcher.controllers import QueueController
from pinnace.dispatcher.job import job_name
from pinnace.dispatcher.next_step import MakeJob, Nothing, Observed, next_step
from pinnace.dispatcher.queue_order import QueuePlace, queue_places
from pinnace.dispatcher.steps import Steps
from pinnace.kube.client import Client
from pinnace.kube.informer import Informer
from pinnace.kube.kinds import BACKUPS, JOBS, PODS
from pinnace.velero.phase import phase_of

__all__ = ["BackupController"]

_POD_SELECTOR = "app.kubernetes.io/name=pinnace,app.kubernetes.io/component=backup"
_WAITING = ("", "New", "Queued", "ReadyToStart")
_CATCH_UP_SECONDS = 5.0
_DELETED_PODS_SECONDS = 2.0
_CATCH_UP_PAUSE_SECONDS = 0.05
_log = logging.getLogger(__name__)


class BackupController(QueueController):
    """Keeps no state but copies of what the API server says or said.

    Of what is gone it remembers the Backups that were deleted in mid-run, and of a Job that is still there the pods
    that failed: an evicted one is deleted, and only its last state says why.
    """

    def __init__(
        self,
        client: Client,
        steps: Steps,
        *,
        namespace: str,
        concurrent_backups: int,
        knows_queue: bool,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__("backup")
        self._steps = steps
        self._namespace = namespace
        self._concurrent_backups = concurrent_backups
        self._knows_queue = knows_queue
        self._clock = clock
        self._waiting: set[str] = set()
        self._deleted: dict[str, dict[str, Any]] = {}
        self._failed_pods: dict[str, dict[str, Any]] = {}
        self._backups = self.watch(client, BACKUPS, namespace=namespace, on_deleted=self._backup_deleted)
        self._jobs = self.watch(
            client, JOBS, namespace=namespace, on_change=self._dependent_changed, on_deleted=self._job_deleted,
            label_selector=_POD_SELECTOR,
        )  # fmt: skip
        self._pods = self.watch(
            client, PODS, namespace=namespace, on_change=self._dependent_changed, on_deleted=self._pod_deleted,
            label_selector=_POD_SELECTOR,
        )  # fmt: skip

    @property
    def copies(self) -> Informer:
        """The copies of all Backups, for the other controllers to read: a namespace may hold many."""
        return self._backups

    def changed(self, backup: Mapping[str, Any]) -> None:
        """A Backup that changed may be what others in the queue wait for.

        Each comes again every minute, and those of the buckets are thousands: so only what waits is walked through.
        """
        (self._waiting.add if phase_of(backup) in _WAITING else self._waiting.discard)(str(backup["metadata"]["name"]))
        super().changed(backup)
        for other in self._waiting:
            self.queue.add(other)

    def _backup_deleted(self, backup: dict[str, Any]) -> None:
        if phase_of(backup) == "InProgress":
            self._deleted[str(backup["metadata"]["name"])] = backup
        self.changed(backup)
        self._waiting.discard(str(backup["metadata"]["name"]))

    def _dependent_changed(self, dependent: Mapping[str, Any]) -> None:
        """A Job or a pod changed: its Backup, by owner reference for Jobs, by the Job's name for pods."""
        for job in self._jobs.list():
            if job["metadata"]["name"] in (dependent["metadata"]["name"], _job_name_of(dependent)):
                self._add_owner(job)
                return
        self._add_owner(dependent)

    def _job_deleted(self, job: dict[str, Any]) -> None:
        for name, pod in list(self._failed_pods.items()):
            if _job_name_of(pod) == job["metadata"]["name"]:
                del self._failed_pods[name]
        self._dependent_changed(job)

    def _pod_deleted(self, pod: dict[str, Any]) -> None:
        if phase_of(pod) == "Failed" and self._jobs.get(_job_name_of(pod), namespace=self._namespace) is not None:
            self._failed_pods[str(pod["metadata"]["name"])] = pod
        self._dependent_changed(pod)

    def _add_owner(self, job: Mapping[str, Any]) -> None:
        for owner in job["metadata"].get("ownerReferences") or ():
            if owner.get("kind") == "Backup":
                self.queue.add(str(owner["name"]))

    def reconcile(self, name: str) -> float | None:
        """Decide for one Backup and do it."""
        observed = self._observe(name)
        if observed.backup is not None and observed.job is None and self._has_former_pods(name):
            return _DELETED_PODS_SECONDS
        step = next_step(observed)
        if isinstance(step, Nothing):
            return self._forget_deleted(name, observed) or step.again_after_seconds
        _log.info("backup %s: %s", name, step)
        self._steps.perform(step, observed)
        if isinstance(step, MakeJob) and observed.backup is not None:
            self._wait_for_job(observed.backup)
        self._steps.metrics.existing(self._backups.list())
        return None

    def _forget_deleted(self, name: str, observed: Observed) -> float | None:
        """Once the pods of a Backup that was deleted in mid-run are gone, abort what they left."""
        deleted = self._deleted.get(name)
        if deleted is None or (observed.backup is not None and observed.job is not None):
            return None
        if self._pods_of(job_name(deleted)):
            return _DELETED_PODS_SECONDS
        if observed.backup is None:
            self._steps.forget_deleted(deleted)
        del self._deleted[name]
        return None

    def _wait_for_job(self, backup: Mapping[str, Any]) -> None:
        """Until our copy has a Job that was just made, or the refusal: the queue counts by Jobs who has begun."""
        deadline = time.monotonic() + _CATCH_UP_SECONDS
        while time.monotonic() < deadline:
            if self._jobs.get(job_name(backup), namespace=self._namespace) is not None:
                return
            now = self._backups.get(str(backup["metadata"]["name"]), namespace=self._namespace)
            if now is None or phase_of(now) not in _WAITING:
                return
            time.sleep(_CATCH_UP_PAUSE_SECONDS)

    def _observe(self, name: str) -> Observed:
        backup = self._backups.get(name, namespace=self._namespace)
        subject = backup or self._deleted.get(name)
        job = None if subject is None else self._jobs.get(job_name(subject), namespace=self._namespace)
        pods = [] if subject is None else self._all_pods_of(job_name(subject))
        place = QueuePlace(0)
        if backup is not None and job is None and phase_of(backup) in _WAITING:
            places = queue_places(
                self._backups.list(),
                existing_namespaces=self._steps.namespaces(),
                concurrent_backups=self._concurrent_backups,
                with_jobs=self._names_with_jobs(),
            )
            place = places.get(name, place)
        return Observed(
            backup=backup,
            job=job,
            pods=pods,
            place=place,
            now=self._clock(),
            knows_queue=self._knows_queue,
            missing_secret=self._steps.missing_secret(job, pods),
        )

    def _names_with_jobs(self) -> set[str]:
        owners = (owner for job in self._jobs.list() for owner in job["metadata"].get("ownerReferences") or ())
        return {str(owner["name"]) for owner in owners if owner.get("kind") == "Backup"}

    def _has_former_pods(self, name: str) -> bool:
        """Whether a Backup of this name was deleted whose pods still end: they write under the same prefix."""
        deleted = self._deleted.get(name)
        return deleted is not None and bool(self._pods_of(job_name(deleted)))

    def _all_pods_of(self, name: str) -> list[dict[str, Any]]:
        """With those that failed and are gone."""
        return [*(pod for pod in list(self._failed_pods.values()) if _job_name_of(pod) == name), *self._pods_of(name)]

    def _pods_of(self, name: str) -> list[dict[str, Any]]:
        return [pod for pod in self._pods.list() if _job_name_of(pod) == name]


def _job_name_of(pod: Mapping[str, Any]) -> str:
    return str((pod["metadata"].get("labels") or {}).get("batch.kubernetes.io/job-name", ""))
