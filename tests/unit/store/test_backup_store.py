"""What the bucket says of one Backup, which is found by its uid and not by its name."""

from pathlib import Path
from typing import Any

import pytest

from pinnace.errors import ObjectLockedError, StoreError
from pinnace.store.backup_store import BackupStore, backup_names
from pinnace.store.filesystem import FilesystemStore


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        (None, None),
        (b'{"metadata": {"uid": "ours"}, "status": {"phase": "Completed"}}', {"phase": "Completed"}),
        (b'{"metadata": {"uid": "another"}, "status": {"phase": "Completed"}}', None),
        (b'{"metadata": {}, "status": {"phase": "Completed"}}', None),
        (b"[]", None),
        (b"no JSON", None),
    ],
)
def test_only_the_backup_of_the_uid_counts_as_committed(
    tmp_path: Path, metadata: bytes | None, status: dict[str, Any] | None
) -> None:
    store = BackupStore(FilesystemStore(tmp_path), "nightly")
    if metadata is not None:
        store.commit_metadata(metadata)
    assert store.committed_status(uid="ours") == status


class CountingStore(FilesystemStore):
    """A folder that fails after so many deletes, or whose objects are locked, as a bucket may be."""

    def __init__(self, root: Path, *, deletes: int = 1000, locked: str = "") -> None:
        super().__init__(root)
        self.deleted: list[str] = []
        self._deletes = deletes
        self._locked = locked

    def delete(self, key: str) -> None:
        if len(self.deleted) == self._deletes:
            raise StoreError(location=self.location, action=f"delete {key}", reason="interrupted")
        self.deleted.append(key)
        super().delete(key)

    def check_unlocked(self, key: str) -> None:
        if key == self._locked:
            raise ObjectLockedError(location=self.location, action=f"delete {key}", reason="it is protected")


def fill(store: CountingStore) -> BackupStore:
    backup, other = BackupStore(store, "nightly"), BackupStore(store, "nightly-2")
    for each in (backup, other):
        for key in each.keys.all():
            each.put(key, b"x")
    store.open_writer(backup.keys.index).write(b"never committed")
    return backup


def test_the_metadata_is_removed_first_and_everything_else_after_it(tmp_path: Path) -> None:
    store = CountingStore(tmp_path)
    backup = fill(store)
    assert backup.has_objects()
    assert backup.remove() == len(backup.keys.all())
    assert (store.deleted[0], set(store.deleted)) == (backup.keys.metadata, set(backup.keys.all()))
    assert not backup.has_objects()
    assert list(backup_names(store)) == ["nightly-2"]


@pytest.mark.parametrize("deletes", range(11))
def test_what_an_interruption_leaves_is_no_backup_and_is_removed_by_the_next(tmp_path: Path, deletes: int) -> None:
    backup = fill(CountingStore(tmp_path, deletes=deletes))
    with pytest.raises(StoreError, match="interrupted"):
        backup.remove()
    assert "nightly" not in backup_names(FilesystemStore(tmp_path)) or deletes == 0
    again = BackupStore(FilesystemStore(tmp_path), "nightly")
    again.remove()
    assert not again.has_objects()


def test_where_one_object_is_locked_nothing_is_removed(tmp_path: Path) -> None:
    store = CountingStore(tmp_path, locked="backups/nightly/nightly.tar.gz")
    backup = fill(store)
    for act in (backup.check_unlocked, backup.remove):
        with pytest.raises(ObjectLockedError):
            act()
    assert store.deleted == []


def test_a_folder_has_no_urls(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"presign k: a folder has no URLs; read it here"):
        FilesystemStore(tmp_path).presigned_get("k", expires_seconds=1)
