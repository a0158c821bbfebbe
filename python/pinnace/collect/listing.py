"""One list, read page by page into the archive; what goes wrong is repaired here, or told by the result."""

from collections.abc import Iterator
from itertools import chain
from typing import Protocol

from pinnace.collect.collected_list import CollectedList, last_key
from pinnace.collect.list_encoding import JSON, Encoding
from pinnace.collect.pace import Pace
from pinnace.collect.page_size import UNPAGED, Expected, PageCost
from pinnace.collect.plan import ListRequest
from pinnace.collect.prefetch import Prefetch
from pinnace.collect.probe import EXACT_REFUSALS, Probe, Revision, not_at_revision
from pinnace.collect.read_ahead import Head, ReadAhead, Requests
from pinnace.engine import Page, PageSummary, Piece
from pinnace.errors import KubeError, MalformedPageError, ServerUnreachableError

__all__ = ["Listing", "PageSink"]


class PageSink(Protocol):
    """Where pages go."""

    def open(
        self, request: ListRequest, *, described: str, encoding: Encoding, skip_items: int, skip_uid: str | None
    ) -> Page:
        """Open the archive's next page."""

    def take_held(self, request: ListRequest, page: Page) -> int:
        """Called after each chunk: deal with the items that the engine holds; how many of them were archived."""

    def fed(self) -> None:
        """Called after each chunk: move on what the archive has ready."""

    def finished(self, request: ListRequest, summary: PageSummary, /) -> None:
        """Called after each page, and after each part of one that broke off."""


class Listing:
    """One list being read; `first` is its first page if that was asked for already."""

    def __init__(
        self,
        probe: Probe,
        first: Prefetch | None,
        *,
        sink: PageSink,
        requests: Requests,
        pace: Pace,
        ahead: ReadAhead,
    ) -> None:
        self._probe = probe
        self._next = first
        self._sink = sink
        self._requests = requests
        self._pace = pace
        self._ahead = ahead
        self._limit = self._next_limit = UNPAGED
        self._token = ""
        self._encoding = JSON
        self._revision = probe.revision
        self._skip_items = 0
        self._skip_uid: str | None = None
        self._passed_items = 0
        self._archived_held_items = 0
        self._is_taking_held = False
        self._fed_bytes = 0
        self._fed_at = 0.0
        self._patience = pace.patience(is_aggregated=probe.request.resource.aggregated)
        self._has_lost_patience = False
        self._result = CollectedList(
            probe.request,
            consistency="revision" if probe.revision.resource_version else "kind",
            warnings=[probe.warning] if probe.warning else [],
        )

    def run(self) -> CollectedList:
        """Read to the end, or to the error that the result then names; 401 and a server that is gone raise."""
        is_done = False
        while not is_done:
            prefetch = self._take_next()
            try:
                is_done = self._read_page(prefetch)
            except KubeError as error:
                if self._is_taking_held:
                    raise
                is_done = not self._recover(error, prefetch=prefetch)
            except MalformedPageError as error:
                is_done = not self._recover_page(error)
            finally:
                prefetch.close()
        self._pace.list_done(has_lost_patience=self._has_lost_patience)
        return self._result

    def _take_next(self) -> Prefetch:
        prefetch, self._next = self._next, None
        if prefetch is not None:
            self._limit = self._next_limit
            prefetch.become_head()
            if prefetch.is_stale:
                prefetch.close()
                prefetch = None
        if prefetch is None:
            if not self._patience.attempts:
                self._pace.pause(0.0, since=None)
            self._limit = self._limit_again()
            prefetch = self._requests.page(
                self._probe, limit=self._limit, token=self._token, revision=self._revision, is_head=True
            )
        return prefetch

    def _limit_again(self) -> int:
        """Items of a page that is asked for now; what a repeated one only passes over comes on top."""
        expected = self._probe.expected
        if self._token or self._skip_items:
            expected = self._expected_rest(self._passed_items + self._skip_items)
        limit = self._pace.limit(expected)
        if self._skip_items and limit != UNPAGED:
            limit += self._skip_items
            return limit if self._limit == UNPAGED else min(limit, self._limit)
        return limit

    def _expected_rest(self, passed_items: int) -> Expected:
        """What is still to come, as large as what came; how many of it is left open, so that its limit is a number."""
        bytes_per_item = self._fed_bytes / passed_items if passed_items else self._probe.bytes_per_item
        return Expected(None, max(bytes_per_item, 1.0), is_slow=self._probe.is_slow)

    def _read_page(self, prefetch: Prefetch) -> bool:
        """Archive a page; True if it was the last."""
        self._advance(prefetch)
        chunks = prefetch.chunks(meanwhile=lambda: self._advance(prefetch))
        try:
            first = next(chunks, b"")
            self._encoding = prefetch.encoding
            page = self._sink.open(
                self._probe.request,
                described=prefetch.described,
                encoding=self._encoding,
                skip_items=self._skip_items,
                skip_uid=self._skip_uid,
            )
            self._archive_page(page, chain([first], chunks), prefetch=prefetch)
        finally:
            self._pace.ended(prefetch)
        return not self._token

    def _archive_page(self, page: Page, chunks: Iterator[bytes | Piece], *, prefetch: Prefetch) -> None:
        started = self._fed_at = self._pace.clock()
        try:
            self._feed(page, chunks, prefetch=prefetch)
            summary = page.finish()
        except (KubeError, MalformedPageError):
            if not self._is_taking_held:
                self._broke_off(page)
            raise
        self._page_done(summary)
        self._pace.page_done(
            PageCost(
                summary.page_bytes,
                first_byte_seconds=prefetch.first_byte_seconds,
                body_seconds=self._pace.clock() - started,
                has_successor=bool(self._token),
            )
        )

    def _feed(self, page: Page, chunks: Iterator[bytes | Piece], *, prefetch: Prefetch) -> None:
        for chunk in chunks:
            page.feed(chunk)
            self._take_held(page)
            self._sink.fed()
            now = self._pace.clock()
            self._pace.drained(len(chunk), seconds=now - self._fed_at)
            self._fed_at = now
            self._fed_bytes += len(chunk)
            if page.continue_token and self._next is None and self._may_ask_next(prefetch):
                self._next_limit = self._pace.limit(self._expected_rest(self._passed_items + page.item_count))
                self._next = self._requests.page(self._probe, limit=self._next_limit, token=page.continue_token)
            self._advance(prefetch)

    def _take_held(self, page: Page) -> None:
        """An error in here is not one of this list, and ends the run: held items are handed out only once."""
        self._is_taking_held = True
        self._archived_held_items += self._sink.take_held(self._probe.request, page)
        self._is_taking_held = False

    def _may_ask_next(self, prefetch: Prefetch) -> bool:
        return prefetch.has_ended or (self._pace.gate.limit > 1 and self._pace.may_ask_early)

    def _advance(self, prefetch: Prefetch) -> None:
        in_flight = sum(not own.has_ended for own in (prefetch, self._next) if own is not None)
        remaining_bytes = max(self._probe.expected_bytes - self._fed_bytes, 0.0)
        self._ahead.advance(Head(in_flight=in_flight, remaining_bytes=remaining_bytes))

    def _page_done(self, summary: PageSummary) -> None:
        self._passed_items += summary.item_count
        self._skip_items, self._skip_uid = 0, None
        self._token = summary.continue_token or ""
        self._patience = self._pace.patience(is_aggregated=self._probe.request.resource.aggregated)
        self._result.page_count += 1
        self._account(summary)

    def _account(self, summary: PageSummary) -> None:
        self._result.add(
            resource_version=summary.resource_version or "",
            item_count=summary.written_count + self._archived_held_items,
            page_bytes=summary.page_bytes,
        )
        self._result.add_left_out(summary.skipped, refused_count=summary.refused_count)
        if self._encoding.name not in self._result.encodings:
            self._result.encodings.append(self._encoding.name)
        self._archived_held_items = 0
        self._sink.finished(self._probe.request, summary)

    def _broke_off(self, page: Page) -> None:
        """Keep what a broken response brought: its items are archived, and the next attempt passes over them."""
        self._take_held(page)
        summary = page.abandon()
        if summary.item_count > self._skip_items:
            self._skip_items, self._skip_uid = summary.item_count, page.last_uid
            self._patience = self._pace.patience(is_aggregated=self._probe.request.resource.aggregated)
            if summary.resource_version and not self._token:
                self._revision = Revision(summary.resource_version)
            self._account(summary)
        if self._next is not None:
            self._next.close()
            self._next = None

    def _recover_page(self, error: MalformedPageError) -> bool:
        """A body that ends too early may be whole the next time; any other flaw would come again.

        In protobuf it may be a field that the engine's table does not have; in JSON there is nothing to know.
        """
        if error.reason == "truncated":
            return self._try_again(KubeError(request=error.request, status=0, reason=str(error)), since=None)
        if self._encoding == JSON or error.reason == "resume_mismatch":
            self._result.error = str(error)
            return False
        self._requests.encodings.refuse(self._probe.request.resource)
        self._result.protobuf_error = str(error)
        return True

    def _recover(self, error: KubeError, *, prefetch: Prefetch) -> bool:
        """Prepare the next attempt; False ends the list with the error."""
        if error.status == 401:
            raise error
        if error.status == 410 and self._go_on_at_newer_revision(error):
            return True
        if error.status in (400, 422) and self._leave_revision(error):
            return True
        return self._try_again(error, since=prefetch.ended_early_at)

    def _try_again(self, error: KubeError, *, since: float | None) -> bool:
        pause = self._patience.pause_seconds(error)
        if pause is not None:
            self._patience = self._patience.after(pause)
            self._pace.pause(pause, since=since)
            return True
        if isinstance(error, ServerUnreachableError):
            raise error
        if self._leave_revision(error):
            return True
        self._has_lost_patience = self._patience.attempts > 0
        self._result.error = str(error)
        return False

    def _leave_revision(self, error: KubeError) -> bool:
        """List at its newest a kind that the server can't list at the revision, if nothing of it was archived."""
        is_at_revision = bool(self._revision.resource_version) and not self._token and not self._skip_items
        if not is_at_revision or error.status not in EXACT_REFUSALS:
            return False
        self._result.warnings.append(not_at_revision(self._revision, error))
        self._revision = Revision()
        self._result.consistency = "kind"
        return True

    def _go_on_at_newer_revision(self, error: KubeError) -> bool:
        """A first page is listed anew; in the middle the server's inconsistent continuation goes on at the next key."""
        if self._leave_revision(error):
            return True
        if not self._token or not error.continue_token or self._skip_items:
            return False
        key = last_key(self._token, namespace=self._probe.request.namespace)
        self._result.spans[-1].up_to = key
        self._result.warnings.append(
            f"revision {self._result.revisions[-1]} expired after {self._result.item_count} items"
            f"{f', the last of them {key}' if key else ''}; what comes after is listed at a newer one"
        )
        self._token = error.continue_token
        self._result.consistency = "kind"
        return True
