"""Backups, Jobs and pods as Kubernetes 1.35 writes them, with as much of them as decides something."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pinnace.dispatcher.job import JobSettings, StoreAccess, job_manifest

__all__ = ["JOB_NAME", "NOW", "POD_NAME", "backup", "ended", "job", "job_condition", "later", "pod", "waiting"]

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_UID = "5d9f6d0e-0b6e-4d0c-8a51-5f0a0a2f1c11"
_JOB_UID = "8b7e5c7e-95f0-4a6e-9b0f-0e6a1c9d2b33"
JOB_NAME = "nightly-384d664d29"
POD_NAME = f"{JOB_NAME}-x7k2p"
_SETTINGS = JobSettings(namespace="velero", image="registry.example/pinnace:1")


def later(seconds: float) -> str:
    """A timestamp so many seconds after NOW, or before it, as the API server writes it."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def backup(phase: str = "", *, queue_position: int = 0, dying: bool = False, **status: Any) -> dict[str, Any]:
    """The Backup `nightly`."""
    metadata = {"name": "nightly", "namespace": "velero", "uid": _UID, "creationTimestamp": later(-600)}
    if dying:
        metadata["deletionTimestamp"] = later(-1)
    if phase:
        status["phase"] = phase
    if queue_position:
        status["queuePosition"] = queue_position
    return {"metadata": metadata, "spec": {}, **({"status": status} if status else {})}


def job_condition(kind: str, reason: str, message: str) -> dict[str, Any]:
    """A condition of a Job that is true."""
    time = later(-1)
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastProbeTime": time,
        "lastTransitionTime": time,
    }


def job(
    *conditions: dict[str, Any],
    suspend: bool = False,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    shards: int = 1,
    **status: Any,
) -> dict[str, Any]:
    """Its Job, with the given conditions and fields of the status."""
    settings = replace(_SETTINGS, shards=shards)
    document = job_manifest(backup(), settings=settings, access=StoreAccess("cloud-credentials", "cloud"))
    document["metadata"] |= {"uid": _JOB_UID, "creationTimestamp": later(-500), "annotations": annotations or {}}
    document["metadata"]["labels"] |= labels or {}
    document["spec"]["suspend"] = suspend
    if not suspend:
        status = {"startTime": later(-490), **status}
    document["status"] = {"conditions": list(conditions), **status}
    return document


def ended(exit_code: int, *, reason: str = "Error", message: str = "", at: float = -2) -> dict[str, Any]:
    """The state of a container that ended, `at` seconds after NOW."""
    return {
        "terminated": {
            "containerID": "containerd://6c5e2e1a",
            "exitCode": exit_code,
            "reason": reason,
            **({"message": message} if message else {}),
            "startedAt": later(-400),
            "finishedAt": later(at),
        }
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """The state of a container that waits."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def pod(
    phase: str,
    state: dict[str, Any] | None = None,
    *conditions: dict[str, Any],
    name: str = POD_NAME,
    created: float = -490,
    scheduled: float | None = -480,
    deleted: float | None = None,
    job_uid: str = _JOB_UID,
    index: int | None = None,
    failed_before: int = 0,
    **status: Any,
) -> dict[str, Any]:
    """A pod of the Job: `created`, `scheduled` and `deleted` are seconds after NOW; unscheduled where that is None.

    With `index` it is one of an Indexed Job, before which `failed_before` pods of that index failed.
    """
    metadata: dict[str, Any] = {
        "name": name,
        "creationTimestamp": later(created),
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": JOB_NAME, "uid": job_uid}],
    }
    if index is not None:
        metadata["annotations"] = {
            "batch.kubernetes.io/job-completion-index": str(index),
            "batch.kubernetes.io/job-index-failure-count": str(failed_before),
        }
    if deleted is not None:
        metadata["deletionTimestamp"] = later(deleted)
    if scheduled is not None:
        conditions = (
            *conditions,
            {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": later(scheduled)},
        )
    document: dict[str, Any] = {"metadata": metadata, "status": {"phase": phase, "conditions": list(conditions)}}
    document["spec"] = {"nodeName": "node-1"} if scheduled is not None else {}
    if state is not None:
        document["status"]["containerStatuses"] = [
            {"name": "backup", "image": "registry.example/pinnace:1", "restartCount": 0, "state": state}
        ]
    document["status"] |= status
    return document
