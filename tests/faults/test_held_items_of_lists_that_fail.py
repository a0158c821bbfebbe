"""Held items pass once each however their list breaks off, and what fails while one is dealt with is not the list's."""

from pathlib import Path

import pytest

from faults.collecting import CONFIG_MAPS, LARGER_THAN_A_CHUNK, Sink, page, refusal
from faults.list_server import Answer, serving
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.list_encoding import Encoding
from pinnace.collect.plan import ListRequest
from pinnace.collect.probe import Probe, Revision
from pinnace.engine import Page
from pinnace.errors import KubeError, ServerUnreachableError

_WHOLE = page(["a", "b", "c", "d"], value_bytes=LARGER_THAN_A_CHUNK)


class HoldingSink(Sink):
    """Holds b and c, notes when each is dealt with, and archives it; `fails` is raised for c instead."""

    def __init__(self, *, fails: KubeError | None = None) -> None:
        super().__init__()
        self.dealt_with: list[str] = []
        self._fails = fails

    def open(
        self, request: ListRequest, *, described: str, encoding: Encoding, skip_items: int, skip_uid: str | None
    ) -> Page:
        return self.archive.page(
            request=described,
            group_resource="configmaps",
            api_version="v1",
            kind="ConfigMap",
            hold_names={"n/b", "n/c"},
            skip_items=skip_items,
            skip_uid=skip_uid,
        )

    def take_held(self, _: ListRequest, page: Page) -> int:
        held = page.take_held()
        for item in held:
            page.advance()
            self.dealt_with.append(item.name)
            if self._fails is not None and item.name == "c":
                raise self._fails
            self.archive.add_item(item.json, group_resource="configmaps", api_version="v1", kind="ConfigMap")
        return len(held)


def collected(sink: Sink, *answers: Answer, folder: Path) -> CollectedList:
    with serving(answers, folder=folder) as (client, _):
        collector = ItemCollector(client, client_page_size=0, sleep=lambda _: None)
        (result,) = collector.collect([Probe(ListRequest(CONFIG_MAPS), 4, Revision("7"))], sink=sink)
    return result


@pytest.mark.parametrize("before", [b'"b"', b'"c"', b'"d"'])
def test_a_list_that_breaks_off_is_gone_on_with_behind_what_was_held(tmp_path: Path, before: bytes) -> None:
    sink = HoldingSink()
    result = collected(sink, Answer(_WHOLE, cut_after=_WHOLE.index(before)), Answer(_WHOLE), folder=tmp_path)
    assert (result.error, result.item_count, sink.dealt_with) == ("", 4, ["b", "c"])
    assert sink.names() == ["a", "b", "c", "d"]


def test_held_items_before_a_flaw_are_dealt_with_and_counted(tmp_path: Path) -> None:
    sink = HoldingSink()
    flawed = page(["a", "b", "c", "d"]).replace(b'"d"', b"d")
    result = collected(sink, Answer(flawed), folder=tmp_path)
    assert "not a literal" in result.error or "expected a value" in result.error
    assert (result.item_count, sink.dealt_with, sink.names()) == (3, ["b", "c"], ["a", "b", "c"])


@pytest.mark.parametrize(
    "error",
    [
        ServerUnreachableError(request="GET /x", status=0, reason="gone"),
        KubeError(request="GET /x", status=503, reason="starting"),
    ],
)
def test_an_error_while_an_item_is_dealt_with_ends_the_run_and_not_only_the_attempt(
    tmp_path: Path, error: KubeError
) -> None:
    """The list would be asked for again, and c, which was handed out already, be passed over."""
    sink = HoldingSink(fails=error)
    with pytest.raises(KubeError) as raised:
        collected(sink, Answer(_WHOLE), refusal(500, "not asked for"), folder=tmp_path)
    assert (raised.value, sink.dealt_with) == (error, ["b", "c"])
