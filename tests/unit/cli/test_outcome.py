"""The end of a run is one table, and its errors and warnings below each other with item and cause."""

from pinnace.backup.run import Outcome
from pinnace.cli.outcome import outcome_rows, result_rows
from pinnace.collect.collected_list import CollectedList, Span
from pinnace.collect.plan import ListRequest
from pinnace.engine import Archive
from pinnace.kube.discovery import ApiResource
from pinnace.velero.backup import Backup
from pinnace.velero.results import Results
from unit.backup.small_backup import CONFIG_MAPS

_EVENTS = ApiResource(group="", version="v1", kind="Event", plural="events", namespaced=True)
_PORTS = ApiResource(group="harbour.example", version="v1", kind="Port", plural="ports", namespaced=False)


def outcome(*lists: CollectedList, results: Results) -> Outcome:
    backup = Backup(name="b").with_status(phase="PartiallyFailed", items_backed_up=3000, errors=1, warnings=2)
    return Outcome(backup, results, lists, Archive(level="fast", mtime_seconds=0, threads=1).finish())


def test_the_summary_has_counts_rate_and_place() -> None:
    lists = (
        CollectedList(ListRequest(CONFIG_MAPS), spans=[Span("7")], item_count=2000, page_bytes=4_000_000),
        CollectedList(
            ListRequest(_EVENTS), spans=[Span("9")], consistency="kind", item_count=1000, page_bytes=2_000_000
        ),
        CollectedList(ListRequest(_PORTS), consistency="kind", error="forbidden"),
    )
    made = outcome(*lists, results=Results())
    rows = outcome_rows(made, seconds=2.0, location="folder /srv")
    archive = f"{made.digest.archive_bytes} bytes from 6.0 MB of lists"
    assert [tuple(row.values()) for row in rows] == [
        ("Name", "b"),
        ("Phase", "PartiallyFailed"),
        ("Items", "3,000"),
        ("Kinds", 2),
        ("Archive", archive),
        ("Duration", "2.0 s, 1,500 items/s, 3.0 MB/s"),
        ("Consistency", "revision 7; each in itself: events"),
        ("Errors", 1),
        ("Warnings", 2),
        ("Location", "folder /srv, backups/b/"),
    ]


def test_lists_at_no_common_revision_are_said_to_be_so() -> None:
    rows = outcome_rows(
        outcome(CollectedList(ListRequest(_EVENTS), consistency="kind"), results=Results()), seconds=1.0, location="l"
    )
    assert {"backup": "Consistency", "value": "each kind in itself"} in rows


def test_errors_come_before_warnings_with_item_and_cause() -> None:
    results = Results()
    results.add_warning("w")
    results.add_error("m", namespace="ns", resource="pods", name="p", error="e")
    assert list(result_rows(results.entries())) == [
        {"ERROR": "pods", "NAMESPACE": "ns", "NAME": "p", "CAUSE": "m: e"},
        {"WARNING": "-", "NAMESPACE": "-", "NAME": "-", "CAUSE": "w"},
    ]
