"""What every store promises (the docstrings of store.object_store), over a folder and over a real S3 server."""

import hashlib
import json
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration.s3_fixtures import new_prefix
from integration.s3_server import SeaweedServer
from pinnace.errors import BackupExistsError, ObjectExistsError, ObjectNotFoundError, StoreError
from pinnace.store.backup_store import BackupStore, backup_names
from pinnace.store.object_store import ObjectStore, StretchPlace
from pinnace.store.open import open_store

_MIB = 1 << 20
_LARGE = b"".join(hashlib.sha256(bytes([number % 251])).digest() * 1024 for number in range(640))
"""20 MiB: three parts of an upload."""

_ODD = "backups/b:1/system:node+a b%41é&=#?.json"


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(f"file://{tmp_path}")
    request.getfixturevalue("credentials")
    server: SeaweedServer = request.getfixturevalue("s3_server")
    return open_store(server.store_url(request.getfixturevalue("shared_bucket"), new_prefix()))


def test_what_is_put_is_read_whole_and_by_range(store: ObjectStore) -> None:
    store.put("backups/b/x", b"0123456789")
    assert store.get("backups/b/x") == b"0123456789"
    assert store.get("backups/b/x", offset=3, length=4) == b"3456"
    assert store.get("backups/b/x", offset=7) == b"789"
    assert b"".join(store.chunks("backups/b/x", chunk_bytes=3)) == b"0123456789"
    assert max(len(chunk) for chunk in store.chunks("backups/b/x", chunk_bytes=3)) == 3
    assert (store.size("backups/b/x"), store.exists("backups/b/x")) == (10, True)


def test_past_the_end_there_is_nothing(store: ObjectStore) -> None:
    store.put("backups/b/x", b"0123456789")
    wanted = [(8, 10), (10, 1), (99, None), (99, 5), (3, 0)]
    assert [store.get("backups/b/x", offset=offset, length=length) for offset, length in wanted] == [
        b"89", b"", b"", b"", b"",
    ]  # fmt: skip


def test_an_empty_object_is_one(store: ObjectStore) -> None:
    store.put("backups/b/x", b"")
    with store.open_writer("backups/b/y") as writer:
        writer.commit()
    for key in ("backups/b/x", "backups/b/y"):
        read = (store.get(key), store.get(key, offset=0, length=5), list(store.chunks(key)), store.size(key))
        assert read == (b"", b"", [], 0)


def test_put_replaces_unless_told_otherwise(store: ObjectStore) -> None:
    store.put("backups/b/x", b"first", create_only=True)
    with pytest.raises(ObjectExistsError):
        store.put("backups/b/x", b"first", create_only=True)
    assert store.get("backups/b/x") == b"first"
    store.put("backups/b/x", b"second")
    assert store.get("backups/b/x") == b"second"


def test_a_large_object_appears_at_commit_and_not_before(store: ObjectStore) -> None:
    with store.open_writer("backups/b/large") as writer:
        for start in range(0, len(_LARGE), 700_001):
            writer.write(_LARGE[start : start + 700_001])
        assert not store.exists("backups/b/large")
        assert [info.key for info in store.list_keys("backups/b/")] == []
        assert [upload.key for upload in store.uploads("backups/b/")] == ["backups/b/large"]
        writer.commit()
    assert b"".join(store.chunks("backups/b/large")) == _LARGE
    assert list(store.uploads("backups/b/")) == []
    assert writer.bytes_written == len(_LARGE)


def test_a_writer_takes_nothing_after_its_end_and_aborts_only_what_is_not_committed(store: ObjectStore) -> None:
    committed = store.open_writer("backups/b/x")
    committed.write(b"x")
    committed.commit()
    committed.abort()
    aborted = store.open_writer("backups/b/y")
    aborted.abort()
    aborted.abort()
    calls: tuple[Callable[[], object], ...] = (
        lambda: committed.write(b"y"),
        committed.commit,
        lambda: aborted.write(b"y"),
        aborted.commit,
    )
    for call in calls:
        with pytest.raises(ValueError, match="committed or aborted"):
            call()
    assert (store.get("backups/b/x"), store.exists("backups/b/y")) == (b"x", False)


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
    for key in ("backups/b/x", "backups/bc/x"):
        store.open_writer(key).write(_LARGE)
    (left,) = store.uploads("backups/b/")
    assert left.key == "backups/b/x"
    assert abs(datetime.now(UTC) - left.started) < timedelta(hours=1)
    assert sorted(upload.key for upload in store.uploads("backups/")) == ["backups/b/x", "backups/bc/x"]
    store.abort_upload(left)
    store.abort_upload(left)
    assert [upload.key for upload in store.uploads("")] == ["backups/bc/x"]


def test_what_is_not_there_is_said(store: ObjectStore) -> None:
    store.put("backups/b/x", b"x")
    reads: tuple[Callable[[str], object], ...] = (
        store.get,
        store.size,
        lambda key: store.get(key, offset=3),
        lambda key: store.get(key, length=0),
        lambda key: list(store.chunks(key)),
    )
    for key in ("backups/b/none", "backups/b", "backups/b/x/y"):
        for read in reads:
            with pytest.raises(ObjectNotFoundError):
                read(key)
        assert not store.exists(key)
        store.delete(key)
    assert store.get("backups/b/x") == b"x"


def test_a_deleted_object_is_gone(store: ObjectStore) -> None:
    store.put("backups/b/x", b"x")
    store.put("backups/b/y", b"y")
    store.delete("backups/b/x")
    assert [info.key for info in store.list_keys("")] == ["backups/b/y"]
    assert not store.exists("backups/b/x")


def test_listings_stop_at_the_directory(store: ObjectStore) -> None:
    for key in ("backups/a/1", "backups/a/d/2", "backups/ab/1", "backups/a-b/1", "backups/file", "restores/r/1"):
        store.put(key, b"1")
    assert list(store.list_directories("")) == ["backups", "restores"]
    assert list(store.list_directories("backups/")) == ["a", "a-b", "ab"]
    assert list(store.list_directories("backups/none/")) == []
    assert sorted(info.key for info in store.list_keys("backups/a/")) == ["backups/a/1", "backups/a/d/2"]
    assert list(store.list_keys("backups/none/")) == []
    (info,) = store.list_keys("restores/")
    assert (info.size, abs(datetime.now(UTC) - info.modified) < timedelta(hours=1)) == (1, True)


def test_a_directory_without_an_object_is_none(store: ObjectStore) -> None:
    store.put("backups/a/x", b"x")
    writer = store.open_writer("backups/b/x")
    writer.write(_LARGE)
    assert list(store.list_directories("backups/")) == ["a"]
    writer.abort()
    assert list(store.list_directories("backups/")) == ["a"]


def test_a_prefix_that_is_no_directory_is_refused(store: ObjectStore) -> None:
    listings: tuple[Callable[[str], Iterable[object]], ...] = (store.list_keys, store.list_directories, store.uploads)
    for listing in listings:
        for prefix in ("backups/a", "/", "backups//", "../"):
            with pytest.raises(ValueError, match=r"a prefix ends with a slash|not an object key"):
                list(listing(prefix))


def test_a_key_that_would_leave_the_store_is_refused(store: ObjectStore) -> None:
    calls: tuple[Callable[[str], object], ...] = (
        store.get,
        store.size,
        store.exists,
        store.delete,
        store.open_writer,
        lambda key: list(store.chunks(key)),
        lambda key: store.put(key, b""),
    )
    for call in calls:
        for key in ("", "/x", "a//b", "a/../b", "a/", ".", "a\0b"):
            with pytest.raises(ValueError, match="not an object key"):
                call(key)


def test_a_key_of_odd_characters_is_the_same_in_every_verb(store: ObjectStore) -> None:
    store.put(_ODD, b"odd")
    assert (store.get(_ODD), store.get(_ODD, offset=1, length=1), store.size(_ODD)) == (b"odd", b"d", 3)
    assert [info.key for info in store.list_keys("backups/b:1/")] == [_ODD]
    assert list(store.list_directories("backups/")) == ["b:1"]
    writer = store.open_writer(_ODD)
    writer.write(_LARGE)
    assert [upload.key for upload in store.uploads("backups/b:1/")] == [_ODD]
    writer.commit()
    assert store.size(_ODD) == len(_LARGE)
    store.delete(_ODD)
    assert list(store.list_keys("")) == []


def test_a_store_that_is_ready_may_hold_veleros_directories_and_files_beside_them(store: ObjectStore) -> None:
    store.prepare()
    for key in ("backups/b/x", "restores/r/x", "kopia/ns/x", "note.txt"):
        store.put(key, b"")
    store.validate()
    store.prepare()


@pytest.mark.parametrize(
    ("directories", "listed"),
    [("tmp", "[tmp]"), ("x y", "[x y]"), ("d c b a", "4 invalid top-level directories: [a b c")],
)
def test_a_foreign_directory_is_refused_in_veleros_words(store: ObjectStore, directories: str, listed: str) -> None:
    for directory in directories.split():
        store.put(f"{directory}/x", b"")
    for check in (store.validate, store.prepare):
        with pytest.raises(StoreError) as refused:
            check()
        assert "Backup store contains " in str(refused.value)
        assert listed in str(refused.value)


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


@pytest.mark.parametrize("body", [b"small", _LARGE], ids=["small", "large"])
def test_of_two_writers_that_may_not_replace_the_first_to_commit_wins(store: ObjectStore, body: bytes) -> None:
    with (
        store.open_writer("backups/b/x", create_only=True) as first,
        store.open_writer("backups/b/x", create_only=True) as second,
    ):
        first.write(body)
        second.write(body[::-1])
        first.commit()
        with pytest.raises(ObjectExistsError):
            second.commit()
    assert store.get("backups/b/x") == body
    assert list(store.uploads("backups/b/")) == []


@pytest.mark.parametrize(
    "sizes",
    [
        (100, 200, 300, 400),
        (100, 40 * _MIB, 0, 3 * _MIB),
        (9 * _MIB, 7 * _MIB, 30 * _MIB, 17 * _MIB, 6 * _MIB),
        (8 * _MIB, 8 * _MIB, 16 * _MIB, 0),
        (3 * _MIB, 1, 33 * _MIB, 1, 20 * _MIB, 20 * _MIB),
    ],
)
def test_stretches_that_others_write_at_once_are_one_object(store: ObjectStore, sizes: tuple[int, ...]) -> None:
    """Of any size: S3 takes no part below 5 MiB but the last. The first and last are the object's own writer's."""
    first, *stretches, last = [_noise(size, seed=number) for number, size in enumerate(sizes)]
    with store.open_writer("backups/b/large", create_only=True) as writer:
        upload_id = writer.share(stretch_count=1 + len(stretches))
        places = [StretchPlace(upload_id, number, 1 + len(stretches)) for number in range(1, 1 + len(stretches))]
        made = [_stretch(store, place, body) for place, body in reversed([*zip(places, stretches, strict=True)])]
        writer.write(first)
        for stretch in json.loads(json.dumps(made[::-1])):
            writer.append(stretch)
        writer.write(last)
        assert not store.exists("backups/b/large")
        writer.commit()
    assert b"".join(store.chunks("backups/b/large")) == b"".join((first, *stretches, last))
    assert writer.bytes_written == store.size("backups/b/large")
    assert [info.key for info in store.list_keys("backups/b/")] == ["backups/b/large"], "what was beside it is gone"
    assert list(store.uploads("backups/b/")) == []


def test_a_stretch_that_is_written_again_replaces_what_was_written_of_it(store: ObjectStore) -> None:
    body = _noise(30 * _MIB, seed=1)
    with store.open_writer("backups/b/large") as writer:
        place = StretchPlace(writer.share(stretch_count=2), 1, 2)
        given_up = store.open_stretch("backups/b/large", place)
        given_up.write(_noise(25 * _MIB, seed=2))
        writer.append(_stretch(store, place, body))
        writer.commit()
    assert b"".join(store.chunks("backups/b/large")) == body


def test_an_object_that_is_given_up_takes_its_stretches_with_it(store: ObjectStore) -> None:
    backup = BackupStore(store, "b")
    with store.open_writer(backup.keys.archive) as writer:
        place = StretchPlace(writer.share(stretch_count=2), 1, 2)
        _stretch(store, place, _noise(20 * _MIB, seed=1), key=backup.keys.archive)
    assert backup.discard() == []
    assert (list(store.list_keys("backups/b/")), list(store.uploads("backups/b/"))) == ([], [])


def _stretch(store: ObjectStore, place: StretchPlace, body: bytes, *, key: str = "backups/b/large") -> dict[str, Any]:
    with store.open_stretch(key, place) as writer:
        for start in range(0, len(body), 3_000_001):
            writer.write(body[start : start + 3_000_001])
        return writer.finish()


def _noise(size: int, *, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)
