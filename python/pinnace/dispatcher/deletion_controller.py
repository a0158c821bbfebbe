"""The DeleteBackupRequest controller: reads all that decides just when it decides, and does one step at a time."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pinnace.dispatcher.controllers import QueueController
from pinnace.dispatcher.deletion_acts import DeletionActs
from pinnace.dispatcher.deletion_step import (
    ASKED_ANNOTATION,
    LOCATION_ANNOTATION,
    SNAPSHOTS_ANNOTATION,
    ObservedDeletion,
    Wait,
    backup_uid,
    deletion_step,
)
from pinnace.dispatcher.job import job_name
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.snapshot_removal import SnapshotRemoval
from pinnace.errors import LocationError, StoreError, StoreUnavailableError, UsageError
from pinnace.kube.client import Client
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, BACKUPS, DELETE_BACKUP_REQUESTS, JOBS, PODS, RESTORES
from pinnace.kube.objects import Objects
from pinnace.store.backup_store import BackupStore

__all__ = ["DeletionController"]

_log = logging.getLogger(__name__)


class DeletionController(QueueController):
    """Deletions are rare and what they remove does not come back: nothing is decided from a copy that may be old."""

    def __init__(
        self,
        client: Client,
        acts: DeletionActs,
        *,
        namespace: str,
        locations: Locations,
        snapshots: SnapshotRemoval,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__("delete backup request")
        self._acts = acts
        self._locations = locations
        self._snapshots = snapshots
        self._clock = clock
        self._requests = Objects(client, DELETE_BACKUP_REQUESTS, namespace=namespace)
        self._backups = Objects(client, BACKUPS, namespace=namespace)
        self._jobs = Objects(client, JOBS, namespace=namespace)
        self._pods = Objects(client, PODS, namespace=namespace)
        self._restores = Objects(client, RESTORES, namespace=namespace)
        self._location_objects = Objects(client, BACKUP_STORAGE_LOCATIONS, namespace=namespace)
        self.watch(client, DELETE_BACKUP_REQUESTS, namespace=namespace)

    def reconcile(self, name: str) -> float | None:
        """Do one step, and come back at once for the next."""
        request = self._requests.get(name)
        if request is None:
            return None
        observed = self._observe(request)
        step = deletion_step(observed)
        if isinstance(step, Wait):
            return step.seconds
        _log.info("delete backup request %s: %s", name, step)
        self._acts.perform(step, observed)
        return 0.0

    def _observe(self, request: Mapping[str, Any]) -> ObservedDeletion:
        backup_name = str((request.get("spec") or {}).get("backupName") or "")
        annotations = request["metadata"].get("annotations") or {}
        backup = self._backups.get(backup_name) if backup_name else None
        job, pods = None, []
        if backup is not None:
            job = self._jobs.get(job_name(backup))
            pods = self._pods.list(label_selector=f"batch.kubernetes.io/job-name={job_name(backup)}")
        noted = annotations.get(LOCATION_ANNOTATION)
        location_name = str(((backup or {}).get("spec") or {}).get("storageLocation") or "") if noted is None else noted
        return ObservedDeletion(
            request=request,
            backup=backup,
            job=job,
            pods=pods,
            others=self._others(request, backup_name),
            location=self._location_objects.get(location_name) if location_name else None,
            has_objects=SNAPSHOTS_ANNOTATION in annotations and self._has_objects(location_name, backup_name),
            restores=[
                restore
                for restore in self._restores.list()
                if backup_name and (restore.get("spec") or {}).get("backupName") == backup_name
            ],
            snapshots_left=self._snapshots_left(request, backup_name),
            now=self._clock(),
        )

    def _others(self, request: Mapping[str, Any], backup_name: str) -> list[dict[str, Any]]:
        uid = request["metadata"]["uid"]
        return [
            other
            for other in self._requests.list()
            if other["metadata"]["uid"] != uid and (other.get("spec") or {}).get("backupName") == backup_name
        ]

    def _snapshots_left(self, request: Mapping[str, Any], backup_name: str) -> Sequence[str]:
        annotations = request["metadata"].get("annotations") or {}
        if ASKED_ANNOTATION not in annotations or SNAPSHOTS_ANNOTATION in annotations:
            return ()
        return self._snapshots.left(backup_name=backup_name, backup_uid=backup_uid(request))

    def _has_objects(self, location_name: str, backup_name: str) -> bool:
        """Whether the bucket has any; one that refuses to say so will refuse to remove them, with its reason."""
        try:
            return bool(location_name) and BackupStore(self._locations.open(location_name), backup_name).has_objects()
        except StoreUnavailableError:
            raise
        except (LocationError, UsageError, StoreError):
            return True
