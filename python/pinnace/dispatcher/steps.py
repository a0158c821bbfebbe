"""Performs the steps that next_step decides: each may be repeated, and each ends in one write that others can see."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pinnace.dispatcher import next_step as steps
from pinnace.dispatcher import termination
from pinnace.dispatcher.failed_backup import FailedBackup
from pinnace.dispatcher.job import CREDENTIALS_VOLUME, JobSettings, job_manifest, job_name, rights
from pinnace.dispatcher.job_overrides import CONFIG_MAP_NAME, read_overrides
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.metrics import Metrics
from pinnace.dispatcher.next_step import Observed, Step
from pinnace.dispatcher.requests import Requests
from pinnace.errors import LocationError, StoreError
from pinnace.kube.client import Client
from pinnace.kube.events import EventRecorder
from pinnace.kube.kinds import BACKUPS, CONFIG_MAPS, JOBS, ROLE_BINDINGS, ROLES, SECRETS
from pinnace.kube.objects import Objects
from pinnace.velero.merge_patch import merge_patch
from pinnace.velero.timestamps import timestamp

__all__ = ["Steps"]

_TTL_SECONDS = 3600
"""How long a finished Job stays once its end is recorded, for people who look."""

_NAMESPACES_SECONDS = 5.0
"""How old the names of namespaces may be that order the queue."""

_BUCKET_PATIENCE = timedelta(minutes=5)
"""A backup may have been committed though its Job failed; for so long a bucket that is away is asked again."""

_SECRET_PATIENCE = timedelta(seconds=30)
_log = logging.getLogger(__name__)


class Steps:
    """The acts; every decision was made before."""

    def __init__(
        self,
        client: Client,
        *,
        settings: JobSettings,
        requests: Requests,
        locations: Locations,
        metrics: Metrics,
        events: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        namespace = settings.namespace
        self._settings = settings
        self._requests = requests
        self._locations = locations
        self.metrics = metrics
        self._events = events.about("velero.io/v1", "Backup")
        self._clock = clock
        self._backups = Objects(client, BACKUPS, namespace=namespace)
        self._jobs = Objects(client, JOBS, namespace=namespace)
        self._roles = Objects(client, ROLES, namespace=namespace)
        self._bindings = Objects(client, ROLE_BINDINGS, namespace=namespace)
        self._secrets = Objects(client, SECRETS, namespace=namespace)
        self._config_maps = Objects(client, CONFIG_MAPS, namespace=namespace)
        self._failed = FailedBackup(client, namespace=namespace, locations=locations)
        self._away_since: dict[str, datetime] = {}
        self._namespaces: tuple[float, Sequence[str]] = (float("-inf"), ())

    def perform(self, step: Step, observed: Observed) -> None:
        """Do it; PinnaceError where it could not be done, and it is then tried again."""
        backup, job = observed.backup, observed.job
        if isinstance(step, steps.DeleteJob) and job is not None:
            self._jobs.delete(job["metadata"]["name"], uid=job["metadata"]["uid"])
        if backup is None:
            return
        match step:
            case steps.Enqueue(position):
                self._patch_status(backup, {"phase": "Queued", "queuePosition": position})
            case steps.MakeJob():
                self._make_job(backup)
            case steps.MarkInProgress() if job is not None:
                self._give_rights(backup, job)
                self._mark_in_progress(backup)
            case steps.Fail():
                self._fail(backup, job, step)
            case steps.TakeFromBucket():
                self._take_from_bucket(backup)
            case _ if job is not None:
                self._perform_on_job(step, backup, job, observed)

    def _perform_on_job(
        self, step: Step, backup: Mapping[str, Any], job: Mapping[str, Any], observed: Observed
    ) -> None:
        match step:
            case steps.ResumeJob():
                self._resume(backup, job)
            case steps.NoteStart(pod_name):
                self._tell_start(backup, pod_name)
                self._annotate(job, steps.STARTED_ANNOTATION, pod_name)
            case steps.NoteAttempt():
                self._note_attempt(step, backup, job)
            case steps.Record(started_pod_name):
                self._record(backup, job, observed.pods, started_pod_name=started_pod_name)

    def namespaces(self) -> Sequence[str]:
        """Names of all namespaces, a few seconds old at most."""
        read_at, names = self._namespaces
        if time.monotonic() - read_at > _NAMESPACES_SECONDS:
            names = tuple(self._requests.namespaces())
            self._namespaces = (time.monotonic(), names)
        return names

    def missing_secret(self, job: Mapping[str, Any] | None, pods: Sequence[Mapping[str, Any]]) -> str:
        """Name the Secret that a waiting pod's volume wants and that does not exist; a pod's status does not say it."""
        if job is None or not any(self._waits_long(pod) for pod in pods):
            return ""
        for volume in job["spec"]["template"]["spec"].get("volumes") or ():
            if volume["name"] == CREDENTIALS_VOLUME:
                name = str(volume["secret"]["secretName"])
                return "" if self._secrets.get(name) is not None else name
        return ""

    def forget_deleted(self, backup: Mapping[str, Any]) -> None:
        """Abort what a run left whose Backup was deleted in its middle."""
        self._failed.clear(backup)

    def _waits_long(self, pod: Mapping[str, Any]) -> bool:
        created = datetime.fromisoformat(str(pod["metadata"]["creationTimestamp"]))
        phase = (pod.get("status") or {}).get("phase", "Pending")
        return phase == "Pending" and self._clock() - created > _SECRET_PATIENCE

    def _make_job(self, backup: Mapping[str, Any]) -> None:
        prepared = self._requests.prepare(backup)
        if prepared.errors:
            self._refuse(backup, prepared.document, prepared.errors)
            return
        overrides = read_overrides(self._config_maps.get(CONFIG_MAP_NAME))
        manifest = job_manifest(
            backup,
            settings=self._settings.with_overrides(overrides),
            access=self._locations.access(str(prepared.document["spec"]["storageLocation"])),
            serves_csi_snapshots=self._settings.csi_snapshots and self._requests.serves_csi_snapshots(),
        )
        if self._jobs.create(manifest):
            self._events.tell(backup, "JobCreated", f"Job {manifest['metadata']['name']} was created")

    def _refuse(self, backup: Mapping[str, Any], document: Mapping[str, Any], errors: Sequence[str]) -> None:
        status = {"phase": "FailedValidation", "validationErrors": list(errors), "queuePosition": None}
        self._patch(backup, document, status)
        self.metrics.refused(backup)
        self._events.warn(backup, "FailedValidation", "; ".join(errors))

    def _mark_in_progress(self, backup: Mapping[str, Any]) -> None:
        prepared = self._requests.prepare(backup)
        if prepared.errors:
            self._refuse(backup, prepared.document, prepared.errors)
            return
        status = {"phase": "InProgress", "startTimestamp": timestamp(self._clock()), "queuePosition": None}
        self._patch(backup, prepared.document, status)
        self.metrics.begun(backup)

    def _give_rights(self, backup: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        """Before the Job can be resumed, by us or by Kueue: its pod asks for the Backup as its first act."""
        role, binding = rights(backup, settings=self._settings, job=job)
        self._roles.create(role)
        self._bindings.create(binding)

    def _resume(self, backup: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        self._give_rights(backup, job)
        self._jobs.merge_patch(job["metadata"]["name"], {"spec": {"suspend": False}})

    def _note_attempt(self, step: steps.NoteAttempt, backup: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        text = f"attempt {step.attempt} of {step.attempts}, since {step.reason or 'the last one failed'}"
        self._patch_status(backup, {"failureReason": text})
        self._events.warn(backup, "Retrying", text)
        self._annotate(job, steps.ATTEMPT_ANNOTATION, str(step.noted))
        self.metrics.retried()

    def _fail(self, backup: Mapping[str, Any], job: Mapping[str, Any] | None, step: steps.Fail) -> None:
        if job is None and self._jobs.get(job_name(backup)) is not None:
            return  # our copy was older than the Job; its event brings the Backup back
        reason = step.reason
        try:
            committed = self._failed.committed_status(backup) if step.has_run else None
        except (StoreError, LocationError) as error:
            if not self._is_given_up(backup):
                raise
            # A bucket that is gone must not keep the Backup from its last phase for ever.
            committed, reason = None, f"{reason}; and its location can't be looked at: {error}"
        if committed:
            self._patch_status(backup, {"failureReason": None, **committed})
            self._away_since.pop(str(backup["metadata"]["uid"]), None)
            return
        self._failed.clear(backup, pod_name=step.pod_name, reason=reason)
        ended = {"phase": "Failed", "failureReason": reason, "completionTimestamp": timestamp(self._clock())}
        self._patch_status(backup, ended)
        self._away_since.pop(str(backup["metadata"]["uid"]), None)
        if job is None:
            failed = {**backup, "status": {**(backup.get("status") or {}), **ended}}
            self._conclude(failed, termination.Termination())

    def _is_given_up(self, backup: Mapping[str, Any]) -> bool:
        """Whether its bucket could not be asked for so long that the Backup must not wait any more."""
        uid, now = str(backup["metadata"]["uid"]), self._clock()
        return now - self._away_since.setdefault(uid, now) > _BUCKET_PATIENCE

    def _take_from_bucket(self, backup: Mapping[str, Any]) -> None:
        committed = self._failed.committed_status(backup)
        if committed is None:
            reason = "the Job completed, but the bucket has no backup of it: velero-backup.json is missing"
            committed = {"phase": "Failed", "failureReason": reason, "completionTimestamp": timestamp(self._clock())}
        self._patch_status(backup, {"failureReason": None, **committed})

    def _record(
        self,
        backup: Mapping[str, Any],
        job: Mapping[str, Any],
        pods: Sequence[Mapping[str, Any]],
        *,
        started_pod_name: str,
    ) -> None:
        """Mark the Job first, unless it changed meanwhile: an end must not be counted twice from an old copy."""
        annotations = {steps.RECORDED_ANNOTATION: str(backup["status"]["phase"])}
        spec = {"ttlSecondsAfterFinished": _TTL_SECONDS}
        self._jobs.patch_unchanged(job, {"metadata": {"annotations": annotations}, "spec": spec})
        if started_pod_name:
            self._tell_start(backup, started_pod_name)
        self._conclude(backup, termination.of_job(pods))

    def _conclude(self, backup: Mapping[str, Any], ended: termination.Termination) -> None:
        status = backup["status"]
        phase = str(status["phase"])
        self.metrics.ended(backup, ended)
        items = (status.get("progress") or {}).get("itemsBackedUp", 0)
        message = str(status.get("failureReason") or "") if phase == "Failed" else f"{items} items"
        if phase == "PartiallyFailed":
            errors = status.get("errors", 0)
            message += f", errors: {errors}; see `pinnace backup describe {backup['metadata']['name']}`"
        (self._events.tell if phase == "Completed" else self._events.warn)(backup, phase, message)

    def _tell_start(self, backup: Mapping[str, Any], pod_name: str) -> None:
        self._events.tell(backup, "Started", f"Pod {pod_name} makes the backup")

    def _annotate(self, job: Mapping[str, Any], annotation: str, value: str) -> None:
        self._jobs.patch_unchanged(job, {"metadata": {"annotations": {annotation: value}}})

    def _patch(self, backup: Mapping[str, Any], document: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Write defaults and phase in one merge patch, as Velero does; one that changed meanwhile is a conflict."""
        patch = merge_patch(backup, document)
        patch["status"] = {**(patch.get("status") or {}), **self._requests.known_status(status)}
        self._backups.patch_unchanged(backup, patch)

    def _patch_status(self, backup: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        self._backups.patch_unchanged(backup, {"status": self._requests.known_status(status)})
