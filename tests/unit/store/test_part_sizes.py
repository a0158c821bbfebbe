"""Parts grow, so that 10,000 of them hold a large archive."""

from itertools import groupby

from pinnace.store.part_sizes import MOST_BYTES, MOST_PARTS, part_bytes

_MIB = 1 << 20


def test_parts_start_at_8_mib_and_grow_to_32() -> None:
    sizes = [part_bytes(number) for number in range(1, MOST_PARTS + 1)]
    runs = [(size // _MIB, len(list(run))) for size, run in groupby(sizes)]
    assert runs == [(8, 1_000), (16, 1_000), (32, 8_000)]


def test_10_000_parts_hold_more_than_270_gib() -> None:
    assert MOST_BYTES == (8 * 1_000 + 16 * 1_000 + 32 * 8_000) * _MIB
    assert MOST_BYTES > 270 << 30
