"""A list is throttled, expires, breaks off or is forbidden: its items come once, or the result says what lacks."""

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from faults.list_server import Answer, serving
from pinnace.collect.item_collector import CollectedList, ItemCollector, Probe, Revision
from pinnace.collect.plan import ListRequest
from pinnace.engine import Archive, Page, PageSummary
from pinnace.kube.discovery import ApiResource

_CONFIG_MAPS = ApiResource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
_LARGER_THAN_A_CHUNK = 300 << 10
"""So that whole items are archived before the connection ends."""

_EXACT = "resourceVersion=7&resourceVersionMatch=Exact"


def page(names: Sequence[str], *, token: str = "", revision: str = "7", value_bytes: int = 40) -> bytes:
    metadata = {"resourceVersion": revision, **({"continue": token} if token else {})}
    items = [
        {"metadata": {"name": name, "namespace": "n", "uid": f"u-{name}"}, "data": {"k": "v" * value_bytes}}
        for name in names
    ]
    return json.dumps({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": items}).encode()


def refusal(status: int, message: str, *, token: str = "") -> Answer:
    document = {"kind": "Status", "metadata": {"continue": token} if token else {}, "message": message}
    return Answer(json.dumps(document).encode(), status=status, headers={"Retry-After": "3"})


class Sink:
    def __init__(self) -> None:
        self.archive = Archive(level="fast", mtime_seconds=0, threads=1)

    def open(self, request: ListRequest, *, described: str, skip_items: int, skip_uid: str | None) -> Page:
        return self.archive.page(
            request=described,
            group_resource=request.resource.group_resource,
            api_version="v1",
            kind="ConfigMap",
            skip_items=skip_items,
            skip_uid=skip_uid,
        )

    def fed(self) -> None:
        """Nothing waits for bytes here."""

    def finished(self, request: ListRequest, summary: PageSummary) -> None:
        """Nothing is counted here."""

    def names(self) -> list[str]:
        self.archive.finish()
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(self.archive.take_archive()))) as tar:
            paths = [name for name in tar.getnames() if "v1-preferredversion" in name]
        return [Path(path).stem for path in paths]


def collect(answers: Sequence[Answer], *, folder: Path) -> tuple[CollectedList, list[str], list[str], list[float]]:
    pauses: list[float] = []
    sink = Sink()
    with serving(answers, folder=folder) as (client, asked):
        collector = ItemCollector(client, client_page_size=2, sleep=pauses.append)
        (collected,) = collector.collect([Probe(ListRequest(_CONFIG_MAPS), 4, Revision("7"))], sink=sink)
    queries = [path.partition("?")[2] for path in asked]
    return collected, sink.names(), queries, pauses


def test_a_throttled_page_is_asked_for_again_after_the_pause_that_the_server_names(tmp_path: Path) -> None:
    collected, names, queries, pauses = collect([refusal(429, "slow down"), Answer(page(["a"]))], folder=tmp_path)
    assert (collected.error, names, pauses) == ("", ["a"], [3.0])
    assert queries == [f"limit=2&{_EXACT}"] * 2


def test_a_revision_that_expired_before_the_first_page_is_listed_at_a_newer_one_and_named(tmp_path: Path) -> None:
    answers = [refusal(410, "too old"), Answer(page(["a"], revision="9"))]
    collected, names, queries, _ = collect(answers, folder=tmp_path)
    assert (collected.error, names, collected.revisions, collected.consistency) == ("", ["a"], ["9"], "kind")
    assert collected.warnings == ["revision 7 is no longer kept; listed at a newer one"]
    assert queries == [f"limit=2&{_EXACT}", "limit=2"]


def test_a_list_that_expires_in_its_middle_goes_on_with_the_servers_continuation(tmp_path: Path) -> None:
    answers = [
        Answer(page(["a", "b"], token="t1")),
        refusal(410, "expired", token="t2"),
        Answer(page(["c"], revision="9")),
    ]
    collected, names, queries, _ = collect(answers, folder=tmp_path)
    assert (collected.error, names, collected.revisions) == ("", ["a", "b", "c"], ["7", "9"])
    assert len(collected.warnings) == 1
    assert queries == [f"limit=2&{_EXACT}", "limit=2&continue=t1", "limit=2&continue=t2"]


def test_a_response_that_breaks_off_is_repeated_at_its_revision_and_no_item_comes_twice(tmp_path: Path) -> None:
    whole = page(["a", "b", "c"], value_bytes=_LARGER_THAN_A_CHUNK)
    answers = [Answer(whole, cut_after=whole.index(b'"c"')), Answer(whole)]
    collected, names, queries, _ = collect(answers, folder=tmp_path)
    assert (collected.error, names) == ("", ["a", "b", "c"])
    assert queries == [f"limit=2&{_EXACT}"] * 2


def test_a_repeated_response_with_other_items_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    whole = page(["a", "b", "c"], value_bytes=_LARGER_THAN_A_CHUNK)
    answers = [
        Answer(whole, cut_after=whole.index(b'"c"')),
        Answer(page(["x", "y", "z"], value_bytes=_LARGER_THAN_A_CHUNK)),
    ]
    collected, names, _, _ = collect(answers, folder=tmp_path)
    assert "GET /api/v1/configmaps" in collected.error
    assert names[0] == "a"
    assert not {"y", "z"} & set(names)


def test_a_forbidden_list_is_an_error_with_the_missing_right(tmp_path: Path) -> None:
    collected, names, queries, pauses = collect([refusal(403, "configmaps is forbidden")], folder=tmp_path)
    assert collected.error.endswith(
        "configmaps is forbidden; grant the verb list on it to the user or service account that backs up"
    )
    assert (names, len(queries), pauses) == ([], 1, [])


def test_a_server_that_stays_away_is_given_up_after_five_attempts(tmp_path: Path) -> None:
    collected, _, queries, pauses = collect([refusal(503, "starting")] * 5, folder=tmp_path)
    assert ("starting" in collected.error, len(queries), pauses) == (True, 5, [1.0, 2.0, 4.0, 8.0])


def test_a_malformed_page_is_an_error_with_its_byte_and_the_items_before_it_stay(tmp_path: Path) -> None:
    body = page(["a", "b"]).replace(b'"name": "b"', b'"name": nope')
    collected, names, _, _ = collect([Answer(body)], folder=tmp_path)
    assert collected.error.startswith(f"GET /api/v1/configmaps?limit=2&{_EXACT}: byte {body.index(b'nope') + 1} of")
    assert names == ["a"]
