"""What a native snapshotter is: a plug-in that takes snapshots of the volumes of one provider (velero.io/plugin).

Third parties name a factory, `def make(config: SnapshotterConfig) -> VolumeSnapshotter`, in the entry-point group
`pinnace.volume_snapshotters`; the entry point's name is the provider, as VolumeSnapshotLocations spell it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

__all__ = ["ENTRY_POINT_GROUP", "SnapshotterConfig", "VolumeKind", "VolumeSnapshotter"]

ENTRY_POINT_GROUP = "pinnace.volume_snapshotters"


@dataclass(frozen=True)
class SnapshotterConfig:
    """A VolumeSnapshotLocation: `config` of its spec, and a file with the value of the Secret it names, if any."""

    location_name: str
    config: Mapping[str, str] = field(default_factory=dict)
    credentials_file: Path | None = None


@dataclass(frozen=True)
class VolumeKind:
    """What a new volume must be told to become like the one that was snapshotted; `iops` None where it has none."""

    type: str
    iops: int | None = None


class VolumeSnapshotter(Protocol):
    """One location of one provider. Whatever goes wrong is raised, and is then an error of that volume."""

    def volume_id(self, volume: Mapping[str, Any]) -> str:
        """Give the provider's id of a PersistentVolume; "" for one that is not this provider's."""

    def volume_kind(self, volume_id: str, *, zone: str) -> VolumeKind:
        """Read what the volume is."""

    def create_snapshot(self, volume_id: str, *, zone: str, tags: Mapping[str, str]) -> str:
        """Begin a snapshot and give its id, without waiting for its data to be copied."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Remove one; one that is gone already is no error."""
