"""A list is throttled, breaks off, is forbidden or nonsense: its items come once, or the result says what lacks."""

from pathlib import Path

import pytest

from command import kubeconfig_of
from faults.collecting import CONFIG_MAPS, EXACT, LARGER_THAN_A_CHUNK, Sink, collect, kind, page, refusal
from faults.list_server import Answer, listening, serving
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.plan import ListRequest
from pinnace.collect.probe import Probe, Revision
from pinnace.errors import KubeError, ServerUnreachableError
from pinnace.kube.client import connect


def test_a_throttled_page_is_asked_for_again_after_the_pause_that_the_server_names(tmp_path: Path) -> None:
    collected = collect([refusal(429, "slow down"), Answer(page(["a"]))], folder=tmp_path)
    assert (collected.result.error, collected.names, collected.pauses) == ("", ["a"], [3.0])
    assert collected.asked.queries == [f"limit=2&{EXACT}"] * 2


def test_a_response_that_breaks_off_is_repeated_at_its_revision_and_no_item_comes_twice(tmp_path: Path) -> None:
    whole = page(["a", "b", "c"], value_bytes=LARGER_THAN_A_CHUNK)
    answers = [Answer(whole, cut_after=whole.index(b'"c"')), Answer(whole)]
    collected = collect(answers, folder=tmp_path)
    assert (collected.result.error, collected.names) == ("", ["a", "b", "c"])
    assert collected.asked.queries == [f"limit=2&{EXACT}"] * 2
    assert (collected.result.item_count, collected.namespaces) == (3, {"n": 3})


def test_a_repeated_response_that_breaks_off_earlier_forgets_nothing(tmp_path: Path) -> None:
    whole = page(["a", "b", "c", "d"], value_bytes=LARGER_THAN_A_CHUNK)
    cuts = [Answer(whole, cut_after=whole.index(name)) for name in (b'"d"', b'"c"')]
    collected = collect([*cuts, Answer(whole)], folder=tmp_path)
    assert (collected.result.error, collected.names) == ("", ["a", "b", "c", "d"])
    assert collected.result.item_count == 4


def test_a_repeated_page_without_a_fixed_size_asks_for_what_it_passes_over_as_well(tmp_path: Path) -> None:
    whole = page(["a", "b", "c"], token="t1", value_bytes=LARGER_THAN_A_CHUNK)
    firsts = [Answer(whole, cut_after=whole.index(b'"c"')), Answer(whole)]

    def answer(path: str) -> Answer:
        return Answer(page(["d"])) if "continue=t1" in path else firsts.pop(0)

    sink = Sink()
    with listening(answer) as (url, asked):
        client = connect(kubeconfig=kubeconfig_of(url, folder=tmp_path))
        probe = Probe(ListRequest(CONFIG_MAPS), 9000, Revision("7"), bytes_per_item=float(LARGER_THAN_A_CHUNK))
        (result,) = ItemCollector(client, sleep=lambda _: None).collect([probe], sink=sink)
    assert (result.error, sink.names()) == ("", ["a", "b", "c", "d"])
    first, second = [query for query in asked.queries if "continue" not in query]
    assert first == f"limit=27&{EXACT}"
    assert second == f"limit=21&{EXACT}"


def test_a_page_that_breaks_off_is_repeated_at_its_own_size_and_not_at_that_of_its_successor(tmp_path: Path) -> None:
    first, second = ([f"{letter}{number:02}" for number in range(40)] for letter in "ab")
    broken = page(second, token="t2", value_bytes=LARGER_THAN_A_CHUNK)
    answers = {
        "": [Answer(page(first, token="t1", value_bytes=LARGER_THAN_A_CHUNK))],
        "t1": [Answer(broken, cut_after=broken.index(b'"b39"')), Answer(broken)],
        "t2": [Answer(page(["c"]))] * 2,
    }

    def answer(path: str) -> Answer:
        return answers[path.partition("continue=")[2].partition("&")[0]].pop(0)

    sink = Sink()
    with listening(answer) as (url, asked):
        client = connect(kubeconfig=kubeconfig_of(url, folder=tmp_path))
        # Its items are larger than the probe had reason to think, so that later pages ask for fewer of them.
        probe = Probe(ListRequest(CONFIG_MAPS), 9000, Revision("7"), bytes_per_item=LARGER_THAN_A_CHUNK / 10)
        (result,) = ItemCollector(client, sleep=lambda _: None).collect([probe], sink=sink)
    assert (result.error, sink.names()) == ("", [*first, *second, "c"])
    (_, again), (successor, *_) = (
        [int(query.partition("limit=")[2].partition("&")[0]) for query in asked.queries if f"continue={token}" in query]
        for token in ("t1", "t2")
    )
    assert successor < 39 <= again


def test_a_repeated_response_with_other_items_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    whole = page(["a", "b", "c"], value_bytes=LARGER_THAN_A_CHUNK)
    answers = [
        Answer(whole, cut_after=whole.index(b'"c"')),
        Answer(page(["x", "y", "z"], value_bytes=LARGER_THAN_A_CHUNK)),
    ]
    collected = collect(answers, folder=tmp_path)
    assert "GET /api/v1/configmaps" in collected.result.error
    assert collected.names[0] == "a"
    assert not {"y", "z"} & set(collected.names)


@pytest.mark.parametrize(
    ("details", "right"),
    [
        ({"kind": "configmaps"}, "configmaps"),
        ({"kind": "deployments", "group": "apps"}, "deployments.apps"),
        ({}, "it"),
    ],
)
def test_a_forbidden_list_is_an_error_with_the_missing_right(
    tmp_path: Path, details: dict[str, str], right: str
) -> None:
    collected = collect([refusal(403, "configmaps is forbidden", details=details, retry_after="")] * 5, folder=tmp_path)
    assert collected.result.error.endswith(
        f"configmaps is forbidden; grant get,list on {right} to the user or service account that backs up"
    )
    assert (collected.names, len(collected.asked.paths)) == ([], 5)


def test_the_right_that_a_server_names_is_the_one_to_grant(tmp_path: Path) -> None:
    message = (
        'configmaps is forbidden: User "system:serviceaccount:velero:pinnace-backup" cannot list resource "configmaps" '
        'in API group "" at the cluster scope'
    )
    said = refusal(403, message, details={"kind": "configmaps"}, retry_after="")
    collected = collect([said] * 5, folder=tmp_path)
    assert collected.result.error.endswith("; grant list on configmaps to system:serviceaccount:velero:pinnace-backup")


@pytest.mark.parametrize("status", [403, 404])
def test_an_apiserver_that_has_just_started_may_know_neither_rights_nor_kinds(status: int, tmp_path: Path) -> None:
    collected = collect([*[refusal(status, "x", retry_after="")] * 4, Answer(page(["a"]))], folder=tmp_path)
    assert (collected.names, collected.result.error, collected.pauses) == (["a"], "", [0.5, 1.0, 2.0, 4.0])


def test_a_list_that_fails_inside_the_server_is_given_up_after_five_attempts(tmp_path: Path) -> None:
    collected = collect([refusal(500, "webhook", retry_after="")] * 5, folder=tmp_path)
    assert collected.result.error.endswith("webhook")
    assert (len(collected.asked.paths), collected.pauses) == (5, [0.5, 1.0, 2.0, 4.0])


def test_a_server_that_is_restarted_is_waited_for_about_a_minute(tmp_path: Path) -> None:
    collected = collect([refusal(503, "starting", retry_after="")] * 11, folder=tmp_path)
    assert collected.result.error.endswith("starting")
    assert collected.pauses == [0.5, 1.0, 2.0, 4.0, *[8.0] * 6]


@pytest.mark.parametrize(
    ("answer", "aggregated"),
    [
        (refusal(503, "starting", retry_after=""), True),
        (Answer(b"service unavailable\n", status=503), False),
        (Answer(b"error trying to reach service: no endpoints", status=503), False),
    ],
)
def test_an_aggregated_api_without_its_server_costs_one_more_attempt_and_no_minute(
    tmp_path: Path, answer: Answer, aggregated: bool
) -> None:
    collected = collect([answer] * 2, folder=tmp_path, resource=kind("things", aggregated=aggregated))
    assert collected.result.error.startswith("GET /apis/example.com/v1/things")
    assert collected.pauses == [0.5]


def test_after_a_list_that_was_given_up_the_next_one_is_given_up_sooner_and_a_success_resets_that(
    tmp_path: Path,
) -> None:
    sick = refusal(500, "sick", retry_after="")
    answers = {
        "/apis/example.com/v1/as": [sick] * 5,
        "/apis/example.com/v1/bs": [sick] * 2,
        "/apis/example.com/v1/cs": [Answer(page(["c"]))],
        "/apis/example.com/v1/ds": [sick] * 5,
    }
    with serving(answers, folder=tmp_path) as (client, asked):
        collector = ItemCollector(client, client_page_size=0, sleep=lambda _: None)
        probes = [Probe(ListRequest(kind(plural)), 1, Revision()) for plural in ("as", "bs", "cs", "ds")]
        results = list(collector.collect(probes, sink=Sink()))
    assert [bool(result.error) for result in results] == [True, True, False, True]
    assert [asked.paths.count(path) for path in answers] == [5, 2, 1, 5]


def test_refused_credentials_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="log in again"):
        collect([refusal(401, "Unauthorized")] * 2, folder=tmp_path)


def test_a_server_that_is_gone_for_a_minute_ends_the_run_with_one_sentence(tmp_path: Path) -> None:
    pauses: list[float] = []
    with serving([], folder=tmp_path) as (client, _):
        pass
    collector = ItemCollector(client, client_page_size=2, sleep=pauses.append)
    with pytest.raises(ServerUnreachableError, match=r"is http://127\.0\.0\.1:\d+ reachable\?"):
        list(collector.collect([Probe(ListRequest(CONFIG_MAPS), 4, Revision("7"))], sink=Sink()))
    assert pauses == [0.5, 1.0, 2.0, 4.0, *[8.0] * 6]


def test_a_malformed_page_is_an_error_with_its_byte_and_the_items_before_it_stay(tmp_path: Path) -> None:
    body = page(["a", "b"]).replace(b'"name": "b"', b'"name": nope')
    collected = collect([Answer(body)], folder=tmp_path)
    expected = f"GET /api/v1/configmaps?limit=2&{EXACT}: byte {body.index(b'nope') + 1} of"
    assert collected.result.error.startswith(expected)
    assert (collected.names, collected.result.item_count) == (["a"], 1)


def test_a_body_that_ends_too_early_is_asked_for_again(tmp_path: Path) -> None:
    whole = page(["a", "b"])
    collected = collect([Answer(whole[: whole.index(b'"b"')]), Answer(whole)], folder=tmp_path)
    assert (collected.result.error, collected.names, collected.pauses) == ("", ["a", "b"], [0.5])


def test_a_page_that_is_no_list_is_an_error(tmp_path: Path) -> None:
    collected = collect([Answer(b'{"kind":"Status","status":"Success"}')], folder=tmp_path)
    assert 'an object of kind "Status" without items' in collected.result.error
    assert collected.names == []


def test_a_kind_that_can_not_be_listed_at_the_revision_is_listed_at_its_newest_and_named(tmp_path: Path) -> None:
    answers = [refusal(400, "no Exact here"), Answer(page(["a"], revision="9"))]
    collected = collect(answers, folder=tmp_path)
    assert (collected.result.error, collected.names, collected.result.consistency) == ("", ["a"], "kind")
    assert collected.result.warnings == ["can't be listed at revision 7, and is listed at its newest: no Exact here"]
    assert collected.asked.queries == [f"limit=2&{EXACT}", "limit=2"]
