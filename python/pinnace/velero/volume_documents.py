"""What the files beside the archive say of volumes: shapes and key case as Velero reads them (internal/volume).

Pure; times are RFC3339 texts. Mind the keys that Go writes without a tag and so begins with a capital.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["CsiSnapshot", "NativeSnapshot", "VolumeInfo", "volume_infos"]

_CSI_ACTION = "velero.io/csi-volumesnapshot-backupper"
_SNAPSHOT_GROUP = "snapshot.storage.k8s.io"


@dataclass(frozen=True)
class VolumeInfo:
    """What became of one volume; an entry without `method` is one that was skipped, `skipped_reason` says why."""

    pvc_name: str = ""
    pvc_namespace: str = ""
    pv_name: str = ""
    method: str = ""
    skipped_reason: str = ""
    started: str = ""
    completed: str = ""
    is_complete: bool = False
    keeps_local_snapshot: bool = False
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """`nativeSnapshotInfo` or `csiSnapshotInfo`, by that name."""
    reclaim_policy: str = ""
    pv_labels: Mapping[str, str] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """An entry of `<B>-volumeinfo.json.gz`: the three booleans are always there, empty texts are not."""
        texts = {
            "pvcName": self.pvc_name,
            "pvcNamespace": self.pvc_namespace,
            "pvName": self.pv_name,
            "backupMethod": self.method,
            "skippedReason": self.skipped_reason,
            "startTimestamp": self.started,
            "completionTimestamp": self.completed,
            "result": ("succeeded" if self.is_complete else "failed") if self.method else "",
        }
        volume = {"reclaimPolicy": self.reclaim_policy, "labels": dict(self.pv_labels)}
        return {
            **{key: text for key, text in texts.items() if text},
            "snapshotDataMoved": False,
            "preserveLocalSnapshot": self.keeps_local_snapshot,
            "skipped": not self.method,
            **{key: dict(detail) for key, detail in self.details.items()},
            **({"pvInfo": volume} if self.pv_name else {}),
        }


@dataclass(frozen=True)
class NativeSnapshot:
    """One snapshot of a provider; without `snapshot_id` it failed."""

    location: str
    pv_name: str
    volume_id: str
    volume_type: str = ""
    volume_zone: str = ""
    volume_iops: int | None = None
    snapshot_id: str = ""
    started: str = ""

    @property
    def phase(self) -> str:
        """Velero's phase of a native snapshot."""
        return "Completed" if self.snapshot_id else "Failed"

    def to_document(self, *, backup_name: str, backup_uid: str) -> dict[str, Any]:
        """An entry of `<B>-volumesnapshots.json.gz`."""
        spec: dict[str, Any] = {
            "backupName": backup_name,
            "backupUID": backup_uid,
            "location": self.location,
            "persistentVolumeName": self.pv_name,
            "providerVolumeID": self.volume_id,
            "volumeType": self.volume_type,
        }
        if self.volume_zone:
            spec["volumeAZ"] = self.volume_zone
        if self.volume_iops:
            spec["volumeIOPS"] = self.volume_iops
        status = {"providerSnapshotID": self.snapshot_id} if self.snapshot_id else {}
        return {"spec": spec, "status": {**status, "phase": self.phase}}

    def info_of(self, volume: VolumeInfo) -> VolumeInfo:
        """Complete a volume's entry by `nativeSnapshotInfo`."""
        info = {
            "snapshotHandle": self.snapshot_id,
            "volumeType": self.volume_type,
            "volumeAZ": self.volume_zone,
            "iops": str(self.volume_iops or 0),
            "Phase": self.phase,
        }
        return replace(
            volume,
            method="NativeSnapshot",
            started=self.started,
            is_complete=bool(self.snapshot_id),
            details={"nativeSnapshotInfo": info},
        )


@dataclass(frozen=True)
class CsiSnapshot:
    """One VolumeSnapshot as it ended; `error` is empty where it became ready."""

    namespace: str
    name: str
    content_name: str
    handle: str
    driver: str
    restore_bytes: int
    started: str
    completed: str
    error: str = ""

    @property
    def operation_id(self) -> str:
        """The name of Velero's asynchronous operation on it."""
        return f"{self.namespace}/{self.name}/{self.started}"

    def operation_document(self, *, backup_name: str, backup_uid: str) -> dict[str, Any]:
        """An entry of `<B>-itemoperations.json.gz`; the resource identifiers have no JSON tags in Velero."""
        snapshot = _identifier("volumesnapshots", namespace=self.namespace, name=self.name)
        content = _identifier("volumesnapshotcontents", namespace="", name=self.content_name)
        return {
            "spec": {
                "backupName": backup_name,
                "backupUID": backup_uid,
                "backupItemAction": _CSI_ACTION,
                "resourceIdentifier": snapshot,
                "operationID": self.operation_id,
                "postOperationItems": [snapshot, content],
            },
            "status": {
                "phase": "Failed" if self.error else "Completed",
                "error": self.error,
                "nCompleted": 0,
                "nTotal": 0,
                "operationUnits": "",
                "description": "",
                "created": self.started,
                "started": self.started,
                "updated": self.completed,
            },
        }

    def info_of(self, volume: VolumeInfo) -> VolumeInfo:
        """Complete a volume's entry by `csiSnapshotInfo`."""
        info = {
            "snapshotHandle": self.handle,
            "size": self.restore_bytes,
            "driver": self.driver,
            "vscName": self.content_name,
            "operationID": self.operation_id,
            "ReadyToUse": not self.error,
        }
        return replace(
            volume,
            method="CSISnapshot",
            started=self.started,
            completed=self.completed,
            is_complete=not self.error,
            keeps_local_snapshot=True,
            details={"csiSnapshotInfo": info},
        )


def volume_infos(infos: Sequence[VolumeInfo]) -> list[dict[str, Any]]:
    """`<B>-volumeinfo.json.gz`, in Velero's order: skipped volumes, native snapshots, CSI snapshots."""
    order = {"": 0, "NativeSnapshot": 1, "CSISnapshot": 2}
    return [info.to_document() for info in sorted(infos, key=lambda info: order[info.method])]


def _identifier(resource: str, *, namespace: str, name: str) -> dict[str, str]:
    return {"Group": _SNAPSHOT_GROUP, "Resource": resource, "Namespace": namespace, "Name": name}
