"""What is reckoned from the runs: medians, which floor counts, ratios; and that figures survive being written."""

import json

import pytest

from bench_samples import measurement, run
from pinnace.bench.figures import AGAINST, BACKUP, FLOOR, Measurement, label_of_page
from pinnace.errors import UsageError


def test_the_floor_is_the_page_size_with_the_smallest_median_and_not_the_luckiest_run() -> None:
    lucky = [run(FLOOR, "500 a page", wall) for wall in (0.5, 3.0, 3.1)]
    steady = [run(FLOOR, "unpaged", wall) for wall in (2.0, 2.1, 2.2)]
    measured = measurement(runs=(run(BACKUP, "pinnace", 2.5), *lucky, *steady))
    assert (measured.floor.label, measured.floor.wall_seconds) == ("unpaged", 2.1)


def test_ratios_are_median_over_median() -> None:
    backups = [run(BACKUP, "pinnace", wall) for wall in (2.4, 9.0, 2.6)]
    other = run(AGAINST, "velero", 113.0)
    measured = measurement(runs=(*backups, run(FLOOR, "unpaged", 2.0), other))
    assert measured.ratio(measured.backup) == pytest.approx(1.3)
    assert {side.label: measured.ratio(side) for side in measured.sides} == pytest.approx(
        {"pinnace": 1.3, "unpaged": 1.0, "velero": 56.5}
    )


def test_memory_is_that_of_the_worst_run() -> None:
    runs = [run(BACKUP, "pinnace", 2.0, peak_rss_bytes=size) for size in (90, 150, 100)]
    assert measurement(runs=(*runs, run(FLOOR, "unpaged", 1.0))).backup.peak_rss_bytes == 150


def test_what_no_run_knows_has_no_median() -> None:
    side = measurement().backup
    assert (side.median("etcd_cpu_seconds"), side.median("cpu_seconds")) == (None, 1.0)


def test_the_archive_is_compared_with_gzip_where_that_was_made() -> None:
    assert measurement(archive_bytes=105, gzip6_bytes=100).archive_ratio == 1.05
    assert measurement(archive_bytes=105, gzip6_bytes=0).archive_ratio is None


def test_a_document_read_again_is_the_same() -> None:
    measured = measurement(idle_seconds=660.0, about={"server": "v1.35.4"})
    assert Measurement.from_document(json.loads(json.dumps(measured.to_document()))) == measured
    assert measured.mode == "revision after 11 idle minutes"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "not a document of `pinnace bench run --output json`: KeyError('format')"),
        ({"format": 9}, "format 9 is not 1: measure again with this version"),
        ({"format": 1, "runs": [], "items": 1, "consistency": "kind"}, "no run of backup, floor"),
        ({"format": 1, "runs": [{"side": "x"}]}, "missing"),
        ({"format": 1, "runs": [], "speed": 1}, "unexpected keyword argument 'speed'"),
    ],
)
def test_what_is_no_document_is_said_to_be_none(document: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        Measurement.from_document(document)
    assert sentence in str(caught.value)


def test_pages_are_named() -> None:
    assert [label_of_page(0), label_of_page(5000)] == ["unpaged", "5,000 a page"]
