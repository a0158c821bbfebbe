"""Joins the archive of a shard to the store: its stretch of the whole, and an index that counts from its beginning."""

from collections.abc import Callable, Iterator
from typing import Any

from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.log import VeleroLog
from pinnace.backup.progress import Observer
from pinnace.engine import Archive
from pinnace.store.backup_store import BackupStore
from pinnace.store.object_store import StretchPlace, StretchWriter, Writer

__all__ = ["StretchSink"]


class StretchSink(ArchiveSink):
    """The two streams of a shard; the run makes resource list, and log lines of items, from its index."""

    def __init__(
        self, archive: Archive, store: BackupStore, place: StretchPlace, *, observer: Observer, log: VeleroLog
    ) -> None:
        self._place = place
        self._stretch: StretchWriter
        super().__init__(archive, store, observer=observer, log=log)

    def _open(self, store: BackupStore) -> Iterator[tuple[Callable[[], bytes], Writer]]:
        self._stretch = store.open_stretch(self._place)
        yield self._archive.take_archive, self._stretch
        self._objects.append(store.open(store.shard_key(store.keys.index, self._place)))
        yield self._archive.take_index, self._objects[-1]

    def finish_stretch(self) -> dict[str, Any]:
        """Store the rest of both, after `finish()`; gives what the archive's own writer appends."""
        self.commit()
        return self._stretch.finish()
