"""How large each part of a multipart upload is: S3's limits, and the size that an object may reach in them."""

__all__ = ["MOST_BYTES", "MOST_PARTS", "MOST_STRETCHES", "part_bytes", "stretch_numbers"]

MOST_PARTS = 10_000
"""S3's limit for one upload."""

_FIRST_BYTES = 8 << 20
_PARTS_BEFORE_GROWTH = 1_000
_MOST_DOUBLINGS = 2


def part_bytes(number: int) -> int:
    """Bytes of the part of that number, from 1: 8 MiB for the first 1,000, 16 for the next 1,000, then 32.

    Small parts first, because most backups are small and a part is held in memory until it is stored.
    """
    return int(_FIRST_BYTES << min((number - 1) // _PARTS_BEFORE_GROWTH, _MOST_DOUBLINGS))


MOST_BYTES = sum(part_bytes(number) for number in range(1, MOST_PARTS + 1))
"""273 GiB: what one object can hold."""

MOST_STRETCHES = 32
"""Of one object; each then has 309 parts, which hold 8 GiB."""

_LAST_PARTS = 100
"""Numbers that no stretch has, for what comes after the last one: 800 MiB."""


def stretch_numbers(number: int, *, stretch_count: int) -> range:
    """Part numbers of a stretch, from 0 for the object's own beginning.

    The number before those of a later one is left free: for what joins it to the stretch before.
    """
    each = (MOST_PARTS - _LAST_PARTS) // stretch_count
    return range(number * each + (2 if number else 1), (number + 1) * each + 1)
