"""Makes one shard: lists what its order says, into a stretch of the archive. It decides nothing of the backup."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import Any

from pinnace.backup.allocator import return_large_blocks
from pinnace.backup.collecting import collect
from pinnace.backup.log import VeleroLog
from pinnace.backup.page_intake import NoHeldItems, PageIntake
from pinnace.backup.progress import Observer
from pinnace.backup.shard_order import ShardMade, ShardOrder
from pinnace.backup.stretch_sink import StretchSink
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.list_encoding import Encodings
from pinnace.engine import Archive
from pinnace.kube.client import Client
from pinnace.store.backup_store import BackupStore
from pinnace.velero.results import Results

__all__ = ["make_shard"]


def make_shard(
    order: ShardOrder,
    *,
    client: Client,
    store: BackupStore,
    observer: Observer,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, Any]:
    """Give the document of a `ShardMade`; kinds that can't be listed are errors in it.

    Whatever ends it by an exception leaves what it stored: the run that ordered it removes everything, or orders it
    anew, which writes over it.
    """
    return_large_blocks()
    with ExitStack() as stack:
        log_writer = store.open(store.shard_key(store.keys.log, order.place))
        log = stack.enter_context(VeleroLog(log_writer, backup=order.backup, clock=clock, level=order.log_level))
        results = Results(log.entry)
        archive = Archive(level=order.level, mtime_seconds=order.mtime_seconds, threads=order.threads, is_stretch=True)
        sink = stack.enter_context(StretchSink(archive, store, order.place, observer=observer, log=log))
        sink.begin_members_at([[probe.request for probe in segment] for segment in order.segments])
        intake = PageIntake(sink, NoHeldItems(), log=log, results=results)
        collector = ItemCollector(
            client,
            client_page_size=order.client_page_size,
            encodings=Encodings(order.list_encoding, server=client.minor_version),
        )
        with closing(collect(collector, order.probes, sink=intake, results=results, log=log)) as lists:
            collected = tuple(lists)
        digest = sink.finish()
        stretch = sink.finish_stretch()
        log.commit()
    return ShardMade.to_document(digest, stretch, collected, namespaces=sink.namespaces, results=results)
