"""What a store says about one backup, whoever wrote it: gathered for people and programs to look at."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinnace.backup import resource_list, stored
from pinnace.backup.stored import Manifest, StoredResult
from pinnace.errors import BackupNotFoundError, MalformedObjectError
from pinnace.store.backup_store import BackupStore, backup_names
from pinnace.store.object_store import ObjectStore

__all__ = ["Description", "describe", "listed_items", "stored_backups"]


@dataclass(frozen=True)
class Description:
    """The Backup as it is stored, and what its companions say; None where one is not there."""

    backup: Mapping[str, Any]
    manifest: Manifest | None
    results: tuple[StoredResult, ...] | None
    kind_counts: Mapping[str, int] | None
    """Items by `apps/v1/Deployment`, as the resource list names them."""

    archive_bytes: int | None
    volume_infos: Sequence[Mapping[str, Any]] | None = None
    """What became of each volume; Velero has it since 1.13, and before that the native `volume_snapshots` alone."""

    volume_snapshots: Sequence[Mapping[str, Any]] | None = None
    item_operations: Sequence[Mapping[str, Any]] | None = None
    pod_volume_backups: Sequence[Mapping[str, Any]] | None = None


def describe(store: BackupStore) -> Description:
    """Read the small documents, and count the resource list; the archive is not read."""
    backup = stored.read_backup(store)
    results = stored.read_results(store)
    counts = Counter(kind for kind, _ in listed_items(store)) if store.has(store.keys.resource_list) else None
    return Description(
        backup=backup,
        manifest=stored.read_manifest(store),
        results=None if results is None else tuple(results),
        kind_counts=None if counts is None else dict(counts),
        archive_bytes=store.size(store.keys.archive) if store.has(store.keys.archive) else None,
        volume_infos=stored.read_entries(store, store.keys.volume_info),
        volume_snapshots=stored.read_entries(store, store.keys.volume_snapshots),
        item_operations=stored.read_entries(store, store.keys.item_operations),
        pod_volume_backups=stored.read_entries(store, store.keys.pod_volume_backups),
    )


def listed_items(store: BackupStore) -> Iterator[tuple[str, str]]:
    """Give kind (`apps/v1/Deployment`) and name (`ns/name`) of each item of the resource list, sorted, streamed."""
    if store.has(store.keys.resource_list):
        yield from resource_list.listed_names(resource_list.open_resource_list(store))


def stored_backups(store: ObjectStore) -> Iterator[Mapping[str, Any] | MalformedObjectError]:
    """Give each Backup of a store, or what is wrong with it: one that can't be read must not hide the others."""
    for name in backup_names(store):
        try:
            yield stored.read_backup(BackupStore(store, name))
        except BackupNotFoundError:
            continue  # deleted since the listing
        except MalformedObjectError as error:
            yield error
