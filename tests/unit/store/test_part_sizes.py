"""Parts grow, so that 10,000 of them hold a large archive."""

from itertools import groupby, pairwise

import pytest

from pinnace.store.part_sizes import MOST_BYTES, MOST_PARTS, MOST_STRETCHES, part_bytes, stretch_numbers

_MIB = 1 << 20


def test_parts_start_at_8_mib_and_grow_to_32() -> None:
    sizes = [part_bytes(number) for number in range(1, MOST_PARTS + 1)]
    runs = [(size // _MIB, len(list(run))) for size, run in groupby(sizes)]
    assert runs == [(8, 1_000), (16, 1_000), (32, 8_000)]


def test_10_000_parts_hold_more_than_270_gib() -> None:
    assert MOST_BYTES == (8 * 1_000 + 16 * 1_000 + 32 * 8_000) * _MIB
    assert MOST_BYTES > 270 << 30


@pytest.mark.parametrize("count", [1, 2, 3, 7, MOST_STRETCHES])
def test_stretches_share_the_numbers_out_with_one_before_each_and_some_after_the_last(count: int) -> None:
    ranges = [stretch_numbers(number, stretch_count=count) for number in range(count)]
    assert ranges[0][0] == 1
    assert [after[0] - before[-1] for before, after in pairwise(ranges)] == [2] * (count - 1)
    assert 100 <= MOST_PARTS - ranges[-1][-1] < 100 + count
    assert min(map(len, ranges)) >= 308


@pytest.mark.parametrize("count", [2, 8, MOST_STRETCHES])
def test_as_much_fits_into_all_stretches_together_as_into_one(count: int) -> None:
    numbers = stretch_numbers(1, stretch_count=count)
    most_bytes = count * sum(part_bytes(sent * count + 1) for sent in range(len(numbers)))
    assert most_bytes > 0.98 * MOST_BYTES
