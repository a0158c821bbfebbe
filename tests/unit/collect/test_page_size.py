"""How many items a page has."""

from dataclasses import replace

import pytest

from pinnace.collect.page_size import UNPAGED, Expected, PageCost, PageSize

_MIB = 1 << 20
_FAST = 1e9


@pytest.mark.parametrize(
    ("item_count", "bytes_per_item", "rate", "limit"),
    [
        (20, 4096.0, _FAST, UNPAGED),
        (2500, 4096.0, _FAST, UNPAGED),
        (2600, 4096.0, _FAST, 2048),
        (300_000, 4096.0, _FAST, 2048),
        (None, 4096.0, _FAST, 2048),
        (300_000, 1.5 * _MIB, _FAST, 20),
        (20, 1.5 * _MIB, _FAST, UNPAGED),
        # 64 kB/s for 15 s are 240 items of 4 kB.
        (2500, 4096.0, 64 * 1024.0, 240),
        (300_000, 4096.0, 1.0, 20),
    ],
)
def test_the_first_page_is_what_flows_well_and_a_list_that_is_no_larger_is_not_paged(
    item_count: int | None, bytes_per_item: float, rate: float, limit: int
) -> None:
    assert PageSize().limit(Expected(item_count, bytes_per_item), bytes_per_second=rate) == limit


@pytest.mark.parametrize("page_bytes", [1 << 20, 64 << 20])
def test_a_page_whose_items_may_take_long_fits_into_what_is_read_ahead(page_bytes: int) -> None:
    size = PageSize(page_bytes=page_bytes, streams_lists=True)
    expected = Expected(300_000, 4096.0, is_cached=True, is_slow=True)
    assert size.limit(expected, bytes_per_second=_FAST) == 512


@pytest.mark.parametrize("fixed_limit", [0, 7])
def test_what_the_user_fixed_stays(fixed_limit: int) -> None:
    size = PageSize(fixed_limit=fixed_limit)
    for later in (size, size.after(cost(first=9.0)), size.after_refusal()):
        assert later.limit(Expected(20, 4096.0), bytes_per_second=_FAST) == fixed_limit


def cost(*, first: float = 1.0, body: float = 1.0, page_bytes: int = 8 * _MIB, has_successor: bool = True) -> PageCost:
    return PageCost(page_bytes, first_byte_seconds=first, body_seconds=body, has_successor=has_successor)


@pytest.mark.parametrize(
    ("size", "of_a_page", "page_bytes"),
    [
        (PageSize(streams_lists=True), cost(), 32 * _MIB),
        (PageSize(streams_lists=True), cost(first=0.2, body=1.0), 8 * _MIB),
        (PageSize(streams_lists=True), cost(first=0.3, body=1.0), 32 * _MIB),
        (PageSize(streams_lists=True), cost(page_bytes=512 * _MIB), 256 * _MIB),
        (PageSize(), cost(page_bytes=512 * _MIB), 32 * _MIB),
        # A small list's first byte is always dear, and teaches nothing about large ones.
        (PageSize(streams_lists=True), cost(has_successor=False), 8 * _MIB),
        (PageSize(streams_lists=True), cost(page_bytes=1000), 8 * _MIB),
    ],
)
def test_pages_grow_while_their_first_byte_is_dear(size: PageSize, of_a_page: PageCost, page_bytes: int) -> None:
    assert size.after(of_a_page) == replace(size, page_bytes=page_bytes)


def test_a_streaming_server_is_soon_asked_for_whole_lists() -> None:
    size, limits = PageSize(streams_lists=True), []
    for _ in range(4):
        limits.append(size.limit(Expected(80_000, 4096.0), bytes_per_second=50e6))
        size = size.after(cost(page_bytes=limits[-1] * 4096))
    assert limits == [2048, 8192, 32768, UNPAGED]


def test_a_whole_list_that_would_take_too_long_is_paged_again() -> None:
    size = PageSize(page_bytes=256 * _MIB, streams_lists=True)
    assert size.limit(Expected(80_000, 4096.0), bytes_per_second=4096.0 * 1000) == 15_000


def test_pages_shrink_after_a_refusal_to_a_floor() -> None:
    size, bytes_of_pages = PageSize(), []
    for _ in range(3):
        size = size.after_refusal()
        bytes_of_pages.append(size.page_bytes)
    assert bytes_of_pages == [2 * _MIB, _MIB, _MIB]


@pytest.mark.parametrize(
    ("streams_lists", "rate", "limit"), [(True, 50e6, UNPAGED), (False, 50e6, 2048), (True, 4096.0 * 1000, 15_000)]
)
def test_a_list_that_the_watch_cache_holds_is_asked_for_whole_if_it_flows_fast_enough(
    streams_lists: bool, rate: float, limit: int
) -> None:
    expected = Expected(80_000, 4096.0, is_cached=True)
    assert PageSize(streams_lists=streams_lists).limit(expected, bytes_per_second=rate) == limit


def test_a_list_that_is_not_counted_is_never_asked_for_whole_because_it_is_cached() -> None:
    expected = Expected(None, 4096.0, is_cached=True)
    assert PageSize(streams_lists=True).limit(expected, bytes_per_second=4096.0 * 1000) == 15_000
