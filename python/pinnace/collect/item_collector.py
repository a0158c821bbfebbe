"""Lists what the plan says and feeds each response to the archive, in plan order; failures come back as data."""

from collections.abc import Callable, Generator, Sequence

from pinnace import interruption
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.gate import Gate
from pinnace.collect.list_encoding import Encodings
from pinnace.collect.listing import Listing, PageSink
from pinnace.collect.pace import Pace
from pinnace.collect.page_size import PageSize
from pinnace.collect.plan import ListRequest
from pinnace.collect.prefetch import Buffers
from pinnace.collect.probe import Probe, Prober, Revision
from pinnace.collect.read_ahead import ReadAhead, Requests
from pinnace.kube.client import Client

__all__ = ["CollectedList", "ItemCollector", "PageSink", "Probe", "Revision"]


class ItemCollector:
    """Lists through one client; `client_page_size` None adapts pages to what they cost, 0 is unpaged.

    `encodings` say which kinds to list as protobuf; without them all are listed as JSON.

    What the probes and one `collect()` learn of the server's pace, the next one begins with.
    """

    def __init__(
        self,
        client: Client,
        *,
        client_page_size: int | None = None,
        sleep: Callable[[float], None] = interruption.sleep,
        buffers: Buffers | None = None,
        encodings: Encodings | None = None,
    ) -> None:
        self._client = client
        self._buffers = buffers or Buffers()
        self._encodings = encodings or Encodings()
        page_size = PageSize(streams_lists=client.streams_lists, fixed_limit=client_page_size)
        self._pace = Pace(page_size, sleep=sleep)

    def probes(self, requests: Sequence[ListRequest], *, revision: Revision) -> Generator[Probe, None, None]:
        """Ask for one item of each list, to know its count and whether it may be read at all."""
        prober = Prober(self._client)
        yield from prober.probes(requests, revision=revision)
        self._pace.gate.follow(prober.gate)

    @property
    def gate(self) -> Gate:
        """What became of the lists' number and times."""
        return self._pace.gate

    def collect(self, probes: Sequence[Probe], *, sink: PageSink) -> Generator[CollectedList, None, None]:
        """Archive the probed lists in order; the next ones are asked for while one is read.

        A kind that can't be listed is an error in its result. KubeError ends the run: the server is gone for longer
        than a restart takes, or the credentials are refused. No thread is left when it ends, however it ends.
        """
        requests = Requests(self._client, buffers=self._buffers, encodings=self._encodings)
        ahead = ReadAhead(probes, requests=requests, pace=self._pace)
        try:
            for probe, first in ahead.lists():
                yield Listing(probe, first, sink=sink, requests=requests, pace=self._pace, ahead=ahead).run()
        finally:
            self._buffers.close()
