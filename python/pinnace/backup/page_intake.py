"""Where the collector's pages go: into the archive, and what the engine holds of them to the item backupper."""

from collections.abc import Callable

from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.item_backupper import ItemBackupper
from pinnace.backup.log import VeleroLog
from pinnace.collect.list_encoding import JSON, Encoding
from pinnace.collect.plan import ListRequest
from pinnace.engine import Page, PageSummary
from pinnace.velero.results import Results

__all__ = ["PageIntake"]


class PageIntake:
    """A PageSink. `may_be_pulled_in` tells of which kinds items may have been written before their list has them."""

    def __init__(
        self,
        sink: ArchiveSink,
        backupper: ItemBackupper,
        *,
        may_be_pulled_in: Callable[[str], bool],
        log: VeleroLog,
        results: Results,
    ) -> None:
        self._sink = sink
        self._backupper = backupper
        self._may_be_pulled_in = may_be_pulled_in
        self._log = log
        self._results = results

    def open(
        self, request: ListRequest, *, described: str, encoding: Encoding, skip_items: int, skip_uid: str | None
    ) -> Page:
        """Open the archive's next page."""
        self._log.info("Getting items", request=described, **({"encoding": encoding.name} if encoding != JSON else {}))
        group_resource = request.resource.group_resource
        return self._sink.page(
            request,
            described=described,
            encoding=encoding,
            hold=self._backupper.hold(group_resource),
            deduplicate=request.deduplicate or self._may_be_pulled_in(group_resource),
            skip_items=skip_items,
            skip_uid=skip_uid,
        )

    def take_held(self, request: ListRequest, page: Page) -> int:
        """Back up what the engine holds of the chunk just fed, in the list's order; how many were written."""
        written_count = 0
        for held in page.take_held():
            page.advance()
            if held.namespace:
                self._sink.namespaces.add(held.namespace)
            written_count += self._backupper.back_up(request.resource, held)
        return written_count

    def fed(self) -> None:
        """Hand on what is ready."""
        self._sink.fed()

    def finished(self, request: ListRequest, summary: PageSummary) -> None:
        """Count a page, and record each refused item."""
        self._log.info(
            "Archived a page",
            resource=request.resource.group_resource,
            items=summary.written_count,
            bytes=summary.page_bytes,
            **({"held": summary.held_count} if summary.held_count else {}),
            **{f"skipped.{reason}": count for reason, count in summary.skipped.items() if count},
        )
        self._sink.finished(request, summary)
        self._record_refused(request.resource.group_resource, summary)

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
