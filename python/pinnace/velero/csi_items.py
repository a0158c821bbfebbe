"""What Velero's CSI actions write into the items of a snapshot: claim, VolumeSnapshot, VolumeSnapshotContent.

Pure; restore finds the snapshot by these labels and annotations alone (pkg/backup/actions/csi).
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from pinnace.velero.label import BACKUP_NAME_LABEL, BACKUP_UID_LABEL, valid_name
from pinnace.velero.quantity import format_bytes, parse_quantity

__all__ = [
    "DRIVER_ANNOTATION",
    "HANDLE_ANNOTATION",
    "content_to_delete",
    "deletion_secret",
    "restore_bytes",
    "stored_claim",
    "stored_snapshot",
]

DRIVER_ANNOTATION = "velero.io/csi-driver-name"
HANDLE_ANNOTATION = "velero.io/csi-volumesnapshot-handle"

_SNAPSHOT_NAME = "velero.io/volume-snapshot-name"
_SECRET_NAME = "snapshot.storage.kubernetes.io/deletion-secret-name"  # noqa: S105 - an annotation
_SECRET_NAMESPACE = "snapshot.storage.kubernetes.io/deletion-secret-namespace"  # noqa: S105 - an annotation
_API_VERSION = "snapshot.storage.k8s.io/v1"
_CONTENT_FINALIZER = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
"""What a driver's sidecar takes away when it has deleted the snapshot; nobody else puts it on an unbound content."""


def restore_bytes(content: Mapping[str, Any]) -> int:
    """The least size of a volume made from a snapshot; 0 where the driver does not say it."""
    return int((content.get("status") or {}).get("restoreSize") or 0)


def stored_claim(
    claim: Mapping[str, Any], *, snapshot_name: str, backup_name: str, least_bytes: int = 0
) -> dict[str, Any]:
    """Name the snapshot in the claim, and let it ask for no less than a volume made from it will have."""
    metadata = claim["metadata"]
    labels = {_SNAPSHOT_NAME: valid_name(snapshot_name), BACKUP_NAME_LABEL: valid_name(backup_name)}
    stored = {
        **claim,
        "metadata": {
            **metadata,
            "labels": {**(metadata.get("labels") or {}), **labels},
            "annotations": {**(metadata.get("annotations") or {}), _SNAPSHOT_NAME: snapshot_name},
        },
    }
    spec = claim.get("spec") or {}
    resources = spec.get("resources") or {}
    requests = resources.get("requests") or {}
    asked = parse_quantity(str(requests.get("storage") or "0"), field="spec.resources.requests.storage")
    if least_bytes > asked:
        raised = {**resources, "requests": {**requests, "storage": format_bytes(least_bytes)}}
        stored["spec"] = {**spec, "resources": raised}
    return stored


def stored_snapshot(snapshot: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Write into a VolumeSnapshot what makes its content anew in another cluster."""
    metadata, spec, status = snapshot["metadata"], content.get("spec") or {}, content.get("status") or {}
    annotations = {
        HANDLE_ANNOTATION: str(status.get("snapshotHandle") or ""),
        DRIVER_ANNOTATION: str(spec.get("driver") or ""),
        "velero.io/csi-vsc-deletion-policy": str(spec.get("deletionPolicy") or ""),
    }
    if size := restore_bytes(content):
        annotations["velero.io/csi-volumesnapshot-restore-size"] = format_bytes(size)
    merged = {**(metadata.get("annotations") or {}), **annotations}
    return {**snapshot, "metadata": {**metadata, "annotations": merged}}


def deletion_secret(content: Mapping[str, Any]) -> tuple[str, str] | None:
    """Namespace and name of the Secret that deleting the snapshot needs; None where there is none."""
    annotations = content["metadata"].get("annotations") or {}
    namespace, name = annotations.get(_SECRET_NAMESPACE), annotations.get(_SECRET_NAME)
    return (str(namespace), str(name)) if namespace and name else None


def content_to_delete(
    *, driver: str, handle: str, secret: tuple[str, str] | None, backup_name: str, backup_uid: str
) -> dict[str, Any]:
    """Make a VolumeSnapshotContent whose deletion deletes a snapshot; the name is the same for the same snapshot.

    It stands for a VolumeSnapshot that never was, as in Velero, so that no namespace needs to be there.
    """
    digest = hashlib.sha256(f"{backup_uid}/{driver}/{handle}".encode()).hexdigest()[:32]
    metadata: dict[str, Any] = {
        "name": f"pinnace-delete-{digest}",
        "labels": {BACKUP_NAME_LABEL: valid_name(backup_name), BACKUP_UID_LABEL: backup_uid},
        "finalizers": [_CONTENT_FINALIZER],
    }
    if secret:
        metadata["annotations"] = {_SECRET_NAMESPACE: secret[0], _SECRET_NAME: secret[1]}
    reference = {"kind": "VolumeSnapshot", "namespace": f"ns-{digest}", "name": f"name-{digest}"}
    return {
        "apiVersion": _API_VERSION,
        "kind": "VolumeSnapshotContent",
        "metadata": metadata,
        "spec": {
            "deletionPolicy": "Delete",
            "driver": driver,
            "source": {"snapshotHandle": handle},
            "volumeSnapshotRef": {"apiVersion": _API_VERSION, **reference},
        },
    }
