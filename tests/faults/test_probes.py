"""The first question to each list meets old servers, missing rights and APIs without a server."""

import json
import threading
from pathlib import Path

import pytest

from faults.collecting import CONFIG_MAPS, EXACT, kind, refusal
from faults.list_server import Answer, serving
from pinnace.collect.plan import ListRequest
from pinnace.collect.probe import Probe, Prober, Revision
from pinnace.errors import KubeError
from pinnace.kube.discovery import ApiResource

_EVENTS = ApiResource(group="", version="v1", kind="Event", plural="events", namespaced=True)


def one_of(count: int, *, item_bytes: int = 10) -> Answer:
    """A list of one item that says how many more there are; `count` 0 says nothing, as with selectors."""
    metadata: dict[str, object] = {"resourceVersion": "7"}
    if count != 1:
        metadata["continue"] = "t"
    if count > 1:
        metadata["remainingItemCount"] = count - 1
    return Answer(json.dumps({"metadata": metadata, "items": [{"x": "y" * item_bytes}]}).encode())


def probed(answers: list[Answer], *, folder: Path, resource: ApiResource = CONFIG_MAPS) -> tuple[Probe, list[str]]:
    with serving(answers, folder=folder) as (client, asked):
        (probe,) = Prober(client).probes([ListRequest(resource)], revision=Revision("7"))
    return probe, asked.queries


def test_a_count_and_the_size_of_an_item_are_learned(tmp_path: Path) -> None:
    probe, queries = probed([one_of(300, item_bytes=5000)], folder=tmp_path)
    assert (probe.item_count, probe.is_counted, probe.revision, probe.error) == (300, True, Revision("7"), None)
    assert 4700 < probe.bytes_per_item < 5100
    assert queries == [f"limit=1&{EXACT}"]


def test_a_server_that_does_not_count_is_not_taken_to_have_two_items(tmp_path: Path) -> None:
    probe, _ = probed([one_of(0)], folder=tmp_path)
    assert (probe.item_count, probe.is_counted, probe.expected.item_count) == (2, False, None)


@pytest.mark.parametrize("status", [400, 410, 422, 504])
def test_a_server_that_can_not_list_at_the_revision_makes_the_kind_its_own_with_a_warning(
    tmp_path: Path, status: int
) -> None:
    probe, queries = probed([refusal(status, "not that one"), one_of(3)], folder=tmp_path)
    assert (probe.item_count, probe.revision) == (3, Revision())
    assert probe.warning == "can't be listed at revision 7, and is listed at its newest: not that one"
    assert queries == [f"limit=1&{EXACT}", "limit=1"]


_BEHIND = refusal(504, "Timeout: Too large resource version: 7, current: 6", retry_after="1")


def test_a_server_that_is_a_moment_behind_does_not_cost_the_kind_its_revision(tmp_path: Path) -> None:
    probe, queries = probed([_BEHIND, _BEHIND, one_of(3)], folder=tmp_path)
    assert (probe.item_count, probe.revision, probe.warning) == (3, Revision("7"), "")
    assert queries == [f"limit=1&{EXACT}"] * 3


def test_a_server_that_stays_behind_is_not_waited_for(tmp_path: Path) -> None:
    probe, queries = probed([*[_BEHIND] * 3, one_of(3)], folder=tmp_path)
    assert (probe.item_count, probe.revision, queries) == (3, Revision(), [*[f"limit=1&{EXACT}"] * 3, "limit=1"])
    assert "Too large resource version: 7, current: 6" in probe.warning


@pytest.mark.parametrize("resource", [_EVENTS, kind("things", aggregated=True)])
def test_events_and_aggregated_apis_are_listed_at_their_newest_without_a_warning(
    tmp_path: Path, resource: ApiResource
) -> None:
    probe, queries = probed([one_of(3)], folder=tmp_path, resource=resource)
    assert (probe.revision, probe.warning, queries) == (Revision(), "", ["limit=1"])


def test_a_missing_right_stands_in_the_probe(tmp_path: Path) -> None:
    probe, _ = probed([refusal(403, "no", details={"kind": "configmaps"})], folder=tmp_path)
    assert str(probe.error) == (
        f"GET /api/v1/configmaps?limit=1&{EXACT}: no; "
        "grant get,list on configmaps to the user or service account that backs up"
    )


def test_an_answer_that_is_no_list_stands_in_the_probe(tmp_path: Path) -> None:
    probe, _ = probed([Answer(b"<html>")], folder=tmp_path)
    assert "the answer is not a list" in str(probe.error)


def test_refused_credentials_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="log in again"):
        probed([refusal(401, "Unauthorized")] * 2, folder=tmp_path)


def test_a_busy_server_is_asked_by_fewer_probes_and_by_none_before_the_time_that_it_names(tmp_path: Path) -> None:
    plurals = [f"{letter}s" for letter in "abcdefgh"]
    answers = {f"/apis/example.com/v1/{plural}": [one_of(1)] for plural in plurals}
    answers["/apis/example.com/v1/as"].insert(0, refusal(429, "slow down", retry_after="1"))
    with serving(answers, folder=tmp_path) as (client, asked):
        prober = Prober(client)
        probes = list(prober.probes([ListRequest(kind(plural)) for plural in plurals], revision=Revision()))
    assert [probe.item_count for probe in probes] == [1] * 8
    assert (len(asked.paths), client.throttled_count) == (9, 1)
    assert prober.gate.fewest == 3
    assert prober.gate.closed_seconds == pytest.approx(1.0)


def test_a_caller_that_stops_hangs_up_on_what_is_not_answered(tmp_path: Path) -> None:
    never = threading.Event()
    answers = {
        "/apis/example.com/v1/as": [one_of(1)],
        "/apis/example.com/v1/bs": [Answer(b"", hold=never)],
        "/apis/example.com/v1/cs": [refusal(429, "later", retry_after="200")],
    }
    requests = [ListRequest(kind(plural)) for plural in ("as", "bs", "cs")]
    try:
        with serving(answers, folder=tmp_path) as (client, _):
            probes = Prober(client).probes(requests, revision=Revision())
            assert next(probes).item_count == 1
            probes.close()
        assert [thread for thread in threading.enumerate() if thread.name.startswith("probe")] == []
    finally:
        never.set()
