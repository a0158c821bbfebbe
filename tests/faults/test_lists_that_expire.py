"""etcd's compaction takes a revision away: on a first page the kind is listed anew, in the middle it goes on."""

from pathlib import Path

from faults.collecting import EXACT, collect, page, refusal
from faults.list_server import Answer
from pinnace.collect.collected_list import Span

_TOKEN = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6Nywic3RhcnQiOiIvbi9iXHUwMDAwIn0"
"""{"v":"meta.k8s.io/v1","rv":7,"start":"/n/b\\u0000"}, as an apiserver encodes it."""


def test_before_the_first_page_the_kind_is_listed_at_a_newer_revision_and_named(tmp_path: Path) -> None:
    collected = collect([refusal(410, "too old"), Answer(page(["a"], revision="9"))], folder=tmp_path)
    assert (collected.result.error, collected.names) == ("", ["a"])
    assert (collected.result.revisions, collected.result.consistency) == (["9"], "kind")
    assert collected.result.warnings == ["can't be listed at revision 7, and is listed at its newest: too old"]
    assert collected.asked.queries == [f"limit=2&{EXACT}", "limit=2"]


def test_in_the_middle_it_goes_on_with_the_servers_continuation_and_tells_from_where(tmp_path: Path) -> None:
    answers = [
        Answer(page(["a", "b"], token=_TOKEN)),
        refusal(410, "expired", token="t2"),
        Answer(page(["c"], revision="9")),
    ]
    collected = collect(answers, folder=tmp_path)
    assert (collected.result.error, collected.names) == ("", ["a", "b", "c"])
    assert collected.result.spans == [Span("7", 2, up_to="n/b"), Span("9", 1)]
    assert collected.result.consistency == "kind"
    assert collected.result.warnings == [
        "revision 7 expired after 2 items, the last of them n/b; what comes after is listed at a newer one"
    ]
    assert collected.asked.queries == [f"limit=2&{EXACT}", f"limit=2&continue={_TOKEN}", "limit=2&continue=t2"]


def test_a_token_that_is_not_understood_leaves_the_number_of_items(tmp_path: Path) -> None:
    answers = [
        Answer(page(["a", "b"], token="t1")),
        refusal(410, "expired", token="t2"),
        Answer(page(["c"], revision="9")),
    ]
    collected = collect(answers, folder=tmp_path)
    assert collected.result.spans == [Span("7", 2), Span("9", 1)]
    assert collected.result.warnings == ["revision 7 expired after 2 items; what comes after is listed at a newer one"]


def test_without_a_continuation_the_list_is_an_error_and_what_was_read_stays(tmp_path: Path) -> None:
    answers = [Answer(page(["a", "b"], token="t1")), refusal(410, "expired")]
    collected = collect(answers, folder=tmp_path)
    assert collected.result.error.endswith("expired")
    assert collected.names == ["a", "b"]
