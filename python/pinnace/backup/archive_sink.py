"""Joins the archive to the store: pages and items in, compressed bytes out, in fixed memory."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pinnace import interruption
from pinnace.backup.item_log import ItemLog
from pinnace.backup.log import VeleroLog
from pinnace.backup.progress import Observer
from pinnace.collect.list_encoding import Encoding
from pinnace.collect.plan import ListRequest
from pinnace.engine import Archive, Digest, Hold, Page, PageSummary
from pinnace.kube.discovery import ApiResource
from pinnace.store.backup_store import BackupStore
from pinnace.store.object_store import ObjectWriter, Writer

if TYPE_CHECKING:
    from pinnace.backup.prepare import Prepared
    from pinnace.backup.shard_order import ShardMade

__all__ = ["ArchiveSink"]


class ArchiveSink:
    """The three streams of a backup (archive, index, resource list); leaving it without `commit()` aborts them."""

    def __init__(self, archive: Archive, store: BackupStore, *, observer: Observer, log: VeleroLog) -> None:
        self._archive = archive
        self._observer = observer
        self._log = log
        self._expected_count = 0
        self._item_count = 0
        self._page_bytes = 0
        self._item_log = ItemLog(log)
        self._list_hash = hashlib.sha256()
        self._list_bytes = 0
        self.namespaces: set[str] = set()
        """From which a list had an item that was taken; what is only pulled in does not bring its Namespace."""
        self.kind_counts: Counter[ApiResource] = Counter()
        self._segments: Mapping[ListRequest, int] = {}
        self._segment = 0
        self._objects: list[ObjectWriter] = []
        self._takes: list[tuple[Callable[[], bytes], Writer]] = []
        with ExitStack() as writers:
            for take, writer in self._open(store):
                self._takes.append((take, writers.enter_context(writer)))
            # Reached only if all are open; else the ones that are were aborted just now.
            self._writers = writers.pop_all()

    def _open(self, store: BackupStore) -> Iterator[tuple[Callable[[], bytes], Writer]]:
        """Open the streams one after the other, the archive first."""
        takes = {
            store.keys.archive: self._archive.take_archive,
            store.keys.index: self._take_index,
            store.keys.resource_list: self._take_resource_list,
        }
        for key, take in takes.items():
            self._objects.append(store.open(key))
            yield take, self._objects[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writers.__exit__(kind, error, traceback)

    def expect(self, prepared: "Prepared") -> None:
        """Tell the observer what is coming."""
        self._expected_count = prepared.item_count
        kinds = {probe.request.resource.group_resource for probe in prepared.probes}
        self._observer.planned(kind_count=len(kinds), list_count=len(prepared.probes), item_count=prepared.item_count)
        self._log.info(message=f"Collecting {prepared.item_count} items", lists=len(prepared.probes))

    def begin_members_at(self, segments: Sequence[Sequence[ListRequest]]) -> None:
        """Begin a gzip member with the first page of each of these segments that has one."""
        self._segments = {request: number for number, segment in enumerate(segments, start=1) for request in segment}

    def cut(self) -> None:
        """Begin a gzip member with what comes next."""
        self._archive.cut()

    def page(
        self,
        request: ListRequest,
        *,
        described: str,
        encoding: Encoding,
        hold: Hold,
        deduplicate: bool,
        skip_items: int,
        skip_uid: str | None,
    ) -> Page:
        """Open the archive's next page."""
        segment = self._segments.get(request, self._segment)
        if segment != self._segment:
            self._segment = segment
            self._archive.cut()
        return self._archive.page(
            request=described,
            group_resource=request.resource.group_resource,
            api_version=request.resource.api_version,
            kind=request.resource.kind,
            protobuf_of=encoding.protobuf_of,
            refuses_nil=encoding.refuses_nil,
            excluded_namespaces=request.excluded_namespaces,
            only_names=request.only_names,
            deduplicate=deduplicate,
            hold_everything=hold.everything,
            hold_namespaces=hold.namespaces,
            hold_names=hold.names,
            hold_paths=tuple(hold.paths),
            skip_items=skip_items,
            skip_uid=skip_uid,
        )

    def register(self, resource: ApiResource, *, namespace: str, name: str) -> bool:
        """Note that an item is being backed up; False where it was already."""
        return self._archive.register(
            api_version=resource.api_version, kind=resource.kind, namespace=namespace, name=name
        )

    def expect_additional(self) -> None:
        """Count one more item than the lists have."""
        self._expected_count += 1
        self._observer.expected(item_count=self._expected_count)

    def add_item(self, resource: ApiResource, item: bytes) -> None:
        """Archive one registered item, given as JSON; EngineError where it can't be."""
        self._archive.add_item(
            item,
            group_resource=resource.group_resource,
            api_version=resource.api_version,
            kind=resource.kind,
            registered=True,
        )
        self.fed()
        self._item_count += 1
        self.kind_counts[resource] += 1
        self._tell(resource.group_resource)

    def fed(self) -> None:
        """Hand on what is ready; the store blocks while it is slower, and the listing waits with it."""
        interruption.check()
        for take, writer in self._takes:
            if ready := take():
                writer.write(ready)

    def finished(self, request: ListRequest, summary: PageSummary) -> None:
        """Count a page."""
        self._item_count += summary.written_count
        self._page_bytes += summary.page_bytes
        if summary.written_count:
            self.kind_counts[request.resource] += summary.written_count
        self.namespaces.update(namespace for namespace, count in summary.namespaces.items() if namespace and count)
        self._tell(request.resource.group_resource)

    def share(self, *, stretch_count: int) -> str:
        """Let other processes write stretches of the archive; gives the id of its upload."""
        return self._objects[0].share(stretch_count=stretch_count)

    def adopt(self, made: "ShardMade", *, index: Iterable[bytes]) -> None:
        """Go on with what a shard made: its gunzipped index now, its bytes where they are."""
        for lines in index:
            self._archive.adopt_index(lines)
            self.fed()
        self._archive.adopt(**made.digest)
        self.fed()
        self._objects[0].append(made.stretch)
        for collected in made.lists:
            self._item_count += collected.item_count
            self._page_bytes += collected.page_bytes
            if collected.item_count:
                self.kind_counts[collected.request.resource] += collected.item_count
        self.namespaces.update(made.namespaces)

    def _tell(self, group_resource: str) -> None:
        self._observer.progressed(
            group_resource=group_resource, item_count=self._item_count, page_bytes=self._page_bytes
        )

    def finish(self) -> Digest:
        """End the three streams; nothing is visible before `commit()`."""
        digest = self._archive.finish()
        self.fed()
        return digest

    @property
    def resource_list_digest(self) -> tuple[int, str]:
        """Bytes and SHA-256 of the resource list, after `finish()`; the engine knows those of the other two."""
        return self._list_bytes, self._list_hash.hexdigest()

    def _take_index(self) -> bytes:
        ready = self._archive.take_index()
        self._item_log.feed(ready)
        return ready

    def _take_resource_list(self) -> bytes:
        ready = self._archive.take_resource_list()
        self._list_hash.update(ready)
        self._list_bytes += len(ready)
        return ready

    def commit(self) -> None:
        """Make the three objects complete."""
        for writer in self._objects:
            writer.commit()
