"""What became of a backup's volumes, gathered while it runs and written beside the archive at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pinnace.velero.encode import GzippedArray
from pinnace.velero.volume_documents import CsiSnapshot, NativeSnapshot, VolumeInfo

__all__ = ["VolumeOutcome"]


@dataclass
class VolumeOutcome:
    """About 1 kB for each volume that was looked at; whole items are kept only compressed."""

    native: list[NativeSnapshot] = field(default_factory=list)
    csi: list[CsiSnapshot] = field(default_factory=list)
    csi_attempted: int = 0
    snapshots: GzippedArray = field(default_factory=GzippedArray)
    contents: GzippedArray = field(default_factory=GzippedArray)
    classes: GzippedArray = field(default_factory=GzippedArray)
    _infos: dict[str, VolumeInfo] = field(default_factory=dict)

    def tell(self, info: VolumeInfo) -> None:
        """Keep what is said of a volume; a snapshot is said rather than that it was skipped."""
        key = info.pv_name or f"{info.pvc_namespace}/{info.pvc_name}"
        if info.method or key not in self._infos:
            self._infos[key] = info

    @property
    def infos(self) -> list[VolumeInfo]:
        """One for each volume."""
        return list(self._infos.values())

    def status_fields(self) -> Mapping[str, Any]:
        """The counts in the Backup's status; zero ones are left out as Go does."""
        failed = sum(bool(snapshot.error) for snapshot in self.csi)
        counts = {
            "volumeSnapshotsAttempted": len(self.native),
            "volumeSnapshotsCompleted": sum(bool(snapshot.snapshot_id) for snapshot in self.native),
            "csiVolumeSnapshotsAttempted": self.csi_attempted,
            "csiVolumeSnapshotsCompleted": len(self.csi) - failed,
            "backupItemOperationsAttempted": len(self.csi),
            "backupItemOperationsCompleted": len(self.csi) - failed,
            "backupItemOperationsFailed": failed,
        }
        return {name: count for name, count in counts.items() if count}
