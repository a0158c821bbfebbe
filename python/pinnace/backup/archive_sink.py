"""Joins the collector to the archive and the archive to the store: pages in, compressed bytes out, in fixed memory."""

import hashlib
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pinnace import interruption
from pinnace.backup.item_log import ItemLog
from pinnace.backup.log import VeleroLog
from pinnace.backup.progress import Observer
from pinnace.collect.plan import ListRequest
from pinnace.engine import Archive, Digest, Page, PageSummary
from pinnace.store.backup_store import BackupStore
from pinnace.velero.pod_annotations import UNMET_REQUEST, UNMET_REQUESTS
from pinnace.velero.results import Results

if TYPE_CHECKING:
    from pinnace.backup.prepare import Prepared

__all__ = ["ArchiveSink"]


class ArchiveSink:
    """The three streams of a backup (archive, index, resource list); leaving it without `commit()` aborts them."""

    def __init__(
        self, archive: Archive, store: BackupStore, *, observer: Observer, log: VeleroLog, results: Results
    ) -> None:
        self._archive = archive
        self._observer = observer
        self._log = log
        self._results = results
        self._item_count = 0
        self._page_bytes = 0
        self._item_log = ItemLog(log)
        self._list_hash = hashlib.sha256()
        self._list_bytes = 0
        self.namespaces: set[str] = set()
        takes = {
            store.keys.archive: archive.take_archive,
            store.keys.index: self._take_index,
            store.keys.resource_list: self._take_resource_list,
        }
        with ExitStack() as writers:
            self._takes = [(take, writers.enter_context(store.open(key))) for key, take in takes.items()]
            # Reached only if all three are open; else the ones that are were aborted just now.
            self._writers = writers.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writers.__exit__(kind, error, traceback)

    def expect(self, prepared: "Prepared") -> None:
        """Tell the observer what is coming."""
        kinds = {probe.request.resource.group_resource for probe in prepared.probes}
        self._observer.planned(kind_count=len(kinds), list_count=len(prepared.probes), item_count=prepared.item_count)
        self._log.info(message=f"Collecting {prepared.item_count} items", lists=len(prepared.probes))

    def open(self, request: ListRequest, *, described: str, skip_items: int, skip_uid: str | None) -> Page:
        """Open the archive's next page."""
        self._log.info("Getting items", request=described)
        return self._archive.page(
            request=described,
            group_resource=request.resource.group_resource,
            api_version=request.resource.api_version,
            kind=request.resource.kind,
            excluded_namespaces=request.excluded_namespaces,
            only_names=request.only_names,
            deduplicate=request.deduplicate,
            flagged_annotations=tuple(UNMET_REQUESTS) if request.resource.group_resource == "pods" else (),
            skip_items=skip_items,
            skip_uid=skip_uid,
        )

    def fed(self) -> None:
        """Hand on what is ready; the store blocks while it is slower, and the listing waits with it."""
        interruption.check()
        for take, writer in self._takes:
            if ready := take():
                writer.write(ready)

    def finished(self, request: ListRequest, summary: PageSummary) -> None:
        """Count a page; record each refused item, and each that asks for what is not done."""
        resource = request.resource.group_resource
        self._item_count += summary.written_count
        self._page_bytes += summary.page_bytes
        self._log.info(
            "Archived a page",
            resource=resource,
            items=summary.written_count,
            bytes=summary.page_bytes,
            **{f"skipped.{reason}": count for reason, count in summary.skipped.items() if count},
        )
        self.namespaces.update(namespace for namespace, count in summary.namespaces.items() if namespace and count)
        self._record_refused(resource, summary)
        self._record_flagged(resource, summary)
        self._observer.progressed(group_resource=resource, item_count=self._item_count, page_bytes=self._page_bytes)

    def _record_refused(self, resource: str, summary: PageSummary) -> None:
        for refused in summary.refused:
            self._results.add_error(
                "Error backing up item",
                namespace=refused.namespace,
                resource=resource,
                name=refused.name,
                error=f"{summary.request}: byte {refused.offset}: {refused.detail}",
            )
        for _ in range(summary.refused_count - len(summary.refused)):
            self._results.add_error("Error backing up item", namespace="", resource=resource)

    def _record_flagged(self, resource: str, summary: PageSummary) -> None:
        for flagged in summary.flagged:
            sentence = UNMET_REQUESTS[flagged.annotation]
            self._results.add_error(sentence, namespace=flagged.namespace, resource=resource, name=flagged.name)
        for _ in range(summary.flagged_count - len(summary.flagged)):
            self._results.add_error(UNMET_REQUEST, namespace="", resource=resource)

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
        for _, writer in self._takes:
            writer.commit()
