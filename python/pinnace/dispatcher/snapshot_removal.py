"""Removes the snapshots of a backup that is deleted: native ones itself, those of CSI by asking their drivers."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.stored_snapshots import StoredSnapshots
from pinnace.errors import KubeError, VolumeError
from pinnace.kube.client import Client
from pinnace.store.backup_store import BackupStore
from pinnace.velero.kept_snapshots import NativeSnapshotKept
from pinnace.volumes.csi_removal import CsiRemoval
from pinnace.volumes.locations import VolumeLocations
from pinnace.volumes.native import told
from pinnace.volumes.snapshotter import VolumeSnapshotter

__all__ = ["Removal", "SnapshotRemoval"]

_MOST_SENTENCES = 100
"""A request is an object of the API server, which takes 1.5 MB; the others are counted."""

_FORBIDDEN, _NOT_FOUND = 403, 404
_PASSING = frozenset({401, 408, 409, 410, 429})
"""Refusals that another attempt may not meet."""

_log = logging.getLogger(__name__)


@dataclass
class Removal:
    """What came of asking: native snapshots that are gone, CSI snapshots that drivers delete now, and what failed.

    `released_count` are objects of the cluster that stood for snapshots, and go now.
    """

    native_count: int = 0
    csi_count: int = 0
    released_count: int = 0
    sentences: list[str] = field(default_factory=list)
    failed_count: int = 0

    def fail(self, what: object, error: object) -> None:
        """Note one that could not be removed."""
        self.failed_count += 1
        if self.failed_count <= _MOST_SENTENCES:
            self.sentences.append(f"{what}: {error}")

    @property
    def errors(self) -> Sequence[str]:
        """A sentence for each snapshot that is left; of very many, the first ones and how many more there are."""
        more = self.failed_count - len(self.sentences)
        return [*self.sentences, *([f"and {more} more snapshots could not be removed"] if more > 0 else [])]

    @property
    def must_be_awaited(self) -> bool:
        """Whether drivers have something to do."""
        return bool(self.csi_count or self.released_count)

    @property
    def told(self) -> str:
        """What was done, for people; "" where there was nothing to do."""
        done = [f"removed {self.native_count} native snapshots"] if self.native_count else []
        done += [f"asked drivers to delete {self.csi_count} CSI snapshots"] if self.csi_count else []
        return " and ".join(done)


class SnapshotRemoval:
    """Removes what lies outside of the bucket's prefix; it may be asked again for what is gone already."""

    def __init__(self, client: Client, *, namespace: str, locations: Locations) -> None:
        self._client = client
        self._namespace = namespace
        self._locations = locations

    def remove(self, store: BackupStore, *, location_name: str, backup_uid: str) -> Removal:
        """Remove native snapshots, and have drivers delete theirs, without waiting for them.

        `location_name` is the BackupStorageLocation, whose credentials are those of VolumeSnapshotLocations without
        any. Where something only a Velero server can remove nothing is. StoreError, MalformedObjectError; KubeError
        where the API server is away: it is then asked again.
        """
        stored = StoredSnapshots(store)
        removal = Removal(sentences=stored.in_repositories())
        removal.failed_count = len(removal.sentences)
        if removal.sentences:
            return removal
        self._remove_native(stored, removal, location_name=location_name)
        self._remove_csi(stored, removal, csi=self._csi(store.backup_name, backup_uid))
        return removal

    def left(self, *, backup_name: str, backup_uid: str) -> list[str]:
        """Sentences about CSI snapshots that drivers have not deleted yet; KubeError."""
        return self._csi(backup_name, backup_uid).left()

    def _csi(self, backup_name: str, backup_uid: str) -> CsiRemoval:
        return CsiRemoval(self._client, backup_name=backup_name, backup_uid=backup_uid)

    def _remove_native(self, stored: StoredSnapshots, removal: Removal, *, location_name: str) -> None:
        opened: dict[str, VolumeSnapshotter | VolumeError] = {}
        credentials_file = self._locations.credentials_file(location_name)
        with VolumeLocations(self._client, namespace=self._namespace, credentials_file=credentials_file) as locations:
            for snapshot in stored.native():
                if snapshot.location not in opened:
                    opened[snapshot.location] = _open(locations, snapshot.location)
                _delete_native(opened[snapshot.location], snapshot, removal)

    def _remove_csi(self, stored: StoredSnapshots, removal: Removal, *, csi: CsiRemoval) -> None:
        """Ask for each; after a refusal that would come again for each, they are only named."""
        asked: set[tuple[str, str]] = set()
        refused = ""
        for snapshot in stored.csi():
            try:
                if not refused:
                    csi.delete(snapshot)
                    asked.add(snapshot.key)
                    removal.csi_count += 1
            except KubeError as error:
                refused = _refusal_of_all(error)
                if not refused:
                    removal.fail(snapshot, error.reason)
            if refused:
                removal.fail(snapshot, refused)
        try:
            if not refused:
                removal.released_count = csi.release(asked)
        except KubeError as error:
            self._go_on_without(error, removal, was_needed=bool(asked))

    def _go_on_without(self, error: KubeError, removal: Removal, *, was_needed: bool) -> None:
        """Only a run that died leaves objects here; a cluster that never took snapshots has not even their kinds."""
        reason = _refusal_of_all(error) or error.reason
        if was_needed:
            removal.fail("VolumeSnapshots of the backup", reason)
        elif error.status != _NOT_FOUND:
            _log.info("VolumeSnapshots of an unfinished run were not looked for: %s", reason)


def _open(locations: VolumeLocations, name: str) -> VolumeSnapshotter | VolumeError:
    try:
        return locations.open(name)
    except VolumeError as error:
        return error
    except KubeError as error:
        _raise_if_passing(error)
        return VolumeError(reason=str(error))


def _delete_native(
    snapshotter: VolumeSnapshotter | VolumeError, snapshot: NativeSnapshotKept, removal: Removal
) -> None:
    if isinstance(snapshotter, VolumeError):
        removal.fail(snapshot, snapshotter)
        return
    try:
        told(snapshotter.delete_snapshot, snapshot.snapshot_id)
    except VolumeError as error:
        removal.fail(snapshot, error)
    else:
        removal.native_count += 1


def _refusal_of_all(error: KubeError) -> str:
    """Say what holds for every snapshot, with the fix; "" for what is about one of them. What may pass is raised."""
    _raise_if_passing(error)
    if error.status == _FORBIDDEN:
        return f"{error.reason}; apply k8s/base/snapshot-rights.yaml, which csi-snapshots-off leaves out"
    if error.status == _NOT_FOUND:
        return (
            "this cluster has no VolumeSnapshotContents of snapshot.storage.k8s.io/v1; install the kinds, their "
            "controller and the driver, or delete the backup in the cluster that has them"
        )
    return ""


def _raise_if_passing(error: KubeError) -> None:
    if not 400 <= error.status < 500 or error.status in _PASSING:
        raise error
