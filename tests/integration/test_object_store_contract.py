"""What every store promises, over a folder and over a real S3 server."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.s3_fixtures import new_bucket
from integration.s3_server import SeaweedServer
from pinnace.errors import BackupExistsError, ObjectExistsError, ObjectNotFoundError, StoreError
from pinnace.store.backup_store import BackupStore, backup_names
from pinnace.store.object_store import ObjectStore
from pinnace.store.open import open_store

_LARGE = b"".join(hashlib.sha256(bytes([number % 251])).digest() * 1024 for number in range(640))
"""20 MiB: three parts of an upload."""


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(f"file://{tmp_path}")
    request.getfixturevalue("credentials")
    server: SeaweedServer = request.getfixturevalue("s3_server")
    return open_store(server.store_url(new_bucket(server), "clusters/prod"))


def test_what_is_put_is_read_whole_and_by_range(store: ObjectStore) -> None:
    store.put("backups/b/x", b"0123456789")
    assert store.get("backups/b/x") == b"0123456789"
    assert store.get("backups/b/x", offset=3, length=4) == b"3456"
    assert b"".join(store.chunks("backups/b/x", chunk_bytes=3)) == b"0123456789"
    assert store.size("backups/b/x") == 10


def test_a_large_object_appears_at_commit_and_not_before(store: ObjectStore) -> None:
    with store.open_writer("backups/b/large") as writer:
        for start in range(0, len(_LARGE), 700_001):
            writer.write(_LARGE[start : start + 700_001])
        assert not store.exists("backups/b/large")
        assert [upload.key for upload in store.uploads("backups/b/")] == ["backups/b/large"]
        writer.commit()
    assert b"".join(store.chunks("backups/b/large")) == _LARGE
    assert list(store.uploads("backups/b/")) == []
    assert writer.bytes_written == len(_LARGE)


@pytest.mark.parametrize("body", [b"small", _LARGE], ids=["small", "large"])
def test_a_writer_that_is_left_without_commit_leaves_nothing(store: ObjectStore, body: bytes) -> None:
    def interrupted() -> None:
        with store.open_writer("backups/b/x") as writer:
            writer.write(body)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not store.exists("backups/b/x")
    assert list(store.uploads("backups/b/")) == []
    assert list(store.list_keys("backups/b/")) == []


def test_an_upload_that_was_left_behind_is_listed_and_can_be_aborted(store: ObjectStore) -> None:
    writer = store.open_writer("backups/b/x")
    writer.write(_LARGE)
    (left,) = store.uploads("backups/b/")
    store.abort_upload(left)
    store.abort_upload(left)
    assert list(store.uploads("backups/b/")) == []


def test_create_only_never_replaces(store: ObjectStore) -> None:
    store.put("backups/b/x", b"first", create_only=True)
    with pytest.raises(ObjectExistsError):
        store.put("backups/b/x", b"second", create_only=True)
    assert store.get("backups/b/x") == b"first"


def test_what_is_not_there_is_said(store: ObjectStore) -> None:
    for read in (store.get, store.size, lambda key: next(store.chunks(key))):
        call: Callable[[str], object] = read
        with pytest.raises(ObjectNotFoundError):
            call("backups/b/none")
    assert not store.exists("backups/b/none")
    store.delete("backups/b/none")


def test_listings_stop_at_the_directory(store: ObjectStore) -> None:
    for key in ("backups/a/1", "backups/a/2", "backups/ab/1", "restores/r/1"):
        store.put(key, b"")
    assert list(store.list_directories("")) == ["backups", "restores"]
    assert list(store.list_directories("backups/")) == ["a", "ab"]
    assert sorted(info.key for info in store.list_keys("backups/a/")) == ["backups/a/1", "backups/a/2"]
    store.validate()


def test_a_foreign_directory_is_refused_in_veleros_words(store: ObjectStore) -> None:
    store.put("tmp/x", b"")
    with pytest.raises(StoreError, match=r"Backup store contains invalid top-level directories: \[tmp\]"):
        store.validate()


def test_a_backup_is_visible_only_with_its_metadata_and_only_once(store: ObjectStore) -> None:
    backup = BackupStore(store, "one")
    with backup.open(backup.keys.archive) as writer:
        writer.write(b"archive")
        writer.commit()
    assert list(backup_names(store)) == []
    assert backup.clear_leftovers().objects == 1
    backup.put(backup.keys.log, b"log")
    assert backup.commit_metadata(b"{}") == ""
    assert list(backup_names(store)) == ["one"]
    for call in (backup.check_absent, backup.clear_leftovers, lambda: backup.commit_metadata(b"[]")):
        again: Callable[[], object] = call
        with pytest.raises(BackupExistsError):
            again()
    assert backup.read_metadata() == b"{}"
