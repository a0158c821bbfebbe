"""What can be proven of a backup that Velero or another tool wrote: it has no index and no manifest."""

from collections.abc import Iterator
from typing import Any

import orjson

from pinnace.archive.gzip_stream import GzipStream
from pinnace.archive.item_path import VERSION_PATH, ItemPath, parse_path
from pinnace.archive.tar_stream import TarEntry, tar_entries
from pinnace.backup.resource_list import NameSum
from pinnace.errors import VerificationError
from pinnace.store.backup_store import BackupStore

__all__ = ["ForeignBackup"]


class ForeignBackup:
    """A backup with nothing but Velero's own objects."""

    written_by = "another tool"
    proven = (
        "every gzip member by its checksum, and the tar from metadata/version to its end",
        "every item is JSON of the name that its path says, and has two equal copies where its version is preferred",
        "the resource list names exactly the items of the archive, or besides these some that failed",
        "the counts of velero-backup.json, and every document that Velero reads",
    )
    not_proven = (
        "that archive and documents are as they were written: there is no SHA-256 of them (no manifest)",
        "that no item was left out of both archive and resource list (no counts for each kind)",
    )

    def __init__(self, store: BackupStore) -> None:
        self._store = store

    def watched(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Nothing says of which parts the archive is."""
        return chunks

    def walk(self, archive: GzipStream) -> dict[str, NameSum]:
        """Read the archive; the names of each kind, summed up."""
        sums: dict[str, NameSum] = {}
        for path, entry in self._items(archive):
            kind, name = _identity(archive, path, entry)
            sums.setdefault(kind, NameSum()).add(name)
        return sums

    def names(self, kind: str) -> Iterator[str]:
        """Name the items of one kind, as the resource list does; reads the archive again."""
        key = self._store.keys.archive
        archive = GzipStream(self._store.chunks(key), location=self._store.location, key=key)
        for path, entry in self._items(archive):
            item_kind, name = _identity(archive, path, entry)
            if item_kind == kind:
                yield name

    def compare_objects(self) -> None:
        """Parse the documents that Velero reads; some are not there in every version."""
        from pinnace.backup import stored

        keys = self._store.keys
        for key in (keys.pod_volume_backups, keys.volume_snapshots, keys.item_operations, keys.volume_info):
            if self._store.has(key) and not isinstance(stored.read_json(self._store, key), list | None):
                raise VerificationError(f"{self._store.location}: {key}: a list or null is wanted")
        if self._store.has(keys.log):
            log = GzipStream(self._store.chunks(keys.log), location=self._store.location, key=keys.log)
            for _ in log.pieces():
                pass

    def _items(self, archive: GzipStream) -> Iterator[tuple[ItemPath, TarEntry]]:
        """Give each item once; its copies follow each other, in either order (1.9 wrote the versioned one first)."""
        entries = tar_entries(archive)
        version = next(entries, None)
        if version is None or version.path != VERSION_PATH:
            archive.fail(f"its first entry is not {VERSION_PATH}")
        for entry in entries:
            path = parse_path(entry.path)
            if path is None:
                archive.fail(f"{entry.path} is no item's path")
            archive.ended_members.clear()
            if path.is_preferred:
                self._check_copy(path, entry, next(entries, None))
            yield path, entry

    def _check_copy(self, path: ItemPath, entry: TarEntry, copy: TarEntry | None) -> None:
        other = parse_path(copy.path) if copy else None
        is_pair = (
            other is not None
            and other.item_name == path.item_name
            and other.is_preferred
            and bool(other.version) != bool(path.version)
        )
        if copy is None or not is_pair or copy.body != entry.body:
            raise VerificationError(
                f"{self._store.location}: backup {self._store.backup_name}: {path.item_name}: its second copy is "
                f"missing after {entry.path}, or differs from the first"
            )


def _identity(archive: GzipStream, path: ItemPath, entry: TarEntry) -> tuple[str, str]:
    """Parse an item; its kind and name as the resource list has them."""
    try:
        item: Any = orjson.loads(entry.body)
        metadata = item["metadata"]
        namespace, name = metadata.get("namespace") or "", metadata["name"]
        kind = f"{item['apiVersion']}/{item['kind']}"
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        archive.fail(f"{entry.path} is no item: {error!r}", cause=error)
    if (namespace, name) != (path.namespace, path.name):
        archive.fail(f"{entry.path} holds an item of another name: {namespace}/{name}")
    return kind, f"{namespace}/{name}" if namespace else name
