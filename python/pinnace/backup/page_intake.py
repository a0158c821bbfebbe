"""Where the collector's pages go: into the archive, and what the engine holds of them to the item backupper."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.log import VeleroLog
from pinnace.collect.list_encoding import JSON, Encoding
from pinnace.collect.plan import ListRequest
from pinnace.engine import NOTHING_HELD, HeldItem, Hold, Page, PageSummary
from pinnace.kube.discovery import ApiResource
from pinnace.velero.results import Results

__all__ = ["NoHeldItems", "PageIntake"]


class HeldItemTaker(Protocol):
    """What is done with the items that the engine holds (`ItemBackupper`)."""

    def hold(self, group_resource: str) -> Hold:
        """Say which items of a kind."""

    def may_be_pulled_in(self, group_resource: str) -> bool:
        """Tell whether an item of that kind may be written before a list of the kind brings it."""

    def read_ahead(self, resource: ApiResource, items: Sequence[HeldItem]) -> Iterator[HeldItem]:
        """Give the items of a chunk, in order, while what the next ones name is being read."""

    def back_up(self, resource: ApiResource, item: HeldItem) -> bool:
        """Back up one; False if it was not written."""


class NoHeldItems:
    """A HeldItemTaker for lists of which no item is held, and none pulled in."""

    def hold(self, group_resource: str) -> Hold:
        """No item."""
        del group_resource
        return NOTHING_HELD

    def may_be_pulled_in(self, group_resource: str) -> bool:
        """None is."""
        del group_resource
        return False

    def read_ahead(self, resource: ApiResource, items: Sequence[HeldItem]) -> Iterator[HeldItem]:
        """None name anything."""
        del resource
        return iter(items)

    def back_up(self, resource: ApiResource, item: HeldItem) -> bool:
        """Refuse: what is not held is not handed out."""
        raise AssertionError(f"{resource.group_resource} {item.namespace}/{item.name} was held")


class PageIntake:
    """A PageSink."""

    def __init__(
        self,
        sink: ArchiveSink,
        backupper: HeldItemTaker,
        *,
        log: VeleroLog,
        results: Results,
    ) -> None:
        self._sink = sink
        self._backupper = backupper
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
            deduplicate=request.deduplicate or self._backupper.may_be_pulled_in(group_resource),
            skip_items=skip_items,
            skip_uid=skip_uid,
        )

    def take_held(self, request: ListRequest, page: Page) -> int:
        """Back up what the engine holds of the chunk just fed, in the list's order; how many were written."""
        written_count = 0
        for held in self._backupper.read_ahead(request.resource, page.take_held()):
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
