"""What a run and its shards tell each other comes over as it was."""

from dataclasses import replace

import orjson

from pinnace.backup.shard_order import ShardMade, ShardOrder
from pinnace.collect.collected_list import CollectedList, Span
from pinnace.collect.plan import ListRequest
from pinnace.collect.probe import Probe, Revision
from pinnace.engine import Archive
from pinnace.kube.discovery import ApiResource
from pinnace.store.object_store import StretchPlace
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.results import Entry, Results

_JOBS = ApiResource(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    namespaced=True,
    singular="job",
    short_names=("j",),
    aggregated=True,
)
_REQUEST = ListRequest(_JOBS, "ns", "app=web", "metadata.name=x", ("kube-system",), deduplicate=True, ordered_name="x")
_PROBE = Probe(_REQUEST, 3, Revision("7"), is_counted=False, bytes_per_item=12.5, warning="w", is_slow=True)


def order() -> ShardOrder:
    return ShardOrder(
        backup=Backup(name="b", namespace="velero", spec=BackupSpec(included_namespaces=("ns",))),
        segments=((_PROBE, _PROBE), (_PROBE,)),
        place=StretchPlace("u1", 1, 3),
        level="fast",
        threads=2,
        mtime_seconds=7,
        log_level="debug",
        list_encoding="protobuf",
        client_page_size=None,
    )


def test_an_order_is_one_line_and_read_as_it_was_written() -> None:
    text = order().to_json()
    assert b"\n" not in text
    read = ShardOrder.from_json(text)
    assert read.backup.to_document() == order().backup.to_document()
    assert replace(read, backup=order().backup) == replace(order(), backup=order().backup)
    assert hash(read.probes[0].request) == hash(_REQUEST), "lists are found by their request"


def test_what_a_shard_made_has_the_lists_of_its_order() -> None:
    digest = Archive(level="fast", mtime_seconds=7, threads=1, is_stretch=True).finish()
    lists = [
        CollectedList(_REQUEST, spans=[Span("7", 3, "ns/x"), Span("9", 1)], item_count=4, page_bytes=9, warnings=["w"]),
        CollectedList(_REQUEST, consistency="kind", error="e"),
        CollectedList(_REQUEST),
    ]
    lists[0].add_left_out({"deleting": 2}, refused_count=1)
    results = Results()
    results.add_error("m", namespace="ns", resource="jobs.batch", name="x", error="e", fields={"only": "in the log"})
    document = ShardMade.to_document(digest, {"bytes": 1}, lists, namespaces={"b", "a"}, results=results)
    made = ShardMade.from_document(orjson.loads(orjson.dumps(document)), order())
    assert list(made.lists) == lists
    assert (made.stretch, made.namespaces) == ({"bytes": 1}, ["a", "b"])
    assert made.digest == {
        "archive_bytes": 0,
        "archive_sha256": digest.archive_sha256,
        "tar_bytes": 0,
        "member_count": 0,
    }
    told: list[Entry] = []
    merged = Results(told.append)
    merged.absorb(made.results)
    assert list(merged.entries()) == [Entry("error", "m", "ns", "jobs.batch", "x", "e")]
    assert (merged.error_count, told) == (1, []), "the shard's own log has it"


def test_results_of_several_are_capped_and_counted_as_those_of_one() -> None:
    alone, merged = Results(), Results()
    for _ in range(3):
        part = Results()
        for number in range(150):
            for results in (alone, part):
                results.add_warning("m", resource="jobs.batch", name=f"x{number}")
        merged.absorb(part.to_shared())
    assert merged.warning_count == alone.warning_count == 450
    assert len(merged.entries()) == len(alone.entries()) == 101
    assert merged.closing_entries() == alone.closing_entries()
    merged.add_error("after")
    assert merged.error_count == 1
