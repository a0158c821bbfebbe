"""Orders, progress and outcomes come over by a store; of two pods of one shard one is believed, and nothing stays."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pinnace.backup.shard_exchange import Said, ShardExchange, ToldProgress
from pinnace.backup.shard_order import ShardMade
from pinnace.engine import Archive
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.results import Results
from unit.backup.test_shard_order import order

_FOLDER = "backups/b/shards/attempt-1/1/"


@pytest.fixture
def store(tmp_path: Path) -> BackupStore:
    made = FilesystemStore(tmp_path)
    made.prepare()
    return BackupStore(made, "b")


@pytest.fixture
def exchange(store: BackupStore) -> ShardExchange:
    return ShardExchange(store, attempt_id="attempt-1")


def outcome() -> dict[str, object]:
    digest = Archive(level="fast", mtime_seconds=7, threads=1, is_stretch=True).finish()
    return ShardMade.to_document(digest, {"number": 1, "bytes": 0}, [], namespaces=set(), results=Results())


def keys(store: BackupStore) -> Iterator[str]:
    return (found.key for found in store.list_unfinished("backups/b/"))


def test_an_order_is_read_with_a_place_of_the_pods_own(exchange: ShardExchange, store: BackupStore) -> None:
    assert exchange.read_order(1, maker="pod-a") is None
    exchange.order(order())
    read = [exchange.read_order(1, maker=maker) for maker in ("pod-a", "pod-b")]
    places = [each.place for each in read if each is not None]
    assert [place.folder for place in places] == [f"{_FOLDER}pod-a/", f"{_FOLDER}pod-b/"]
    assert store.shard_key(store.keys.index, places[0]) == f"{_FOLDER}pod-a/b-index.jsonl.gz.shard-1"
    assert places[0].beside(store.keys.archive, "stretch-1-first") == f"{_FOLDER}pod-a/b.tar.gz.stretch-1-first"
    assert exchange.read_order(2, maker="pod-a") is None, "no other shard's"


def test_another_attempts_order_is_not_seen(exchange: ShardExchange, store: BackupStore) -> None:
    exchange.order(order())
    assert ShardExchange(store, attempt_id="attempt-2").read_order(1, maker="pod-a") is None
    assert ShardExchange(store, attempt_id="attempt-2").said() == {}


def test_what_is_told_is_found_by_one_look(exchange: ShardExchange) -> None:
    exchange.order(order())
    assert exchange.said() == {}
    told = ToldProgress("pod-a", "secrets", 7, 900)
    exchange.tell(1, told)
    assert exchange.progress(1) == told
    said = exchange.said()
    assert set(said) == {1}
    assert (said[1].told_at is not None, said[1].is_made) == (True, False)


def test_a_look_is_one_listing_however_many_shards_there_are(
    exchange: ShardExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for verb in ("list_keys", "get", "put", "exists", "delete", "uploads"):
        method = getattr(FilesystemStore, verb)

        def count(*arguments: Any, verb: str = verb, method: Any = method, **named: Any) -> Any:
            asked.append(verb)
            return method(*arguments, **named)

        monkeypatch.setattr(FilesystemStore, verb, count)
    for number in range(1, 32):
        exchange.tell(number, ToldProgress(f"pod-{number}", "", 0, 0))
    asked.clear()
    assert len(exchange.said()) == 31
    assert asked == ["list_keys"]
    asked.clear()
    exchange.tell(1, ToldProgress("pod-1", "", 0, 0))
    exchange.is_wanted(1)
    assert asked == ["put", "exists"], "what a pod at work asks for each time"


def test_of_two_pods_the_first_outcome_is_believed_and_is_of_its_own_place(exchange: ShardExchange) -> None:
    empty = replace(order(), segments=())
    exchange.order(empty)
    for maker in ("pod-a", "pod-b"):
        read = exchange.read_order(1, maker=maker)
        assert read is not None
        exchange.leave(read.place, outcome())
    assert exchange.said() == {1: Said(told_at=None, is_made=True)}
    assert exchange.is_made(1)
    made = exchange.made(empty)
    assert made is not None
    assert made[0].folder == f"{_FOLDER}pod-a/"
    assert made[1].stretch == {"number": 1, "bytes": 0}


def test_a_pod_whose_order_was_withdrawn_removes_what_is_its_own(exchange: ShardExchange, store: BackupStore) -> None:
    exchange.order(order())
    read = exchange.read_order(1, maker="pod-a")
    assert read is not None
    store.put(store.shard_key(store.keys.index, read.place), b"lines")
    exchange.tell(1, ToldProgress("pod-a", "", 0, 0))
    exchange.leave(read.place, outcome())
    store.put(f"{_FOLDER}pod-b/b-index.jsonl.gz.shard-1", b"lines")
    assert exchange.is_wanted(1)
    exchange.withdraw(1)
    assert not exchange.is_wanted(1)
    exchange.remove(read.place)
    assert list(keys(store)) == [f"{_FOLDER}pod-b/b-index.jsonl.gz.shard-1"]
    exchange.clear()
    assert list(keys(store)) == []


def test_uploads_of_a_pod_that_died_are_aborted_with_the_rest(exchange: ShardExchange, store: BackupStore) -> None:
    exchange.order(order())
    read = exchange.read_order(1, maker="pod-a")
    assert read is not None
    store.open(store.shard_key(store.keys.index, read.place)).write(b"lines")
    archive = store.open(store.keys.archive)
    assert store.has_objects()
    exchange.withdraw(1)
    exchange.clear()
    archive.write(b"the archive's own upload is left alone")
    archive.commit()
    assert list(keys(store)) == [store.keys.archive]
