"""The first question to each list: how much is there, may it be read, and at which revision."""

from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import orjson

from pinnace import interruption
from pinnace.collect.concurrency import FOR_PROBES, MOST_IN_FLIGHT
from pinnace.collect.gate import Gate
from pinnace.collect.page_size import Expected
from pinnace.collect.plan import ListRequest
from pinnace.collect.small_lists import SmallLists
from pinnace.errors import KubeError, ServerUnreachableError
from pinnace.kube.client import Client, describe
from pinnace.kube.discovery import ApiResource

__all__ = ["Probe", "Prober", "Revision"]

_AT_ONCE = MOST_IN_FLIGHT
_ENVELOPE_BYTES = 300
"""Of a list of one item, what is not the item."""

_SMALLEST_ITEM_BYTES = 2048
"""One item says little of the others: until a page was read, none is taken to be smaller."""

EXACT_REFUSALS = (400, 410, 422, 504)
"""What servers answer that can't list at a revision: unknown to them, of another etcd, or compacted already."""


@dataclass(frozen=True)
class Revision:
    """The resourceVersion at which everything is listed; "" lists each kind at its newest."""

    resource_version: str = ""

    def of(self, resource: ApiResource) -> "Revision":
        """The revision of one kind: events and those of other servers have revisions of their own."""
        return Revision() if resource.aggregated or resource.plural == "events" else self

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
    is_counted: bool = True
    """Whether the server counted; it does not where a selector is."""

    bytes_per_item: float = float(_SMALLEST_ITEM_BYTES)
    warning: str = ""
    is_slow: bool = False
    """As in `Expected`; set by who knows what happens to its items."""

    @property
    def expected(self) -> Expected:
        """What there is to read."""
        is_cached = not self.revision.resource_version
        return Expected(
            self.item_count if self.is_counted else None, self.bytes_per_item, is_cached=is_cached, is_slow=self.is_slow
        )

    @property
    def expected_bytes(self) -> float:
        """The bytes of the whole list; an estimate."""
        return self.item_count * self.bytes_per_item


class Prober:
    """Asks, several lists at once; leaving it ends what is asked just now.

    `gate` is closed and narrowed by what the server refuses.
    """

    def __init__(self, client: Client) -> None:
        self.gate = Gate(FOR_PROBES)
        self._lists = SmallLists(client, gate=self.gate)

    def probes(self, requests: Sequence[ListRequest], *, revision: Revision) -> Generator[Probe, None, None]:
        """Probe in the order given; 401 and a server that is gone raise, other errors stand in the probe."""
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe")
        asked: list[Future[Probe]] = []
        try:
            asked = [pool.submit(self.probe, request, revision=revision) for request in requests]
            for future in asked:
                yield interruption.result(future)
        finally:
            self._lists.close()
            pool.shutdown(cancel_futures=True)

    def probe(self, request: ListRequest, *, revision: Revision) -> Probe:
        """Ask for one item of a list.

        Events (often in an etcd of their own) and aggregated APIs have revisions of their own: they are listed at
        their newest. A kind that can't be listed at the revision is so too, with a warning.
        """
        revision = revision.of(request.resource)
        try:
            return self._ask(request, revision=revision)
        except KubeError as error:
            _raise_what_ends_the_run(error)
            if error.status not in EXACT_REFUSALS or not revision.resource_version:
                return Probe(request, 0, revision, error)
            refused = error
        try:
            return self._ask(request, revision=Revision(), warning=not_at_revision(revision, refused))
        except KubeError as error:
            _raise_what_ends_the_run(error)
            return Probe(request, 0, Revision(), error)

    def _ask(self, request: ListRequest, *, revision: Revision, warning: str = "") -> Probe:
        query = {"limit": "1", **request.query(), **revision.query()}
        body = self._lists.read(request, query, is_exact=bool(revision.resource_version))
        try:
            answer = orjson.loads(body)
            metadata = answer.get("metadata") or {}
            first = len(answer.get("items") or [])
            rest = int(metadata.get("remainingItemCount") or 0)
        except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError) as error:
            described = describe(request.path, query)
            raise KubeError(request=described, status=200, reason=f"the answer is not a list: {error}") from error
        is_counted = not metadata.get("continue") or rest > 0
        return Probe(
            request,
            first + (rest if is_counted else 1),
            revision,
            is_counted=is_counted,
            bytes_per_item=float(max(len(body) - _ENVELOPE_BYTES, _SMALLEST_ITEM_BYTES)),
            warning=warning,
        )


def not_at_revision(revision: Revision, error: KubeError) -> str:
    """The warning that a kind is not part of the snapshot."""
    return f"can't be listed at revision {revision.resource_version}, and is listed at its newest: {error.reason}"


def _raise_what_ends_the_run(error: KubeError) -> None:
    if error.status == 401 or isinstance(error, ServerUnreachableError):
        raise error
