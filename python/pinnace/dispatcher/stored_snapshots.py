"""Reads from a bucket which snapshots a backup keeps, whoever wrote it; every list is a stream, and one entry is held.

Velero up to 1.16 and pinnace write lists of VolumeSnapshots and their contents beside the archive. Later Veleros do
not: there the contents are read from the archive, and only if its resource list names one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

import orjson

from pinnace.archive.contents import bodies
from pinnace.archive.gzip_stream import GzipStream
from pinnace.archive.json_array import stored_array
from pinnace.errors import MalformedObjectError
from pinnace.store.backup_store import BackupStore
from pinnace.velero.kept_snapshots import (
    CsiSnapshotKept,
    NativeSnapshotKept,
    kept_by_content,
    kept_by_info,
    kept_by_native_entry,
    kept_by_snapshot,
)

__all__ = ["StoredSnapshots"]

Kept = TypeVar("Kept")

_SNAPSHOTS = "volumesnapshots.snapshot.storage.k8s.io"
_CONTENTS = "volumesnapshotcontents.snapshot.storage.k8s.io"
_SNAPSHOT_KINDS = re.compile(rb'"snapshot\.storage\.k8s\.io/[^/"]+/VolumeSnapshot(?:Content)?":')
_LONGEST_KEY_BYTES = 512
"""Of a resource list: group, version and kind, each bounded by the API server."""


class StoredSnapshots:
    """Those of one backup; StoreError, and MalformedObjectError for what can't be read, since it may name some."""

    def __init__(self, store: BackupStore) -> None:
        self._store = store
        self._name = store.backup_name

    def in_repositories(self) -> list[str]:
        """Sentences about data that only a Velero server can remove: that of its file uploader and data mover."""
        pod_volumes = sum(1 for _ in stored_array(self._store, self._store.keys.pod_volume_backups))
        found = [f"{pod_volumes} pod volume backups"] if pod_volumes else []
        if moved := self._moved():
            found.append(f"{moved} that a data mover has copied")
        return [
            f"backup {self._name} has {what}, whose data is in a repository that only a Velero server can change; "
            "delete the backup with a Velero that uses this location"
            for what in found
        ]

    def native(self) -> Iterator[NativeSnapshotKept]:
        """Snapshots of providers, in the order of their list."""
        key = self._store.keys.volume_snapshots
        for entry in stored_array(self._store, key):
            if kept := self._read(key, kept_by_native_entry, entry):
                yield kept

    def csi(self) -> Iterator[CsiSnapshotKept]:
        """Snapshots of CSI drivers, each once; what names the Secret of a snapshot comes before what does not.

        About 200 bytes of each are held.
        """
        keys = self._store.keys
        is_listed = any(map(self._store.has, (keys.csi_volume_snapshot_contents, keys.csi_volume_snapshots)))
        contents = self._listed() if is_listed else self._archived()
        seen: set[tuple[str, str]] = set()
        for kept in chain(contents, self._infos()):
            if kept.key not in seen:
                seen.add(kept.key)
                yield kept

    def _moved(self) -> str:
        """Name the volumes whose data was moved; Velero 1.12 moves some and does not list what became of them.

        DataUploads in the archive prove nothing: a backup of Velero's own namespace has those of other backups.
        """
        key = self._store.keys.volume_info
        if self._store.has(key):
            count = sum(1 for info in stored_array(self._store, key) if info.get("snapshotDataMoved"))
            return f"{count} volumes" if count else ""
        return "volumes" if self._moves_data() else ""

    def _moves_data(self) -> bool:
        key = self._store.keys.metadata
        if not self._store.has(key):
            return False
        try:
            return bool((orjson.loads(self._store.read(key)).get("spec") or {}).get("snapshotMoveData"))
        except (ValueError, AttributeError) as error:
            raise MalformedObjectError(
                location=self._store.location, key=key, reason=f"it is no Backup: {error}"
            ) from error

    def _listed(self) -> Iterator[CsiSnapshotKept]:
        keys = self._store.keys
        for content in stored_array(self._store, keys.csi_volume_snapshot_contents):
            if kept := self._read(keys.csi_volume_snapshot_contents, self._of_listed_content, content):
                yield kept
        for snapshot in stored_array(self._store, keys.csi_volume_snapshots):
            if kept := self._read(keys.csi_volume_snapshots, self._of_snapshot, snapshot):
                yield kept

    def _archived(self) -> Iterator[CsiSnapshotKept]:
        """Read the archive where it has items of the kinds; VolumeSnapshots wait for the contents, which say more."""
        key = self._store.keys.archive
        if not self._may_have_snapshots() or not self._store.has(key):
            return
        snapshots: list[CsiSnapshotKept] = []
        for group_resource, body in bodies(self._store, (_CONTENTS, _SNAPSHOTS)):
            try:
                item = orjson.loads(body)
            except ValueError as error:
                reason = f"an item of {group_resource} is no JSON: {error}"
                raise MalformedObjectError(location=self._store.location, key=key, reason=reason) from error
            if group_resource == _SNAPSHOTS:
                snapshots += filter(None, [self._read(key, self._of_snapshot, item)])
            elif kept := self._read(key, self._of_content, item):
                yield kept
        yield from snapshots

    def _infos(self) -> Iterator[CsiSnapshotKept]:
        key = self._store.keys.volume_info
        for info in stored_array(self._store, key):
            if kept := self._read(key, kept_by_info, info):
                yield kept

    def _of_content(self, content: Mapping[str, Any]) -> CsiSnapshotKept | None:
        return kept_by_content(content, backup_name=self._name)

    def _of_listed_content(self, content: Mapping[str, Any]) -> CsiSnapshotKept | None:
        return kept_by_content(content, backup_name=self._name, needs_label=False)

    def _of_snapshot(self, snapshot: Mapping[str, Any]) -> CsiSnapshotKept | None:
        return kept_by_snapshot(snapshot, backup_name=self._name)

    def _read(self, key: str, read: Callable[[Mapping[str, Any]], Kept | None], entry: Any) -> Kept | None:
        try:
            return read(entry)
        except (AttributeError, TypeError) as error:
            reason = f"an entry is no object of its kind: {error}"
            raise MalformedObjectError(location=self._store.location, key=key, reason=reason) from error

    def _may_have_snapshots(self) -> bool:
        """Whether the archive has such items, by the resource list; where there is none, it may."""
        key = self._store.keys.resource_list
        if not self._store.has(key):
            return True
        tail = b""
        for piece in GzipStream(self._store.chunks(key), location=self._store.location, key=key).pieces():
            if _SNAPSHOT_KINDS.search(tail + piece):
                return True
            tail = piece[-_LONGEST_KEY_BYTES:]
        return False
