"""Native snapshots of a backup's PersistentVolumes: the first location whose snapshotter knows a volume takes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pinnace.errors import VolumeError
from pinnace.velero.backup import Backup
from pinnace.velero.volume_documents import NativeSnapshot
from pinnace.velero.volume_facts import volume_zone
from pinnace.volumes.snapshotter import VolumeSnapshotter

__all__ = ["NativeSnapshots", "told"]

Answer = TypeVar("Answer")


class NativeSnapshots:
    """Takes them, and remembers them for the files beside the archive and for the case that the run fails."""

    def __init__(
        self, backup: Backup, snapshotters: Sequence[tuple[str, VolumeSnapshotter]], *, now: Callable[[], str]
    ) -> None:
        """`snapshotters` are locations by name, in the order of the Backup's spec; `now` is RFC3339."""
        self._backup = backup
        self._snapshotters = snapshotters
        self._now = now
        self._taken: list[tuple[NativeSnapshot, VolumeSnapshotter]] = []

    def __bool__(self) -> bool:
        return bool(self._snapshotters)

    @property
    def snapshots(self) -> Sequence[NativeSnapshot]:
        """Every one that was tried, those that failed too."""
        return [snapshot for snapshot, _ in self._taken]

    def take(self, volume: Mapping[str, Any]) -> NativeSnapshot | None:
        """Take the snapshot of one PersistentVolume; None where no location knows it.

        VolumeError where it could not be taken; it then counts as one that failed.
        """
        found = self._find(volume)
        if found is None:
            return None
        location, snapshotter, volume_id = found
        name, zone = str(volume["metadata"]["name"]), volume_zone(volume)
        snapshot = NativeSnapshot(
            location=location, pv_name=name, volume_id=volume_id, volume_zone=zone, started=self._now()
        )
        try:
            kind = told(snapshotter.volume_kind, volume_id, zone=zone)
            snapshot = replace(snapshot, volume_type=kind.type, volume_iops=kind.iops)
            tags = self._tags(volume_name=name)
            made = told(snapshotter.create_snapshot, volume_id, zone=zone, tags=tags)
            snapshot = replace(snapshot, snapshot_id=made)
        finally:
            self._taken.append((snapshot, snapshotter))
        return snapshot

    def discard_all(self) -> list[str]:
        """Remove what was taken, because the backup failed; sentences about what could not be removed."""
        sentences = []
        for snapshot, snapshotter in self._taken:
            try:
                if snapshot.snapshot_id:
                    told(snapshotter.delete_snapshot, snapshot.snapshot_id)
            except VolumeError as error:
                sentences.append(f"snapshot {snapshot.snapshot_id} of PersistentVolume {snapshot.pv_name}: {error}")
        return sentences

    def _find(self, volume: Mapping[str, Any]) -> tuple[str, VolumeSnapshotter, str] | None:
        for location, snapshotter in self._snapshotters:
            if volume_id := told(snapshotter.volume_id, volume):
                return location, snapshotter, volume_id
        return None

    def _tags(self, *, volume_name: str) -> dict[str, str]:
        """The Backup's labels, and Velero's two by which the snapshot is found."""
        return {**self._backup.labels, "velero.io/backup": self._backup.name, "velero.io/pv": volume_name}


def told(call: Callable[..., Answer], *arguments: Any, **keywords: Any) -> Answer:
    """Call a plug-in, and turn whatever it raises into a VolumeError; anything may go wrong in code of others."""
    try:
        return call(*arguments, **keywords)
    except VolumeError:
        raise
    except Exception as error:
        raise VolumeError(reason=repr(error)) from error
