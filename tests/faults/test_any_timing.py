"""Whatever the order in which responses arrive, break off and are refused: plan order, and each item once."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from faults.collecting import Sink, kind
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.plan import ListRequest
from pinnace.collect.prefetch import Buffers
from pinnace.collect.probe import Probe, Revision
from pinnace.errors import KubeError

_CHUNK = 64


@dataclass
class Fault:
    """What happens to one request: how long its first byte and each chunk take, and whether it fails."""

    first_byte_seconds: float = 0.0
    chunk_seconds: float = 0.0
    status: int = 200
    broken_chunks: int | None = None


@dataclass
class Body:
    """A response whose chunks come slowly, and may end in an error."""

    body: bytes
    fault: Fault
    first_byte_seconds: float = 0.0
    content_type: str = "application/json"

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def chunks(self) -> Iterator[bytes]:
        for number, start in enumerate(range(0, len(self.body), _CHUNK)):
            if number == self.fault.broken_chunks:
                raise KubeError(request="GET", status=0, reason="broke off")
            time.sleep(self.fault.chunk_seconds)
            yield self.body[start : start + _CHUNK]


@dataclass
class SlowServer:
    """Stands for the client: lists paged by `limit`, with a fault for each of the first requests."""

    item_counts: Mapping[str, int]
    faults: list[Fault]
    streams_lists: bool = True

    def open(self, path: str, query: Mapping[str, str], **_: object) -> Body:
        fault = self.faults.pop(0) if self.faults else Fault()
        time.sleep(fault.first_byte_seconds)
        if fault.status != 200:
            raise KubeError(request=path, status=fault.status, reason="refused")
        plural = path.rpartition("/")[2]
        start, limit = int(query.get("continue", "0")), int(query.get("limit", "0")) or 10**6
        names = [f"{plural}-{number:03}" for number in range(self.item_counts[plural])]
        rest = names[start + limit :]
        metadata = {"resourceVersion": "7", **({"continue": str(start + limit)} if rest else {})}
        items = [{"metadata": {"name": name, "namespace": "n", "uid": name}} for name in names[start : start + limit]]
        return Body(json.dumps({"kind": "L", "metadata": metadata, "items": items}).encode(), fault)


FAULTS = st.builds(
    Fault,
    first_byte_seconds=st.sampled_from([0.0, 0.0, 0.001, 0.003]),
    chunk_seconds=st.sampled_from([0.0, 0.0, 0.0, 0.0002]),
    status=st.sampled_from([200, 200, 200, 200, 429, 504, 503]),
    broken_chunks=st.sampled_from([None, None, None, 0, 1, 3, 9]),
)


@settings(max_examples=60, deadline=None)
@given(
    item_counts=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    faults=st.lists(FAULTS, max_size=12),
    client_page_size=st.sampled_from([None, 0, 1, 3, 7]),
    bounds=st.sampled_from([(64, 64), (256, 512), (1 << 20, 1 << 20)]),
    longest_unread_seconds=st.sampled_from([0.002, 30.0]),
)
def test_plan_order_and_each_item_once(
    item_counts: list[int],
    faults: list[Fault],
    client_page_size: int | None,
    bounds: tuple[int, int],
    longest_unread_seconds: float,
) -> None:
    by_plural = {f"kind{number}s": count for number, count in enumerate(item_counts)}
    buffers = Buffers(head_bytes=bounds[0], successors_bytes=bounds[1], longest_unread_seconds=longest_unread_seconds)
    collector = ItemCollector(
        SlowServer(by_plural, faults),  # type: ignore[arg-type]
        client_page_size=client_page_size,
        sleep=lambda _: None,
        buffers=buffers,
    )
    probes = [Probe(ListRequest(kind(plural)), count, Revision("7")) for plural, count in by_plural.items()]
    sink = Sink()
    results = list(collector.collect(probes, sink=sink))
    given_up = {result.request.resource.plural for result in results if result.error}
    expected = [f"{plural}-{number:03}" for plural, count in by_plural.items() for number in range(count)]
    names = sink.names()
    assert [name for name in names if name.partition("-")[0] not in given_up] == [
        name for name in expected if name.partition("-")[0] not in given_up
    ]
    assert names == sorted(set(names))
    archived = Counter(name.partition("-")[0] for name in names)
    assert [result.item_count for result in results] == [archived[result.request.resource.plural] for result in results]
