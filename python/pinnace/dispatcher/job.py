"""The Job of a Backup, as pure data: a Backup and the settings in, a manifest out."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pinnace.dispatcher.job_overrides import JobOverrides
from pinnace.dispatcher.termination import CONTAINER_NAME
from pinnace.hooks.allowed import AllowedHooks, may_exec
from pinnace.velero.label import BACKUP_NAME_LABEL, valid_name
from pinnace.volumes.needed import may_take_csi_snapshots

__all__ = [
    "CREDENTIALS_FOLDER",
    "CREDENTIALS_VOLUME",
    "EXIT_ANOTHER_ATTEMPT",
    "JobSettings",
    "StoreAccess",
    "job_manifest",
    "job_name",
    "rights",
]

CREDENTIALS_FOLDER = "/credentials"
CREDENTIALS_VOLUME = "credentials"
EXIT_ANOTHER_ATTEMPT = 75
"""EX_TEMPFAIL: the bucket or the API server was away; what a later attempt may find mended."""

_EXIT_FATAL = (1, 2, 3, 4, 5, 6)
"""Pinnace's own exit codes: another attempt would end in the same way, and the Job has said why."""

_NAME_CHARACTERS = 49
_HASH_CHARACTERS = 10
"""60 in all: the Job's name and an index (`-31`) are the host's name of a pod, which has 63 characters."""


@dataclass(frozen=True)
class JobSettings:
    """What an operator decides for all Jobs; memory is a constant of the design, so requests equal limits.

    `hooks_service_account` may run commands in pods; only a Job whose Backup may come to run one has it. So it is with
    `snapshots_service_account` and VolumeSnapshots, and the last one may do both. `shards` is how many pods make each
    backup together; each has all of the memory. `attempts` are those of each pod.
    """

    namespace: str
    image: str
    image_pull_policy: str = "IfNotPresent"
    service_account: str = "pinnace-backup"
    hooks: AllowedHooks = AllowedHooks.SPEC
    hooks_service_account: str = "pinnace-backup-hooks"
    csi_snapshots: bool = True
    snapshots_service_account: str = "pinnace-backup-snapshots"
    hooks_snapshots_service_account: str = "pinnace-backup-hooks-snapshots"
    memory: str = "192Mi"
    cpu: str = "1"
    compression: str = "default"
    list_encoding: str = "auto"
    shards: int = 1
    attempts: int = 3
    deadline_seconds: int = 4 * 3600
    grace_seconds: int = 30
    not_ready_toleration_seconds: int = 30
    overrides: JobOverrides = field(default_factory=JobOverrides)

    def with_overrides(self, overrides: JobOverrides) -> "JobSettings":
        """The same settings with what the operator's ConfigMap says just now."""
        return replace(self, overrides=overrides, shards=overrides.shards or self.shards)


@dataclass(frozen=True)
class StoreAccess:
    """The Secret with the location's credentials; without a name the pod's own identity is used (IRSA and the like)."""

    secret_name: str = ""
    secret_key: str = ""


def job_name(backup: Mapping[str, Any]) -> str:
    """Name the Job: a second create is a no-op, and a Backup deleted and created again gets its own, by its uid."""
    metadata = backup["metadata"]
    digest = hashlib.sha256(str(metadata["uid"]).encode()).hexdigest()[:_HASH_CHARACTERS]
    head = str(metadata["name"]).replace(".", "-")[:_NAME_CHARACTERS].rstrip("-")
    return f"{head}-{digest}"


def job_manifest(
    backup: Mapping[str, Any], *, settings: JobSettings, access: StoreAccess, serves_csi_snapshots: bool = False
) -> dict[str, Any]:
    """Make the Job, suspended: it is resumed once the Backup says InProgress, so that a crash between is seen.

    `serves_csi_snapshots` tells whether the cluster has the kinds of CSI snapshots.
    """
    takes_snapshots = (
        settings.csi_snapshots and serves_csi_snapshots and may_take_csi_snapshots(backup.get("spec") or {})
    )
    metadata = backup["metadata"]
    labels = {
        "app.kubernetes.io/name": "pinnace",
        "app.kubernetes.io/component": "backup",
        BACKUP_NAME_LABEL: valid_name(str(metadata["name"])),
    }
    overrides = settings.overrides
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(backup),
            "namespace": settings.namespace,
            "labels": {**overrides.labels, **labels},
            "annotations": dict(overrides.annotations),
            "ownerReferences": [_owner(backup)],
        },
        "spec": {
            "suspend": True,
            **_completion(settings.shards, attempts=overrides.attempts or settings.attempts),
            "activeDeadlineSeconds": overrides.deadline_seconds or settings.deadline_seconds,
            # Two live attempts must not both write: the next pod starts when the last one has ended.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules(fatal="FailIndex" if settings.shards > 1 else "FailJob")},
            "template": {
                "metadata": {
                    "labels": {**overrides.pod_labels, **labels},
                    "annotations": dict(overrides.pod_annotations),
                },
                "spec": _pod_spec(backup, settings=settings, access=access, takes_snapshots=takes_snapshots),
            },
        },
    }


def rights(backup: Mapping[str, Any], *, settings: JobSettings, job: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The Role and RoleBinding that let this Job, and while it lives, patch its own Backup."""
    # The Job's own, which settings that changed meanwhile would not give again.
    account = job["spec"]["template"]["spec"]["serviceAccountName"]
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job["metadata"]["name"],
        "uid": job["metadata"]["uid"],
    }
    metadata = {
        "name": f"pinnace-{job['metadata']['name']}",
        "namespace": settings.namespace,
        "ownerReferences": [owner],
        "labels": {"app.kubernetes.io/name": "pinnace"},
    }
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [
            {
                "apiGroups": ["velero.io"],
                "resources": ["backups"],
                "resourceNames": [backup["metadata"]["name"]],
                "verbs": ["get", "patch"],
            }
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": metadata["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": settings.namespace}],
    }
    return role, binding


def _owner(backup: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "name": backup["metadata"]["name"],
        "uid": backup["metadata"]["uid"],
        "controller": True,
        # Not set: blockOwnerDeletion needs the right to update finalizers of Backups.
    }


def _completion(shards: int, *, attempts: int) -> dict[str, Any]:
    """One pod; or an Indexed Job, whose index 0 is the run, and each other one a shard of it.

    Each index has attempts of its own. One that has failed for good ends the Job, and its status names it; once the run
    has ended well, the Job has too, whatever its other pods do (Kubernetes 1.31; before, they end by themselves).
    """
    if shards == 1:
        return {"backoffLimit": attempts - 1}
    return {
        "completionMode": "Indexed",
        "completions": shards,
        "parallelism": shards,
        "backoffLimitPerIndex": attempts - 1,
        "maxFailedIndexes": 0,
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
    }


def _failure_rules(*, fatal: str) -> list[dict[str, Any]]:
    """The first rule that matches decides; `fatal` is what comes of an exit code after which no attempt ends better.

    A disrupted pod (eviction, drain, node loss) counts as one attempt whatever its process ended with, since a node
    that goes away breaks requests before it stops the process. SIGKILL and the like match no rule and count as one
    attempt.
    """
    return [
        {"action": "Count", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": fatal,
            "onExitCodes": {"containerName": CONTAINER_NAME, "operator": "In", "values": list(_EXIT_FATAL)},
        },
    ]


def _pod_spec(
    backup: Mapping[str, Any], *, settings: JobSettings, access: StoreAccess, takes_snapshots: bool
) -> dict[str, Any]:
    overrides = settings.overrides
    not_ready = [
        {
            "key": f"node.kubernetes.io/{taint}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": settings.not_ready_toleration_seconds,
        }
        for taint in ("not-ready", "unreachable")
    ]
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "serviceAccountName": _service_account(backup, settings=settings, takes_snapshots=takes_snapshots),
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": not_ready,
        "containers": [_container(backup, settings=settings, access=access, takes_snapshots=takes_snapshots)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}, *_credentials_volumes(access)],
    }
    spec |= {key: value for key, value in overrides.pod_spec.items() if key != "tolerations"}
    spec["tolerations"] = [*not_ready, *overrides.pod_spec.get("tolerations", ())]
    return spec


def _service_account(backup: Mapping[str, Any], *, settings: JobSettings, takes_snapshots: bool) -> str:
    if may_exec(backup.get("spec") or {}, settings.hooks):
        return settings.hooks_snapshots_service_account if takes_snapshots else settings.hooks_service_account
    return settings.snapshots_service_account if takes_snapshots else settings.service_account


def _container(
    backup: Mapping[str, Any], *, settings: JobSettings, access: StoreAccess, takes_snapshots: bool
) -> dict[str, Any]:
    overrides = settings.overrides
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - the mount of an emptyDir, not a shared folder
    if access.secret_name:
        mounts.append({"name": CREDENTIALS_VOLUME, "mountPath": CREDENTIALS_FOLDER, "readOnly": True})  # type: ignore[dict-item]
    return {
        "name": CONTAINER_NAME,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "args": ["backup", "job", str(backup["metadata"]["name"])],
        "env": [
            {"name": "PINNACE_NAMESPACE", "value": settings.namespace},
            {"name": "PINNACE_BACKUP_UID", "value": str(backup["metadata"]["uid"])},
            {"name": "PINNACE_ATTEMPT_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
            {"name": "PINNACE_COMPRESSION", "value": settings.compression},
            {"name": "PINNACE_LIST_ENCODING", "value": settings.list_encoding},
            {"name": "PINNACE_HOOKS", "value": settings.hooks.value},
            {"name": "PINNACE_CSI_SNAPSHOTS", "value": "auto" if takes_snapshots else "off"},
            *([{"name": "PINNACE_SHARDS", "value": str(settings.shards)}] if settings.shards > 1 else ()),
            *overrides.env,
        ],
        "resources": _resources(settings),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # What the process says of its end; where it can't say anything, its last lines.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _resources(settings: JobSettings) -> dict[str, Any]:
    given = settings.overrides.resources
    limits = {"memory": settings.memory, "cpu": settings.cpu, **given.get("limits", {})}
    requests = {**limits, **given.get("requests", {})}
    return {"requests": _without_null(requests), "limits": _without_null(limits)}


def _without_null(quantities: Mapping[str, Any]) -> dict[str, Any]:
    return {name: quantity for name, quantity in quantities.items() if quantity is not None}


def _credentials_volumes(access: StoreAccess) -> list[dict[str, Any]]:
    if not access.secret_name:
        return []
    # Mounted as a folder, not by subPath: the kubelet then updates the file when the Secret changes.
    items = [{"key": access.secret_key, "path": "cloud"}]
    return [
        {"name": CREDENTIALS_VOLUME, "secret": {"secretName": access.secret_name, "items": items, "defaultMode": 0o440}}
    ]
