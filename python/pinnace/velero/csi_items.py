"""What Velero's CSI actions write into the items of a snapshot: claim, VolumeSnapshot, VolumeSnapshotContent.

Pure; restore finds the snapshot by these labels and annotations alone (pkg/backup/actions/csi).
"""

from collections.abc import Mapping
from typing import Any

from pinnace.velero.label import BACKUP_NAME_LABEL, valid_name
from pinnace.velero.quantity import format_bytes, parse_quantity

__all__ = ["deletion_secret", "restore_bytes", "stored_claim", "stored_snapshot"]

_SNAPSHOT_NAME = "velero.io/volume-snapshot-name"
_SECRET_NAME = "snapshot.storage.kubernetes.io/deletion-secret-name"  # noqa: S105 - an annotation
_SECRET_NAMESPACE = "snapshot.storage.kubernetes.io/deletion-secret-namespace"  # noqa: S105 - an annotation


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
        "velero.io/csi-volumesnapshot-handle": str(status.get("snapshotHandle") or ""),
        "velero.io/csi-driver-name": str(spec.get("driver") or ""),
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
