"""Asks for the first pages of the next lists before their turn, as far as bytes, time and politeness allow."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pinnace.collect.list_encoding import Encodings
from pinnace.collect.pace import Pace
from pinnace.collect.page_size import UNPAGED
from pinnace.collect.prefetch import SUCCESSORS_BYTES, Buffers, Prefetch
from pinnace.collect.probe import Probe, Revision
from pinnace.kube.call import Call
from pinnace.kube.client import Client, Response, describe

__all__ = ["Head", "ReadAhead", "Requests", "may_open"]

_LONGEST_WAIT_SECONDS = 10.0
"""A list is asked for when its turn is nearer than that: what waits unread is cut by the apiserver after 60 s."""


_MOST_OPENED = 64
"""Lists asked for before their turn; small ones are there whole by then."""


def may_open(
    *, in_flight: int, allowed: int, wait_seconds: float, ahead_bytes: float, page_bytes: float, is_next: bool
) -> bool:
    """Whether to ask for a list's first page now.

    Of the next list in line, `is_next`, a page of any size is asked for, since it can begin to flow; of those behind
    it, only what fits into the bytes that successors may hold together with what was asked for before.
    """
    fits = is_next or ahead_bytes + page_bytes <= SUCCESSORS_BYTES
    return in_flight < allowed and wait_seconds <= _LONGEST_WAIT_SECONDS and fits


class Requests:
    """Sends the requests of pages, each in the encoding that `encodings` has for its kind at that time."""

    def __init__(self, client: Client, *, buffers: Buffers, encodings: Encodings) -> None:
        self._client = client
        self._buffers = buffers
        self.encodings = encodings

    def page(
        self,
        probe: Probe,
        *,
        limit: int,
        token: str = "",
        revision: Revision | None = None,
        is_head: bool = False,
    ) -> Prefetch:
        """Send one, `is_head` at its turn; a continue token carries its revision itself."""
        path, query = probe.request.path, probe.request.query()
        if limit != UNPAGED:
            query["limit"] = str(limit)
        query |= {"continue": token} if token else (revision or probe.revision).query()

        encoding = self.encodings.of(probe.request.resource)

        def open_response(call: Call) -> Response:
            return self._client.open(path, query, accept=encoding.accept, call=call)

        return Prefetch(
            open_response,
            described=describe(path, query),
            buffers=self._buffers,
            is_head=is_head,
            encoding=encoding,
        )


@dataclass(frozen=True)
class Head:
    """Where the list that is being archived stands."""

    in_flight: int
    remaining_bytes: float


@dataclass
class _Opened:
    probe: Probe
    prefetch: Prefetch
    page_bytes: float


class ReadAhead:
    """The lists of the plan that are still to come, the nearest of them on their way."""

    def __init__(self, probes: Iterable[Probe], *, requests: Requests, pace: Pace) -> None:
        self._requests = requests
        self._pace = pace
        self._opened: deque[_Opened] = deque()
        self._later = deque(probes)

    def lists(self) -> Iterator[tuple[Probe, Prefetch | None]]:
        """Give the lists in plan order, each with its first page if that was asked for already."""
        while self._opened or self._later:
            if self._opened:
                opened = self._opened.popleft()
                yield opened.probe, opened.prefetch
            else:
                yield self._later.popleft(), None

    def advance(self, head: Head) -> None:
        """Ask for as many of the next lists as may be asked for now."""
        self._note_ended()
        while self._later and self._pace.may_ask_early and self._may_open(self._later[0], head=head):
            probe = self._later.popleft()
            limit, page_bytes = self._first_page(probe)
            self._opened.append(_Opened(probe, self._requests.page(probe, limit=limit), page_bytes))

    def _note_ended(self) -> None:
        for opened in self._opened:
            self._pace.ended(opened.prefetch)

    def _may_open(self, probe: Probe, *, head: Head) -> bool:
        in_flight = head.in_flight + sum(not opened.prefetch.has_ended for opened in self._opened)
        if in_flight >= self._pace.gate.limit or len(self._opened) >= _MOST_OPENED:
            return False
        ahead_bytes = sum(opened.probe.expected_bytes for opened in self._opened)
        return may_open(
            in_flight=in_flight,
            allowed=self._pace.gate.limit,
            wait_seconds=(head.remaining_bytes + ahead_bytes) / self._pace.bytes_per_second,
            ahead_bytes=sum(opened.page_bytes for opened in self._opened),
            page_bytes=self._first_page(probe)[1],
            is_next=not self._opened,
        )

    def _first_page(self, probe: Probe) -> tuple[int, float]:
        limit = self._pace.limit(probe.expected)
        if limit == UNPAGED:
            return limit, probe.expected_bytes
        count = min(limit, probe.item_count) if probe.is_counted else limit
        return limit, count * probe.bytes_per_item
