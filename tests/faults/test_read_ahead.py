"""Lists asked for before their turn: in plan order, over few connections, in bounded bytes, and gone when it ends."""

import json
import threading
from collections import Counter
from pathlib import Path

import pytest

from command import kubeconfig_of
from faults.collecting import CONFIG_MAPS, Sink, kind, page, refusal
from faults.list_server import Answer, listening, serving
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.plan import ListRequest
from pinnace.collect.prefetch import Buffers
from pinnace.collect.probe import Probe, Revision
from pinnace.errors import InterruptedRun
from pinnace.kube.client import connect

_CHUNK = 256 << 10


def probes(*plurals: str, item_count: int = 1) -> list[Probe]:
    return [Probe(ListRequest(kind(plural)), item_count, Revision()) for plural in plurals]


def path(plural: str) -> str:
    return f"/apis/example.com/v1/{plural}"


def prefetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in ("prefetch", "probe_0")]


def test_twenty_small_lists_need_no_more_connections_than_may_be_in_flight(tmp_path: Path) -> None:
    plurals = [f"kind{number:02}s" for number in range(20)]
    sink = Sink()
    with serving({path(plural): [Answer(page([plural]))] for plural in plurals}, folder=tmp_path) as (client, asked):
        results = list(ItemCollector(client).collect(probes(*plurals), sink=sink))
    assert sink.names() == plurals
    assert [result.error for result in results] == [""] * 20
    assert asked.connections <= 6


def test_a_refusal_leaves_its_connection_for_the_next_request(tmp_path: Path) -> None:
    answers = [refusal(410, "too old"), Answer(page(["a"]))]
    with serving(answers, folder=tmp_path) as (client, asked):
        probe = Probe(ListRequest(CONFIG_MAPS), 1, Revision("7"))
        list(ItemCollector(client, client_page_size=0).collect([probe], sink=Sink()))
    assert (len(asked.paths), asked.connections) == (2, 1)


def test_lists_that_arrive_in_another_order_are_archived_in_plan_order(tmp_path: Path) -> None:
    release = threading.Event()
    served: list[str] = []

    def answer(asked_path: str) -> Answer:
        served.append(asked_path)
        if asked_path == path("as"):
            return Answer(page(["a"]), hold=release)
        release.set()  # the first list is answered only after a later one was asked for
        return Answer(page([asked_path[-2]]))

    sink = Sink()
    with listening(answer) as (url, _):
        client = connect(kubeconfig=kubeconfig_of(url, folder=tmp_path))
        list(ItemCollector(client).collect(probes("as", "bs", "cs"), sink=sink))
    assert sink.names() == ["a", "b", "c"]
    assert set(served) == {path("as"), path("bs"), path("cs")}


def test_a_throttled_list_behind_the_head_halves_what_is_in_flight_and_is_asked_for_again(tmp_path: Path) -> None:
    pauses: list[float] = []
    sink = Sink()
    answers = {
        path("as"): [Answer(page(["a"]))],
        path("bs"): [refusal(429, "slow down", retry_after="200"), Answer(page(["b"]))],
        path("cs"): [Answer(page(["c"]))],
    }
    with serving(answers, folder=tmp_path) as (client, _):
        list(ItemCollector(client, sleep=pauses.append).collect(probes("as", "bs", "cs"), sink=sink))
    assert sink.names() == ["a", "b", "c"]
    # "cs" was on its way already, or it waits, too.
    assert {round(pause) for pause in pauses} == {200}


def test_a_response_whose_turn_does_not_come_is_given_up_and_asked_for_again(tmp_path: Path) -> None:
    given_up = threading.Event()
    large = page(["b"], value_bytes=8 * _CHUNK)
    asked_for: list[str] = []

    def answer(asked_path: str) -> Answer:
        asked_for.append(asked_path)
        if asked_path == path("as"):
            return Answer(page(["a"]), hold=given_up)
        return Answer(large)

    class Watched(Buffers):
        """Tells when a response gave back the bytes that it held in vain."""

        def add_waiting(self, count_bytes: int) -> None:
            super().add_waiting(count_bytes)
            if count_bytes < 0:
                given_up.set()

    sink = Sink()
    buffers = Watched(head_bytes=2 * _CHUNK, successors_bytes=2 * _CHUNK, longest_unread_seconds=0.05)
    with listening(answer) as (url, _):
        client = connect(kubeconfig=kubeconfig_of(url, folder=tmp_path))
        results = list(ItemCollector(client, buffers=buffers).collect(probes("as", "bs"), sink=sink))
    assert sink.names() == ["a", "b"]
    assert [result.error for result in results] == ["", ""]
    # Which of the first two arrives first is open; that the second was asked for early is proven by the first, which
    # ends only when the second is given up.
    assert Counter(asked_for) == {path("as"): 1, path("bs"): 2}


def test_the_bytes_of_all_responses_together_are_bounded(tmp_path: Path) -> None:
    most_bytes = 0

    class Watched(Buffers):
        """Remembers the most that waited."""

        def add_waiting(self, count_bytes: int) -> None:
            nonlocal most_bytes
            super().add_waiting(count_bytes)
            most_bytes = max(most_bytes, self._waiting_bytes)

    plurals = [f"kind{number}s" for number in range(8)]
    body = page(["x"], value_bytes=6 * _CHUNK)
    buffers = Watched(head_bytes=4 * _CHUNK, successors_bytes=6 * _CHUNK)
    sink = Sink()
    with serving({path(plural): [Answer(body)] for plural in plurals}, folder=tmp_path) as (client, _):
        list(ItemCollector(client, buffers=buffers).collect(probes(*plurals), sink=sink))
    assert len(sink.names()) == 8
    # Each of at most five successors may have had a chunk in hand when the bound was reached.
    assert most_bytes <= (6 + 5) * _CHUNK


@pytest.mark.parametrize("held", ["before the first byte", "in the middle"])
def test_a_signal_ends_every_thread_although_the_server_does_not_answer(tmp_path: Path, held: str) -> None:
    never = threading.Event()
    second_was_asked = threading.Event()
    body = page(["a"], value_bytes=4 * _CHUNK)

    def answer(asked_path: str) -> Answer:
        if asked_path == path("bs"):
            second_was_asked.set()
            return Answer(body, hold=never, hold_after=None if held == "before the first byte" else _CHUNK)
        return Answer(body)

    class InterruptedSink(Sink):
        """Stands for a signal handler that raises while the archive takes a chunk."""

        def fed(self) -> None:
            second_was_asked.wait()
            raise InterruptedRun(signal_number=15)

    try:
        with listening(answer) as (url, _):
            client = connect(kubeconfig=kubeconfig_of(url, folder=tmp_path))
            with pytest.raises(InterruptedRun):
                list(ItemCollector(client).collect(probes("as", "bs", "cs"), sink=InterruptedSink()))
            assert prefetch_threads() == []
    finally:
        never.set()


def test_no_thread_is_left_when_all_lists_are_read(tmp_path: Path) -> None:
    with serving({path("as"): [Answer(page(["a"]))], path("bs"): [Answer(page(["b"]))]}, folder=tmp_path) as (
        client,
        _,
    ):
        list(ItemCollector(client).collect(probes("as", "bs"), sink=Sink()))
    assert prefetch_threads() == []


def test_a_caller_that_stops_in_the_middle_leaves_no_thread(tmp_path: Path) -> None:
    answers = {path(plural): [Answer(page([plural]))] for plural in ("as", "bs", "cs")}
    with serving(answers, folder=tmp_path) as (client, _):
        lists = ItemCollector(client).collect(probes("as", "bs", "cs"), sink=Sink())
        next(lists)
        lists.close()
    assert prefetch_threads() == []


def test_what_is_read_for_the_head_does_not_wait_for_its_successors(tmp_path: Path) -> None:
    never = threading.Event()
    hogged = threading.Event()
    large = page(["b"], value_bytes=8 * _CHUNK)

    def answer(asked_path: str) -> Answer:
        if asked_path == path("as"):
            hogged.wait()
            return Answer(page(["a"], value_bytes=8 * _CHUNK))
        return Answer(large)

    class Watched(Buffers):
        """Tells when the successors hold all that they may."""

        def add_waiting(self, count_bytes: int) -> None:
            super().add_waiting(count_bytes)
            if not self.admit(0, is_head=False):
                hogged.set()

    sink = Sink()
    buffers = Watched(head_bytes=2 * _CHUNK, successors_bytes=2 * _CHUNK)
    with listening(answer) as (url, _):
        client = connect(kubeconfig=kubeconfig_of(url, folder=tmp_path))
        list(ItemCollector(client, buffers=buffers).collect(probes("as", "bs"), sink=sink))
    never.set()
    assert sink.names() == ["a", "b"]


def test_metadata_at_the_end_of_a_custom_resources_list_is_found(tmp_path: Path) -> None:
    def custom(name: str, token: str) -> Answer:
        document = json.loads(page([name]))
        document["metadata"] = {"resourceVersion": "7", "continue": token}
        return Answer(json.dumps({key: document[key] for key in ("apiVersion", "items", "kind", "metadata")}).encode())

    sink = Sink()
    with serving([custom("a", "t1"), custom("b", "")], folder=tmp_path) as (client, asked):
        list(ItemCollector(client, client_page_size=1).collect(probes("as", item_count=2), sink=sink))
    assert sink.names() == ["a", "b"]
    assert asked.queries == ["limit=1", "limit=1&continue=t1"]
