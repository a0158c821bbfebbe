"""Shares a backup's lists out between the run and processes of its own, and puts together what they made."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from pinnace.archive.gzip_stream import GzipStream
from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.log import VeleroLog
from pinnace.backup.progress import SharedProgress
from pinnace.backup.segments import Segments, share_out
from pinnace.backup.shard_makers import ShardMakers
from pinnace.backup.shard_order import ShardOrder
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.item_collector import Probe
from pinnace.store.backup_store import BackupStore
from pinnace.store.object_store import StretchPlace
from pinnace.velero.backup import Backup
from pinnace.velero.results import Results

if TYPE_CHECKING:
    from pinnace.backup.run import RunOptions

__all__ = ["Shards", "shards_of"]


class Shards:
    """What of a run's lists is its own to read, and what others make meanwhile."""

    def __init__(
        self,
        own: Sequence[Probe],
        makers: ShardMakers | None,
        *,
        has_segments: bool,
        sink: ArchiveSink,
        store: BackupStore,
        results: Results,
        log: VeleroLog,
        progress: SharedProgress,
    ) -> None:
        self.own = own
        self._makers = makers
        self._has_segments = has_segments
        self._sink = sink
        self._store = store
        self._results = results
        self._log = log
        self._progress = progress

    def check(self) -> None:
        """ShardError for a shard that has failed for good."""
        if self._makers is not None:
            self._makers.check()

    def adopt(self) -> Generator[CollectedList, None, None]:
        """Wait for each shard, and put what it made behind what the archive has."""
        for place, made in self._makers.made() if self._makers is not None else ():
            self._progress.forget(number=place.number)
            self._sink.adopt(made, index=self._index(place))
            self._results.absorb(made.results)
            log_key = self._store.shard_key(self._store.keys.log, place)
            self._log.append(self._store.unfinished_chunks(log_key))
            self._store.remove_unfinished(log_key)
            yield from made.lists
        if self._has_segments:
            self._sink.cut()

    def _index(self, place: StretchPlace) -> Iterator[bytes]:
        key = self._store.shard_key(self._store.keys.index, place)
        yield from GzipStream(self._store.unfinished_chunks(key), location=self._store.location, key=key).pieces()
        self._store.remove_unfinished(key)


@contextmanager
def shards_of(
    segments: Segments,
    *,
    backup: Backup,
    options: "RunOptions",
    mtime_seconds: int,
    sink: ArchiveSink,
    store: BackupStore,
    results: Results,
    log: VeleroLog,
    progress: SharedProgress,
) -> Iterator[Shards]:
    """Have others make all shards but the run's own; they are ended where it is left."""
    sink.begin_members_at([[probe.request for probe in segment] for segment in segments.others])
    count = options.sharding.count if options.sharding is not None else 1
    mine, *others = share_out(segments, shard_count=count)
    if others:
        log.info("Sharing the lists out", processes=1 + len(others), segments=len(segments.others))
    elif count > 1:
        log.info("One process makes the backup: too little is left to share out", kept=len(segments.own))
    own = (*segments.own, *(probe for segment in mine for probe in segment))
    makers: ShardMakers | None = None
    if others and options.sharding is not None:
        stretch_count = 1 + len(others)
        upload_id = sink.share(stretch_count=stretch_count)
        orders = [
            ShardOrder(
                backup=backup,
                segments=share,
                place=StretchPlace(upload_id, number, stretch_count),
                level=options.level,
                threads=options.threads,
                mtime_seconds=mtime_seconds,
                log_level=options.log_level,
                list_encoding=options.list_encoding,
                client_page_size=options.client_page_size,
            )
            for number, share in enumerate(others, start=1)
        ]
        makers = options.sharding.makers(orders, store=store, log=log, on_progress=progress.shard_progressed)
    with makers or nullcontext():
        yield Shards(
            own,
            makers,
            has_segments=bool(segments.others),
            sink=sink,
            store=store,
            results=results,
            log=log,
            progress=progress,
        )
