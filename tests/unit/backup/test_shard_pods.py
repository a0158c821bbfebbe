"""A run hears of its shards by what pods leave; one of which nothing is heard ends the run, and nothing is left."""

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pinnace.backup.log import VeleroLog
from pinnace.backup.shard_exchange import Said, ShardExchange, ToldProgress
from pinnace.backup.shard_order import ShardOrder
from pinnace.backup.shard_pods import ShardPods
from pinnace.errors import ShardError, StoreUnavailableError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from unit.backup.test_shard_exchange import outcome
from unit.backup.test_shard_order import order

_LONG_SECONDS = 60.0


def orders(count: int) -> list[ShardOrder]:
    place = order().place
    return [replace(order(), segments=(), place=replace(place, number=number)) for number in range(1, count + 1)]


@dataclass
class Run:
    """A run's end of the exchange, and the other one, at which the test plays the pods."""

    folder: Path
    told: list[tuple[int, int]] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        files = FilesystemStore(self.folder)
        files.prepare()
        self.store = BackupStore(files, "b")
        self.exchange = ShardExchange(self.store, attempt_id="a")

    def progressed(self, *, number: int, group_resource: str, item_count: int, page_bytes: int) -> None:
        self.told.append((number, item_count))
        self.heard.set()

    @contextmanager
    def pods(self, count: int, *, silence_seconds: float = _LONG_SECONDS) -> Iterator[ShardPods]:
        writer = self.store.open(self.store.keys.log)
        log = VeleroLog(writer, backup=order().backup, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
        with ShardPods(
            orders(count), attempt_id="a", store=self.store, log=log, on_progress=self.progressed, look_seconds=0.01,
            silence_seconds=silence_seconds,
        ) as pods:  # fmt: skip
            yield pods
        log.commit()

    def make(self, number: int, *, maker: str) -> None:
        read = self.exchange.read_order(number, maker=maker)
        assert read is not None
        self.exchange.leave(read.place, outcome())

    def left(self) -> list[str]:
        return [found.key for found in self.store.list_unfinished(self.store.keys.shards)]

    def wait_until_heard(self) -> None:
        assert self.heard.wait(_LONG_SECONDS)
        self.heard.clear()

    def log(self) -> str:
        return gzip.decompress(self.store.read(self.store.keys.log)).decode()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_what_pods_made_comes_in_the_order_of_shards_and_then_all_is_removed(run: Run) -> None:
    with run.pods(2) as pods:
        run.make(2, maker="pod-2")
        run.make(1, maker="pod-1")
        run.store.put("backups/b/shards/a/1/killed/b-logs.gz.shard-1", b"of a pod that was killed")
        places = [place for place, _ in pods.made()]
        assert run.left() == []
    assert [(place.number, place.folder) for place in places] == [
        (1, "backups/b/shards/a/1/pod-1/"),
        (2, "backups/b/shards/a/2/pod-2/"),
    ]


def test_progress_is_heard_and_a_second_pod_is_told_in_the_log(run: Run) -> None:
    with run.pods(1) as pods:
        run.exchange.tell(1, ToldProgress("pod-1", "secrets", 7, 900))
        run.wait_until_heard()
        time.sleep(0.01)  # the store's times must differ
        run.exchange.tell(1, ToldProgress("pod-2", "secrets", 3, 400))
        run.wait_until_heard()
        run.make(1, maker="pod-2")
        assert len(list(pods.made())) == 1
    assert run.told == [(1, 7), (1, 3)]
    assert run.log().count('msg="A shard is made anew by another pod"') == 1


def test_a_shard_of_which_nothing_is_heard_ends_the_run_and_its_order_is_withdrawn(run: Run) -> None:
    with pytest.raises(ShardError) as failed, run.pods(2, silence_seconds=0) as pods:
        list(pods.made())
    assert str(failed.value) == (
        "shard 1: nothing was heard of its pod for 0 minutes: it can't start, or its node is lost; "
        "`kubectl get pods --selector batch.kubernetes.io/job-completion-index=1` says which"
    )
    assert run.left() == []


@pytest.mark.parametrize("silence_seconds", [_LONG_SECONDS, 0.0])
def test_a_bucket_that_is_away_is_not_a_silent_shard(
    silence_seconds: float, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    said = ShardExchange.said

    def said_at_the_third_look(exchange: ShardExchange) -> dict[int, Said]:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise StoreUnavailableError(location="bucket b", action="s3:ListBucket", reason="no answer")
        return dict(said(exchange))

    monkeypatch.setattr(ShardExchange, "said", said_at_the_third_look)
    with run.pods(1, silence_seconds=silence_seconds) as pods:
        run.make(1, maker="pod-1")
        if silence_seconds:
            assert len(list(pods.made())) == 1
        else:
            with pytest.raises(StoreUnavailableError, match="no answer"):
                list(pods.made())


@pytest.mark.parametrize("said", [b"{", b"{}", b'{"folder": "f", "made": {}}', b'{"folder": "f", "made": 1}'])
def test_what_can_not_be_read_ends_the_run(said: bytes, run: Run) -> None:
    with run.pods(1) as pods:
        run.store.put("backups/b/shards/a/1/made.json", said)
        with pytest.raises(ShardError, match=r"shard 1: what its pod said can't be read: .*Error"):
            list(pods.made())


def test_a_run_that_is_left_wants_nothing_more(run: Run) -> None:
    with run.pods(2):
        assert [run.exchange.is_wanted(number) for number in (1, 2)] == [True, True]
    assert [run.exchange.is_wanted(number) for number in (1, 2)] == [False, False]


def test_what_was_written_beside_the_removal_of_an_order_is_removed_too(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod that still saw its order had stored something after the listing by which leftovers are removed."""
    run.exchange.order(orders(1)[0])
    delete = FilesystemStore.delete

    def store_and_delete(store: FilesystemStore, key: str) -> None:
        monkeypatch.setattr(FilesystemStore, "delete", delete)
        store.put("backups/b/shards/a/1/pod-1/b-logs.gz.shard-1", b"of a pod that is at work")
        delete(store, key)

    monkeypatch.setattr(FilesystemStore, "delete", store_and_delete)
    run.store.clear_leftovers()
    assert run.left() == []
