"""How many items to ask for in one page, from what pages cost so far; sizes are in bytes, since bytes take time."""

import math
from dataclasses import dataclass, replace

__all__ = ["UNPAGED", "Expected", "PageCost", "PageSize"]

UNPAGED = 0
_FIRST_BYTES = 8 << 20
_SMALLEST_BYTES = 1 << 20
_GROWTH = 4
_LARGEST_FIRST_BYTE_SHARE = 0.2
"""A page's fixed cost is worth paying less often where it is more than a fifth of the page's time."""

_LONGEST_BODY_SECONDS = 15.0
"""The apiserver cuts a list at 60 s; this leaves room for the wait before its turn and for a rate that falls."""

_LARGEST_BYTES_UNSTREAMED = 32 << 20
"""Servers before 1.33 hold a whole response in memory, several times over."""

_LARGEST_BYTES_STREAMED = 256 << 20
"""A page at a revision of which the watch cache has no snapshot is read from etcd, and held there and here whole."""

_LARGEST_BYTES_SLOW = 2 << 20
"""Of a list whose items may take long: a page is read ahead whole, with room for one that is larger than its like."""

_SMALLEST_LIMIT = 20
_TOLERANCE = 1.25
"""A list that is larger by so much is not worth a page of its own for the rest, and counts are estimates."""


@dataclass(frozen=True)
class PageCost:
    """What a page took: until its first byte, and from there until the archive had its last."""

    page_bytes: int
    first_byte_seconds: float
    body_seconds: float
    has_successor: bool
    """Only a page that its limit ended says something about limits."""


@dataclass(frozen=True)
class Expected:
    """What is still to come of a list; `item_count` None where the server does not count (selectors).

    `is_cached`: a whole list at its newest. Unpaged it comes from the watch cache, encoded item by item; with a
    limit, or at a revision, it may come from etcd, at several times the cost.
    """

    item_count: int | None
    bytes_per_item: float
    is_cached: bool = False
    is_slow: bool = False
    """Some of its items may take longer than the server lets a response wait (hooks, snapshots of volumes)."""


@dataclass(frozen=True)
class PageSize:
    """The size of the next page of any list; `fixed_limit` is what `--client-page-size` gave (0 is unpaged).

    It goes on from list to list, because what makes pages dear or cheap is the server, and the archive behind us.
    """

    page_bytes: int = _FIRST_BYTES
    streams_lists: bool = False
    fixed_limit: int | None = None

    def limit(self, expected: Expected, *, bytes_per_second: float) -> int:
        """Items of the next page, or UNPAGED where the whole list is no more than a page.

        At the rate given, its body takes no longer than 15 s.
        """
        if self.fixed_limit is not None:
            return self.fixed_limit
        page_bytes = math.inf if expected.is_cached and self.streams_lists else self.page_bytes
        page_bytes = min(page_bytes, _LARGEST_BYTES_SLOW) if expected.is_slow else page_bytes
        wanted_bytes = min(page_bytes, _LONGEST_BODY_SECONDS * bytes_per_second)
        limit = max(int(wanted_bytes / expected.bytes_per_item), _SMALLEST_LIMIT)
        if expected.item_count is not None and expected.item_count <= limit * _TOLERANCE:
            return UNPAGED
        return limit

    def after(self, cost: PageCost) -> "PageSize":
        """Grow while the first byte takes more than a fifth of a page's time."""
        total_seconds = cost.first_byte_seconds + cost.body_seconds
        is_dear = cost.first_byte_seconds > _LARGEST_FIRST_BYTE_SHARE * total_seconds
        if self.fixed_limit is not None or not cost.has_successor or not is_dear:
            return self
        largest = _LARGEST_BYTES_STREAMED if self.streams_lists else _LARGEST_BYTES_UNSTREAMED
        return replace(self, page_bytes=max(self.page_bytes, min(cost.page_bytes * _GROWTH, largest)))

    def after_refusal(self) -> "PageSize":
        """Shrink after a 429 or a 504; what the user fixed stays."""
        return replace(self, page_bytes=max(self.page_bytes // _GROWTH, _SMALLEST_BYTES))
