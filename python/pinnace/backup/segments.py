"""Where the archive is cut so that several processes can make it: by what is listed, and never by how many they are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from pinnace.collect.item_collector import Probe

__all__ = ["LEAST_BYTES", "Segments", "make_segments", "share_out"]

LEAST_BYTES = 16 << 20
"""Of list bytes, by the probe: some 30 gzip members, so that one more costs nothing that could be measured."""

Segment = tuple[Probe, ...]


@dataclass(frozen=True)
class Segments:
    """The lists in archive order: those that only the run itself can deal with, then what any process can list."""

    own: Segment
    others: tuple[Segment, ...] = ()


def make_segments(
    probes: Sequence[Probe], *, is_own: Callable[[str], bool], least_bytes: float | None = None
) -> Segments:
    """Order and cut the lists; `is_own` tells of which kinds the run itself must deal with the items.

    With fewer than `least_bytes` for others there is nothing worth sharing, and the order is that of the plan.
    """
    least_bytes = LEAST_BYTES if least_bytes is None else least_bytes
    own = tuple(probe for probe in probes if is_own(probe.request.resource.group_resource))
    segments: list[Segment] = []
    filling: Segment = ()
    for unit in _units([probe for probe in probes if not is_own(probe.request.resource.group_resource)]):
        filling += unit
        if expected_bytes(filling) >= least_bytes:
            segments.append(filling)
            filling = ()
    if not segments:
        return Segments(tuple(probes))
    segments[-1] += filling
    return Segments(own, tuple(segments))


def share_out(segments: Segments, *, shard_count: int) -> list[tuple[Segment, ...]]:
    """Give each of at most `shard_count` processes a run of neighbours, the first of them beside the run's own lists.

    Each gets the segments whose middle lies in its part of all bytes; those that get none are left out, the first one
    aside.
    """
    shares: list[list[Segment]] = [[] for _ in range(shard_count)]
    total = expected_bytes(segments.own) + sum(map(expected_bytes, segments.others))
    before = expected_bytes(segments.own)
    for segment in segments.others:
        middle = before + expected_bytes(segment) / 2
        shares[min(int(middle * shard_count / total), shard_count - 1)].append(segment)
        before += expected_bytes(segment)
    return [tuple(shares[0]), *(tuple(share) for share in shares[1:] if share)]


def expected_bytes(probes: Sequence[Probe]) -> float:
    """Bytes of these lists; an estimate."""
    return sum(probe.expected_bytes for probe in probes)


def _units(probes: Sequence[Probe]) -> Iterator[Segment]:
    """Give what can't be parted: the lists of a kind that leave out each other's items, or else one list."""
    for _, lists in groupby(probes, key=lambda probe: probe.request.resource.group_resource):
        together = tuple(lists)
        if any(probe.request.deduplicate for probe in together):
            yield together
        else:
            yield from ((probe,) for probe in together)
