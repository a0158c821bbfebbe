"""A pod that makes a shard gives signs of life, and stops once the shard is not wanted any more."""

import time
from pathlib import Path

import pytest

from pinnace.backup.shard_exchange import ShardExchange, ToldProgress
from pinnace.entrypoint.shard_reporter import ShardReporter
from pinnace.errors import AttemptLostError, StoreError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from unit.backup.test_shard_order import order

_LONG_SECONDS = 60.0


@pytest.fixture
def exchange(tmp_path: Path) -> ShardExchange:
    files = FilesystemStore(tmp_path)
    files.prepare()
    made = ShardExchange(BackupStore(files, "b"), attempt_id="a")
    made.order(order())
    return made


def reporter(exchange: ShardExchange) -> ShardReporter:
    return ShardReporter(exchange, number=1, maker="pod-1", backup_name="b", seconds=0.001)


def wait_for(exchange: ShardExchange, expected: ToldProgress) -> None:
    until = time.monotonic() + _LONG_SECONDS
    while exchange.progress(1) != expected:
        assert time.monotonic() < until, exchange.progress(1)
        time.sleep(0.001)


def test_it_tells_how_far_it_is_also_before_anything_is_done(exchange: ShardExchange) -> None:
    with reporter(exchange) as observer:
        wait_for(exchange, ToldProgress("pod-1", "", 0, 0))
        observer.progressed(group_resource="secrets", item_count=7, page_bytes=900)
        wait_for(exchange, ToldProgress("pod-1", "secrets", 7, 900))


def test_it_stops_when_its_order_is_withdrawn(exchange: ShardExchange) -> None:
    def archive_pages(observer: ShardReporter) -> None:
        until = time.monotonic() + _LONG_SECONDS
        while time.monotonic() < until:
            observer.progressed(group_resource="secrets", item_count=7, page_bytes=900)
            time.sleep(0.001)

    with reporter(exchange) as observer:
        wait_for(exchange, ToldProgress("pod-1", "", 0, 0))
        exchange.withdraw(1)
        with pytest.raises(AttemptLostError):
            archive_pages(observer)


def test_a_store_that_refuses_does_not_stop_it(exchange: ShardExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def refuse(exchange: ShardExchange, number: int) -> bool:
        nonlocal asked
        asked += 1
        raise StoreError(location="bucket b", action="s3:GetObject", reason="no answer")

    monkeypatch.setattr(ShardExchange, "is_wanted", refuse)
    until = time.monotonic() + _LONG_SECONDS
    with reporter(exchange) as observer:
        while asked < 3:
            assert time.monotonic() < until
            observer.progressed(group_resource="secrets", item_count=7, page_bytes=900)
