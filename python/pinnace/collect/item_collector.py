"""Lists what the plan says and feeds each response to the archive, in plan order; failures come back as data."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pinnace.collect.page_size import UNPAGED, PageCost, PageSize
from pinnace.collect.plan import ListRequest
from pinnace.collect.prefetch import Prefetch
from pinnace.engine import Page, PageSummary
from pinnace.errors import KubeError, MalformedPageError
from pinnace.kube.client import Client, describe

__all__ = ["CollectedList", "ItemCollector", "PageSink", "Probe", "Revision"]

_ATTEMPTS = 5
"""How often a page is asked for; a server that is restarted is back by then."""

_PAUSE_SECONDS = 0.5


class PageSink(Protocol):
    """Where pages go."""

    def open(self, request: ListRequest, *, described: str, skip_items: int, skip_uid: str | None) -> Page:
        """Open the archive's next page."""

    def fed(self) -> None:
        """Called after each chunk: move on what the archive has ready."""

    def finished(self, request: ListRequest, summary: PageSummary) -> None:
        """Called after each page."""


@dataclass(frozen=True)
class Revision:
    """The resourceVersion at which everything is listed; "" lists each kind at its newest."""

    resource_version: str = ""

    def query(self) -> dict[str, str]:
        """The parameters of a first page."""
        if not self.resource_version:
            return {}
        return {"resourceVersion": self.resource_version, "resourceVersionMatch": "Exact"}


@dataclass(frozen=True)
class Probe:
    """What `limit=1` told of a list: how many items (an estimate with selectors), or why it can't be read."""

    request: ListRequest
    item_count: int
    revision: Revision
    error: KubeError | None = None


@dataclass
class CollectedList:
    """How one list went; `error` is a sentence, and the items before it stay in the archive."""

    request: ListRequest
    revisions: list[str] = field(default_factory=list)
    consistency: str = "revision"
    item_count: int = 0
    page_count: int = 0
    page_bytes: int = 0
    error: str = ""
    warnings: list[str] = field(default_factory=list)


class ItemCollector:
    """Lists through one client; `client_page_size` None adapts pages to what they cost, 0 is unpaged."""

    def __init__(
        self,
        client: Client,
        *,
        client_page_size: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._sleep = sleep
        self._page_size = PageSize() if client_page_size is None else PageSize(limit=client_page_size, fixed=True)

    def probe(self, request: ListRequest, *, revision: Revision) -> Probe:
        """Ask for one item of a list, to know its count and whether it may be read at all.

        Events and aggregated APIs have revisions of their own and are listed at their newest.
        """
        if request.resource.aggregated or request.resource.plural == "events":
            revision = Revision()
        try:
            return self._probe(request, revision=revision)
        except KubeError as error:
            if error.status not in (400, 410, 422, 504) or not revision.resource_version:
                return Probe(request, 0, revision, error)
        try:
            return self._probe(request, revision=Revision())
        except KubeError as error:
            return Probe(request, 0, Revision(), error)

    def _probe(self, request: ListRequest, *, revision: Revision) -> Probe:
        query = {"limit": "1", **request.query(), **revision.query()}
        answer = self._retried(lambda: self._client.get(request.path, query))
        metadata = answer.get("metadata") or {}
        count = len(answer.get("items") or []) + int(metadata.get("remainingItemCount") or 0)
        if metadata.get("continue") and not metadata.get("remainingItemCount"):
            count += 1  # with a selector the server does not count
        return Probe(request, count, revision)

    def _retried(self, ask: Callable[[], dict[str, object]]) -> dict[str, dict[str, str]]:
        for attempt in range(_ATTEMPTS):
            try:
                return ask()  # type: ignore[return-value]
            except KubeError as error:
                if attempt == _ATTEMPTS - 1 or not _is_transient(error):
                    raise
                self._sleep(_pause_seconds(error, attempt=attempt))
        raise AssertionError("unreachable")

    def collect(self, probes: Sequence[Probe], *, sink: PageSink) -> Iterator[CollectedList]:
        """Archive the probed lists in order; the next list's first page is asked for while the last one is read."""
        ahead: deque[tuple[Probe, Prefetch | None]] = deque((probe, None) for probe in probes)
        try:
            while ahead:
                probe, prefetch = ahead.popleft()
                yield _Listing(self, probe, sink=sink, prefetch=prefetch).run(ahead)
        finally:
            for _, prefetch in ahead:
                if prefetch is not None:
                    prefetch.close()

    def start(self, probe: Probe, *, limit: int, token: str = "", revision: Revision | None = None) -> Prefetch:
        """Send the request of a page."""
        path, query = probe.request.path, probe.request.query()
        if limit != UNPAGED:
            query["limit"] = str(limit)
        # A continue token carries its revision itself.
        query |= {"continue": token} if token else (revision or probe.revision).query()
        return Prefetch(lambda: self._client.open(path, query), described=describe(path, query))

    @property
    def page_size(self) -> PageSize:
        """The size of a list's first page."""
        return self._page_size

    def pause(self, error: KubeError, *, attempt: int) -> None:
        """Wait as the server asked, or longer with each attempt."""
        self._sleep(_pause_seconds(error, attempt=attempt))


class _Listing:
    """One list being read page by page."""

    def __init__(self, collector: ItemCollector, probe: Probe, *, sink: PageSink, prefetch: Prefetch | None) -> None:
        self._collector = collector
        self._probe = probe
        self._sink = sink
        self._prefetch = prefetch
        self._size = collector.page_size
        self._token = ""
        self._revision = probe.revision
        self._skip_items = 0
        self._skip_uid: str | None = None
        self._failures = 0
        self._result = CollectedList(
            probe.request, consistency="revision" if probe.revision.resource_version else "kind"
        )

    def run(self, ahead: deque[tuple[Probe, Prefetch | None]]) -> CollectedList:
        """Read to the end, or to the error that the result then names."""
        is_done = False
        while not is_done:
            prefetch = self._prefetch or self._collector.start(
                self._probe, limit=self._size.limit, token=self._token, revision=self._revision
            )
            self._prefetch = None
            try:
                is_done = self._read_page(prefetch, ahead)
                self._failures = 0
            except KubeError as error:
                is_done = not self._recover(error)
            except MalformedPageError as error:
                if error.reason != "truncated" or not self._may_try_again():
                    self._result.error = str(error)
                    is_done = True
            finally:
                prefetch.close()
        return self._result

    def _read_page(self, prefetch: Prefetch, ahead: deque[tuple[Probe, Prefetch | None]]) -> bool:
        request = self._probe.request
        chunks = prefetch.chunks()
        first = next(chunks, b"")
        page = self._sink.open(
            request, described=prefetch.described, skip_items=self._skip_items, skip_uid=self._skip_uid
        )
        summary: PageSummary | None = None
        try:
            self._feed(page, first, ahead)
            for chunk in chunks:
                self._feed(page, chunk, ahead)
            summary = page.finish()
        finally:
            if summary is None:
                self._broke_off(page)
        self._skip_items, self._skip_uid = 0, None
        self._account(summary)
        self._size = self._size.after(PageCost(prefetch.first_byte_seconds, prefetch.body_seconds))
        self._sink.finished(request, summary)
        self._token = summary.continue_token or ""
        if self._token and self._prefetch is None:
            self._prefetch = self._collector.start(self._probe, limit=self._size.limit, token=self._token)
        return not self._token

    def _feed(self, page: Page, chunk: bytes, ahead: deque[tuple[Probe, Prefetch | None]]) -> None:
        page.feed(chunk)
        self._sink.fed()
        if self._prefetch is not None:
            return
        if page.continue_token:
            self._prefetch = self._collector.start(self._probe, limit=self._size.limit, token=page.continue_token)
        elif page.resource_version and page.continue_token is None and ahead and ahead[0][1] is None:
            # Typed lists carry `metadata` first: no token there means that this is the last page.
            probe, _ = ahead[0]
            ahead[0] = (probe, self._collector.start(probe, limit=self._collector.page_size.limit))

    def _account(self, summary: PageSummary) -> None:
        self._result.item_count += summary.written_count
        self._result.page_count += 1
        self._result.page_bytes += summary.page_bytes
        revision = summary.resource_version or ""
        if revision and revision not in self._result.revisions:
            self._result.revisions.append(revision)

    def _broke_off(self, page: Page) -> None:
        self._skip_items, self._skip_uid = page.item_count, page.last_uid
        if self._skip_items and page.resource_version and not self._token:
            self._revision = Revision(page.resource_version)
        page.abandon()
        if self._prefetch is not None:
            self._prefetch.close()
            self._prefetch = None

    def _may_try_again(self) -> bool:
        self._failures += 1
        return self._failures < _ATTEMPTS

    def _recover(self, error: KubeError) -> bool:
        """Prepare the next attempt; False ends the list with the error."""
        if error.status == 410 and self._go_on_at_newer_revision(error):
            return True
        if not _is_transient(error) or not self._may_try_again():
            self._result.error = str(error)
            return False
        if error.status in (429, 504):
            self._size = self._size.after_refusal()
        self._collector.pause(error, attempt=self._failures)
        return True

    def _go_on_at_newer_revision(self, error: KubeError) -> bool:
        """A first page is listed anew; in the middle the server's inconsistent continuation goes on at the next key."""
        if not self._token and self._revision.resource_version and not self._skip_items:
            self._result.warnings.append(
                f"revision {self._revision.resource_version} is no longer kept; listed at a newer one"
            )
            self._revision = Revision()
        elif self._token and error.continue_token and not self._skip_items:
            self._result.warnings.append(
                "the list expired in its middle; it goes on at a newer revision, after the items archived so far"
            )
            self._token = error.continue_token
        else:
            return False
        self._result.consistency = "kind"
        return self._may_try_again()


def _is_transient(error: KubeError) -> bool:
    return error.status in (0, 429, 500, 502, 503, 504)


def _pause_seconds(error: KubeError, *, attempt: int) -> float:
    return error.retry_after_seconds if error.status == 429 else float(min(_PAUSE_SECONDS * 2**attempt, 8.0))
