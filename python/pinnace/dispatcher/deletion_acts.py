"""Performs the steps that deletion_step decides: each may be repeated, and an error of the bucket ends the request."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pinnace.dispatcher import deletion_step as steps
from pinnace.dispatcher.deletion_step import DeletionStep, ObservedDeletion
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.metrics import Metrics
from pinnace.dispatcher.snapshot_removal import Removal, SnapshotRemoval
from pinnace.errors import LocationError, MalformedObjectError, StoreError, StoreUnavailableError, UsageError
from pinnace.kube.client import Client
from pinnace.kube.events import EventRecorder
from pinnace.kube.kinds import BACKUPS, DELETE_BACKUP_REQUESTS, JOBS, RESTORES
from pinnace.kube.objects import Objects
from pinnace.store.backup_store import BackupStore
from pinnace.store.object_store import ObjectStore
from pinnace.velero.delete_request import delete_request
from pinnace.velero.phase import phase_of
from pinnace.velero.timestamps import timestamp

__all__ = ["DeletionActs"]

_RESTORE_FINALIZER = "restores.velero.io/external-resources-finalizer"
"""Velero's, which removes a Restore's objects; where no Velero runs, whoever deletes a Restore must do both."""

_ALL_GONE = {steps.SNAPSHOTS_ANNOTATION: "true"}
_log = logging.getLogger(__name__)


class DeletionActs:
    """The acts; every decision was made before."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        locations: Locations,
        snapshots: SnapshotRemoval,
        metrics: Metrics,
        events: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        self._requests = Objects(client, DELETE_BACKUP_REQUESTS, namespace=namespace)
        self._backups = Objects(client, BACKUPS, namespace=namespace)
        self._jobs = Objects(client, JOBS, namespace=namespace)
        self._restores = Objects(client, RESTORES, namespace=namespace)
        self._locations = locations
        self._snapshots = snapshots
        self._metrics = metrics
        self._events = events.about("velero.io/v1", "Backup")
        self._clock = clock

    def perform(self, step: DeletionStep, observed: ObservedDeletion) -> None:
        """Do it; PinnaceError where it could not be done, and it is then tried again."""
        match step:
            case steps.Begin(location):
                self._begin(observed, location)
            case steps.Finish(errors):
                self._finish(observed, errors)
            case steps.MarkDeleting() | steps.EndJob() | steps.DeleteBackup():
                self._act_on_backup(step, observed)
            case steps.DeleteRequests():
                for request in (*_for_the_same(observed), observed.request):
                    self._delete_request(request)
            case steps.Forget():
                self._delete_request(observed.request)
            case steps.NoteSnapshots():
                self._note(observed, _ALL_GONE)
            case steps.RemoveSnapshots() | steps.RemoveObjects() | steps.RemoveRestores():
                self._remove(step, observed)

    def _begin(self, observed: ObservedDeletion, location: str) -> None:
        """Write onto the request what it deletes; those that failed before it would only hide how this one goes."""
        request, backup = observed.request, observed.backup
        assert backup is not None  # noqa: S101 - without one there is nothing to begin
        for other in observed.others:
            if phase_of(other) == "Processed":
                self._delete_request(other)
        labels = delete_request(backup)["metadata"]["labels"]
        annotations = {steps.LOCATION_ANNOTATION: location}
        metadata = {"labels": labels, "annotations": annotations}
        self._requests.patch_unchanged(request, {"status": {"phase": "InProgress"}, "metadata": metadata})
        self._metrics.deletion_begun(backup)

    def _act_on_backup(self, step: DeletionStep, observed: ObservedDeletion) -> None:
        backup, job = observed.backup, observed.job
        if backup is None:
            return
        metadata = backup["metadata"]
        match step:
            case steps.MarkDeleting():
                self._backups.patch_unchanged(backup, {"status": {"phase": "Deleting", "queuePosition": None}})
            case steps.EndJob() if job is not None:
                self._jobs.delete(job["metadata"]["name"], uid=job["metadata"]["uid"])
            case steps.DeleteBackup():
                if self._backups.delete(metadata["name"], uid=metadata["uid"]):
                    self._metrics.deleted(backup)
                    _log.info("backup %s: it was deleted", metadata["name"])

    def _remove(self, step: DeletionStep, observed: ObservedDeletion) -> None:
        """Remove from the bucket; one that is away is asked again, one that refuses ends the request with its words."""
        try:
            errors = self._removed(step, observed)
        except StoreUnavailableError:
            raise
        except (StoreError, LocationError, UsageError, MalformedObjectError) as error:
            errors = [str(error)]
        if errors:
            self._finish(observed, errors)

    def _removed(self, step: DeletionStep, observed: ObservedDeletion) -> Sequence[str]:
        if isinstance(step, steps.RemoveRestores):
            self._remove_restores(observed)
            return ()
        store = BackupStore(self._store(observed), str(observed.request["spec"]["backupName"]))
        if isinstance(step, steps.RemoveObjects):
            _log.info("backup %s: %d objects were removed", store.backup_name, store.remove())
            return ()
        return self._remove_snapshots(observed, store)

    def _remove_snapshots(self, observed: ObservedDeletion, store: BackupStore) -> Sequence[str]:
        """Note that all are gone, or when the last driver was asked; nothing where one could not be removed."""
        store.check_unlocked()
        removal = self._snapshots.remove(
            store, location_name=_location(observed), backup_uid=steps.backup_uid(observed.request)
        )
        self._tell(observed, removal)
        if not removal.errors:
            noted = {steps.ASKED_ANNOTATION: timestamp(self._clock())} if removal.must_be_awaited else _ALL_GONE
            self._note(observed, noted)
        return removal.errors

    def _tell(self, observed: ObservedDeletion, removal: Removal) -> None:
        if not removal.told:
            return
        _log.info("backup %s: %s", observed.request["spec"]["backupName"], removal.told)
        if observed.backup is not None:
            self._events.tell(observed.backup, "SnapshotsRemoved", removal.told)

    def _note(self, observed: ObservedDeletion, annotations: Mapping[str, str]) -> None:
        self._requests.patch_unchanged(observed.request, {"metadata": {"annotations": dict(annotations)}})

    def _remove_restores(self, observed: ObservedDeletion) -> None:
        """Their objects first, then they themselves, last Velero's finalizer, which would keep them for ever."""
        store = self._store(observed) if _location(observed) else None
        for restore in observed.restores:
            metadata = restore["metadata"]
            if store is not None:
                for found in list(store.list_keys(f"restores/{metadata['name']}/")):
                    store.delete(found.key)
            self._restores.delete(metadata["name"], uid=metadata["uid"])
            finalizers = metadata.get("finalizers") or []
            if _RESTORE_FINALIZER in finalizers:
                others = [finalizer for finalizer in finalizers if finalizer != _RESTORE_FINALIZER]
                self._restores.merge_patch(metadata["name"], {"metadata": {"finalizers": others}})

    def _store(self, observed: ObservedDeletion) -> ObjectStore:
        return self._locations.open(_location(observed))

    def _finish(self, observed: ObservedDeletion, errors: Sequence[str]) -> None:
        request, backup = observed.request, observed.backup
        self._requests.patch_unchanged(request, {"status": {"phase": "Processed", "errors": list(errors)}})
        if backup is None:
            return
        if phase_of(request) == "InProgress":
            self._metrics.deletion_failed(backup)
        self._events.warn(backup, "DeletionFailed", "; ".join(errors))

    def _delete_request(self, request: Mapping[str, Any]) -> None:
        self._requests.delete(request["metadata"]["name"], uid=request["metadata"]["uid"])


def _location(observed: ObservedDeletion) -> str:
    return str((observed.request["metadata"].get("annotations") or {}).get(steps.LOCATION_ANNOTATION) or "")


def _for_the_same(observed: ObservedDeletion) -> list[Mapping[str, Any]]:
    uid = steps.backup_uid(observed.request)
    return [other for other in observed.others if steps.backup_uid(other) in ("", uid)]
