"""Proves a stored backup: streams it once and compares every part with what the other parts say of it.

A backup of pinnace is compared with its index and manifest (`verify_own.py`); one that another tool wrote has neither,
and what can be proven of it is less (`verify_foreign.py`). The memory holds one item, and two numbers for each kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pinnace.archive.gzip_stream import GzipStream
from pinnace.backup import resource_list, stored
from pinnace.backup.resource_list import NameSum
from pinnace.backup.verify_foreign import ForeignBackup
from pinnace.backup.verify_own import OwnBackup
from pinnace.errors import ObjectNotFoundError, VerificationError
from pinnace.store.backup_store import BackupStore

__all__ = ["Verified", "VerifyObserver", "verify"]


class VerifyObserver(Protocol):
    """Told how far the archive is read."""

    def opened(self, *, archive_bytes: int) -> None:
        """Called once, with how much there is to read."""

    def read(self, *, chunk_bytes: int) -> None:
        """Called after each chunk of the archive."""


@dataclass(frozen=True)
class Verified:
    """What was proven of a backup that has no difference, and what nothing in the store could prove."""

    backup_name: str
    written_by: str
    item_count: int
    archive_bytes: int
    archive_sha256: str
    proven: tuple[str, ...]
    not_proven: tuple[str, ...]


def verify(store: BackupStore, *, observer: VerifyObserver | None = None) -> Verified:
    """Read all of a backup; VerificationError at the first difference, naming item or object."""
    document = stored.read_backup(store)
    manifest = stored.read_manifest(store)
    if manifest is None and store.has(store.keys.index):
        raise VerificationError(f"{store.location}: {store.keys.manifest} is missing, though there is an index")
    backup = OwnBackup(store, manifest) if manifest else ForeignBackup(store)
    try:
        archive = _open_archive(store, backup, observer)
        sums = backup.walk(archive)
        _compare_resource_list(store, backup, sums, has_errors=bool(document["status"].get("errors")))
        _compare_status(store, document["status"], item_count=_total(sums))
        backup.compare_objects()
    except ObjectNotFoundError as error:
        raise VerificationError(f"{store.location}: backup {store.backup_name} is not whole: {error}") from error
    return Verified(
        backup_name=store.backup_name,
        written_by=backup.written_by,
        item_count=_total(sums),
        archive_bytes=archive.compressed_bytes,
        archive_sha256=archive.sha256,
        proven=backup.proven,
        not_proven=backup.not_proven,
    )


def _total(sums: Mapping[str, NameSum]) -> int:
    return sum(names.count for names in sums.values())


def _open_archive(store: BackupStore, backup: OwnBackup | ForeignBackup, observer: VerifyObserver | None) -> GzipStream:
    chunks = backup.watched(store.chunks(store.keys.archive))
    if observer is not None:
        observer.opened(archive_bytes=store.size(store.keys.archive))
        chunks = _watched(chunks, observer)
    return GzipStream(chunks, location=store.location, key=store.keys.archive)


def _watched(chunks: Iterator[bytes], observer: VerifyObserver) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        observer.read(chunk_bytes=len(chunk))


def _compare_resource_list(
    store: BackupStore, backup: OwnBackup | ForeignBackup, sums: Mapping[str, NameSum], *, has_errors: bool
) -> None:
    """Compare kind by kind; where one differs, read the names of that kind again to name the item.

    The list of a backup with errors may name items that have no file: Velero registers an item before it can fail.
    """
    key = store.keys.resource_list
    listed = resource_list.name_sums(resource_list.listed_names(resource_list.open_resource_list(store)))
    for kind in sorted({*listed, *sums}):
        if listed.get(kind, NameSum()) == sums.get(kind, NameSum()):
            continue
        names = resource_list.listed_names(resource_list.open_resource_list(store))
        unlisted, absent = resource_list.first_differences(
            (name for listed_kind, name in names if listed_kind == kind), backup.names(kind)
        )
        if unlisted:
            raise VerificationError(f"{store.location}: {key} does not name {kind} {unlisted}, which is in the archive")
        if not has_errors:
            raise VerificationError(f"{store.location}: {kind} {absent} is in {key}, but not in the archive")


def _compare_status(store: BackupStore, status: Mapping[str, Any], *, item_count: int) -> None:
    """Compare the Backup's own counts with the items and the results.

    `progress` counts what was registered, so it may be more than there is where an item failed. Asynchronous
    operations raise the counts of errors after the results were written.
    """
    progress = status.get("progress") or {}
    registered = progress.get("itemsBackedUp", 0) if isinstance(progress, Mapping) else None
    at_most = not status.get("errors")
    if not isinstance(registered, int) or registered < item_count or (at_most and registered != item_count):
        raise VerificationError(
            f"{store.location}: {store.keys.metadata}: status.progress.itemsBackedUp is {registered}, "
            f"but the archive has {item_count} items"
        )
    results = stored.read_results(store)
    if results is None or status.get("backupItemOperationsAttempted"):
        return
    for field, severity in (("errors", "error"), ("warnings", "warning")):
        counted = sum(result.count for result in results if result.severity == severity)
        if status.get(field, 0) != counted:
            raise VerificationError(
                f"{store.location}: {store.keys.metadata}: status.{field} is {status.get(field, 0)}, "
                f"but {store.keys.results} has {counted}"
            )
