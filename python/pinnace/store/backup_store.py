"""One backup in a store: its objects, in an order in which the metadata comes last and nothing is half visible."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from pinnace.errors import (
    BackupExistsError,
    BackupNotFoundError,
    ConditionUnsupportedError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreError,
)
from pinnace.store.object_store import ObjectInfo, ObjectStore, ObjectWriter, StretchPlace, StretchWriter
from pinnace.velero.object_store_layout import BackupKeys

__all__ = ["BackupStore", "Leftovers", "backup_names"]

_SIDE_BUDGET_BYTES = 16 << 20


@dataclass(frozen=True)
class Leftovers:
    """What an earlier run of the same name left, and what was removed."""

    objects: int
    uploads: int


def backup_names(store: ObjectStore) -> Iterator[str]:
    """Name the backups of a store that are complete, sorted."""
    for name in store.list_directories("backups/"):
        if store.exists(BackupKeys(name).metadata):
            yield name


class BackupStore:
    """Writes and reads the objects of one backup."""

    def __init__(self, store: ObjectStore, backup_name: str) -> None:
        self._store = store
        self.backup_name = backup_name
        self.keys = BackupKeys(backup_name)

    @property
    def location(self) -> str:
        """What sentences call the store."""
        return self._store.location

    def check_absent(self) -> None:
        """Refuse a name that is taken; BackupExistsError."""
        if self._store.exists(self.keys.metadata):
            raise BackupExistsError(location=self.location, backup_name=self.backup_name)

    def clear_leftovers(self, *, keep_log: bool = False) -> Leftovers:
        """Remove what a killed run of this name left; only its own, and only while no metadata is there."""
        self.check_absent()
        keys = [found.key for found in self._store.list_keys(self.keys.prefix)]
        if keep_log:
            keys = [key for key in keys if key != self.keys.log]
        # Uploads first: an attempt that lives on without its node can then add nothing to what is removed next.
        upload_count = self._abort_uploads(self.keys.prefix)
        for key in keys:
            self._store.delete(key)
        if any(key.startswith(self.keys.shards) for key in keys):
            # A pod that finds its order gone removes what it writes from then on; what it wrote before is found now.
            self.remove_unfinished_below(self.keys.shards)
        return Leftovers(len(keys), upload_count)

    def _abort_uploads(self, prefix: str) -> int:
        uploads = list(self._store.uploads(prefix))
        for upload in uploads:
            self._store.abort_upload(upload)
        return len(uploads)

    def has_objects(self) -> bool:
        """Tell whether anything is there of the backup, finished or not."""
        return any(True for _ in self._store.list_keys(self.keys.prefix)) or any(
            True for _ in self._store.uploads(self.keys.prefix)
        )

    def check_unlocked(self) -> None:
        """Refuse a backup of which an object may not be removed yet; ObjectLockedError."""
        for found in self._store.list_keys(self.keys.prefix):
            self._store.check_unlocked(found.key)

    def remove(self) -> int:
        """Remove the whole backup, its metadata first, so that what is half removed is never taken for a backup.

        Gives the number of objects. ObjectLockedError where one is protected, and then nothing was removed; StoreError
        for the first that can't be removed. What is left then is removed by calling it again.
        """
        keys = sorted((found.key for found in self._store.list_keys(self.keys.prefix)), key=self._removed_as)
        for key in keys:
            self._store.check_unlocked(key)
        for key in keys:
            self._store.delete(key)
        self._abort_uploads(self.keys.prefix)
        return len(keys)

    def _removed_as(self, key: str) -> tuple[bool, str]:
        return key != self.keys.metadata, key

    def open(self, key: str) -> ObjectWriter:
        """Begin a large object; the archive replaces none, so that of two runs of one name one ends there."""
        if key == self.keys.archive:
            return self._store.open_writer(key, create_only=True)
        # An index is a tenth of its archive, and a resource list less: two parts are as fast as they come.
        return self._store.open_writer(key, budget_bytes=_SIDE_BUDGET_BYTES)

    def open_stretch(self, place: StretchPlace) -> StretchWriter:
        """Begin a stretch of the archive."""
        return self._store.open_stretch(self.keys.archive, place)

    def shard_key(self, key: str, place: StretchPlace) -> str:
        """Name the part of an index or log that a shard writes, and the run takes away again."""
        return place.beside(key, f"shard-{place.number}")

    def unfinished_chunks(self, key: str) -> Iterator[bytes]:
        """Read an object of a backup that is being made."""
        return self._store.chunks(key)

    def read_unfinished(self, key: str) -> bytes | None:
        """Read a small object of a backup that is being made; None where it is not there."""
        try:
            return self._store.get(key)
        except ObjectNotFoundError:
            return None

    def list_unfinished(self, folder: str) -> Iterator[ObjectInfo]:
        """List the objects below a directory of a backup that is being made."""
        return self._store.list_keys(folder)

    def put_first(self, key: str, body: bytes) -> None:
        """Store a small object unless somebody else has stored one of that key; then that one stays."""
        try:
            self._store.put(key, body, create_only=True)
        except ObjectExistsError:
            return
        except ConditionUnsupportedError:
            self._store.put(key, body)

    def remove_unfinished(self, key: str) -> None:
        """Remove an object of a backup that is being made."""
        self._store.delete(key)

    def remove_unfinished_below(self, folder: str) -> None:
        """Remove everything below a directory of a backup that is being made, uploads first."""
        self._abort_uploads(folder)
        for key in [found.key for found in self._store.list_keys(folder)]:
            self._store.delete(key)

    def abort_shard_uploads(self, place: StretchPlace) -> None:
        """Abort what a shard that died was writing, but not the archive, of which it wrote a stretch only."""
        keys = {self.shard_key(key, place) for key in (self.keys.index, self.keys.log)}
        for upload in list(self._store.uploads(self.keys.prefix)):
            if upload.key in keys:
                self._store.abort_upload(upload)

    def put(self, key: str, body: bytes) -> None:
        """Store a small object."""
        self._store.put(key, body)

    def commit_metadata(self, body: bytes) -> str:
        """Make the backup visible, last of all; BackupExistsError if another run was first. Gives a warning or ""."""
        try:
            self._store.put(self.keys.metadata, body, create_only=True)
        except ObjectExistsError as error:
            raise BackupExistsError(location=self.location, backup_name=self.backup_name) from error
        except ConditionUnsupportedError:
            self.check_absent()
            self._store.put(self.keys.metadata, body)
            return f"{self.location} has no conditional create: two runs of one name at once would not be noticed"
        return ""

    def has_log(self) -> bool:
        """Tell whether the run has left its log."""
        return self._store.exists(self.keys.log)

    def discard(self, *, keep_log: bool = False) -> list[str]:
        """Remove all of an unfinished backup; sentences about what could not be removed."""
        try:
            self.clear_leftovers(keep_log=keep_log)
        except (StoreError, BackupExistsError) as error:
            return [str(error)]
        return []

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Read an object or a range of it; BackupNotFoundError where the backup is not there."""
        try:
            return self._store.get(key, offset=offset, length=length)
        except ObjectNotFoundError as error:
            if self._store.exists(self.keys.metadata):
                raise
            raise BackupNotFoundError(location=self.location, backup_name=self.backup_name) from error

    def chunks(self, key: str) -> Iterator[bytes]:
        """Read an object of any size in pieces, also of a run that failed; what is not there raises as in `read`."""
        try:
            yield from self._store.chunks(key)
        except ObjectNotFoundError as error:
            if self._store.exists(self.keys.metadata):
                raise
            raise BackupNotFoundError(location=self.location, backup_name=self.backup_name) from error

    def has(self, key: str) -> bool:
        """Tell whether there is an object of that key; backups of other tools and versions lack some."""
        return self._store.exists(key)

    def size(self, key: str) -> int:
        """Tell an object's length."""
        return self._store.size(key)

    def read_metadata(self) -> bytes:
        """Read `velero-backup.json`."""
        return self.read(self.keys.metadata)

    def committed_status(self, *, uid: str) -> dict[str, Any] | None:
        """Give the status in the bucket if the Backup of this uid was committed; the metadata comes last: it is whole.

        None where nothing was, or where what is there is another's; StoreError where the bucket can't be asked.
        """
        try:
            document = orjson.loads(self.read_metadata())
            is_ours = document["metadata"]["uid"] == uid
        except (BackupNotFoundError, ValueError, KeyError, TypeError):
            return None
        status: dict[str, Any] = document.get("status") or {}
        return status if is_ours else None
