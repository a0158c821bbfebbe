"""Which snapshots of volumes a stored backup keeps outside of the bucket, as each of its documents says it.

Pure: a function for each kind of document, None where it stands for no snapshot of this backup. Snapshots that were
not taken for it may be in its archive, too: up to Velero 1.16 a backup also held those of others. They lack its label
(internal/delete/actions/csi).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pinnace.velero.csi_items import DRIVER_ANNOTATION, HANDLE_ANNOTATION, deletion_secret
from pinnace.velero.label import BACKUP_NAME_LABEL, valid_name

__all__ = [
    "CsiSnapshotKept",
    "NativeSnapshotKept",
    "kept_by_content",
    "kept_by_info",
    "kept_by_native_entry",
    "kept_by_snapshot",
    "snapshot_handle",
]


@dataclass(frozen=True)
class NativeSnapshotKept:
    """A snapshot of a provider, in the VolumeSnapshotLocation of that name."""

    location: str
    snapshot_id: str

    def __str__(self) -> str:
        return f"snapshot {self.snapshot_id} in VolumeSnapshotLocation {self.location}"


@dataclass(frozen=True)
class CsiSnapshotKept:
    """A snapshot of a CSI driver; `secret` is namespace and name of the Secret that its deletion needs, if any."""

    driver: str
    handle: str
    secret: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"CSI snapshot {self.handle} of driver {self.driver}"

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.driver, self.handle


def kept_by_native_entry(entry: Mapping[str, Any]) -> NativeSnapshotKept | None:
    """Read an entry of `-volumesnapshots`; one that failed has no id."""
    snapshot_id = str((entry.get("status") or {}).get("providerSnapshotID") or "")
    location = str((entry.get("spec") or {}).get("location") or "")
    return NativeSnapshotKept(location, snapshot_id) if snapshot_id else None


def kept_by_content(
    content: Mapping[str, Any], *, backup_name: str, needs_label: bool = True
) -> CsiSnapshotKept | None:
    """Read a VolumeSnapshotContent; without `needs_label` one that has no label counts, as in a list of this backup."""
    label = ((content.get("metadata") or {}).get("labels") or {}).get(BACKUP_NAME_LABEL)
    if label != valid_name(backup_name) and (needs_label or label is not None):
        return None
    driver, handle = str((content.get("spec") or {}).get("driver") or ""), snapshot_handle(content)
    return CsiSnapshotKept(driver, handle, deletion_secret(content)) if driver and handle else None


def kept_by_snapshot(snapshot: Mapping[str, Any], *, backup_name: str) -> CsiSnapshotKept | None:
    """Read a VolumeSnapshot, whose annotations name what its content was made of."""
    metadata = snapshot.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    driver, handle = str(annotations.get(DRIVER_ANNOTATION) or ""), str(annotations.get(HANDLE_ANNOTATION) or "")
    is_ours = (metadata.get("labels") or {}).get(BACKUP_NAME_LABEL) == valid_name(backup_name)
    return CsiSnapshotKept(driver, handle) if is_ours and driver and handle else None


def kept_by_info(info: Mapping[str, Any]) -> CsiSnapshotKept | None:
    """Read an entry of `-volumeinfo`; of moved data the snapshot is gone."""
    details = info.get("csiSnapshotInfo") or {}
    driver, handle = str(details.get("driver") or ""), str(details.get("snapshotHandle") or "")
    is_kept = info.get("backupMethod") == "CSISnapshot" and not info.get("snapshotDataMoved")
    return CsiSnapshotKept(driver, handle) if is_kept and driver and handle else None


def snapshot_handle(content: Mapping[str, Any]) -> str:
    """What the driver calls the snapshot of a VolumeSnapshotContent; "" before it is taken."""
    status, source = content.get("status") or {}, (content.get("spec") or {}).get("source") or {}
    return str(status.get("snapshotHandle") or source.get("snapshotHandle") or "")
