"""The page: self-contained, right in its figures, and whole where something was not measured."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench_samples import measurement, run
from pinnace.bench import report, series, tables
from pinnace.bench.chart import Chart, Line, ticks
from pinnace.bench.figures import AGAINST, BACKUP, FLOOR
from pinnace.errors import UsageError


def test_the_page_needs_nothing_else() -> None:
    page = report.html([measurement()])
    assert not re.search(r"(?:src|href)=|url\(|<script|<link|@import", page)


def test_the_page_says_time_ratio_rate_and_memory() -> None:
    page = report.html([measurement(archive_bytes=104, gzip6_bytes=100)])
    sentence = re.search(r"<li>(.*?)</li>", page, re.DOTALL)
    assert sentence
    assert re.sub(r"<[^>]+>", "", sentence[1]) == (
        "60,000 objects, by revision: the backup took 2.60 s, 1.30 times the floor of 2.00 s (unpaged); "
        "23,077 objects a second in 100 MiB, an archive of 1.04 times gzip -6."
    )


def test_names_of_other_commands_are_escaped() -> None:
    runs = (run(BACKUP, "pinnace", 2.6), run(FLOOR, "unpaged", 2.0), run(AGAINST, "a <b> && c", 9.0))
    page = report.html([measurement(runs=runs)])
    assert "against, a &lt;b&gt; &amp;&amp; c" in page
    assert "<b> && c" not in page


def test_charts_have_a_line_for_each_side_and_mode_by_size() -> None:
    several = [measurement(items=60_000), measurement(items=10_000), measurement(items=10_000, consistency="kind")]
    charts = report.charts(several)
    assert {name: [(line.name, line.points) for line in chart.lines] for name, chart in charts.items()} == {
        "time": [
            ("backup, kind", [(10_000, 2.6)]),
            ("backup, revision", [(10_000, 2.6), (60_000, 2.6)]),
            ("floor, kind", [(10_000, 2.0)]),
            ("floor, revision", [(10_000, 2.0), (60_000, 2.0)]),
        ],
        "memory": [
            ("backup, kind", [(10_000, 100)]),
            ("backup, revision", [(10_000, 100), (60_000, 100)]),
            ("floor, kind", [(10_000, 100)]),
            ("floor, revision", [(10_000, 100), (60_000, 100)]),
        ],
        "ratio": [("backup, kind", [(10_000, 1.3)]), ("backup, revision", [(10_000, 1.3), (60_000, 1.3)])],
    }


def test_a_row_leaves_empty_what_is_not_known() -> None:
    measured = measurement()
    assert tables.side_row(measured, measured.floor) == {
        "side": "floor, unpaged",
        "rounds": "1",
        "time s": "2.00",
        "fastest to slowest s": "2.00 to 2.00",
        "ratio": "1.00",
        "start-up s": "0.50",
        "objects/s": "30,000",
        "MB of lists": "213",
        "requests": "",
        "CPU s": "1.00",
        "API server CPU s": "",
        "etcd CPU s": "",
        "peak MiB": "100",
        "API server peak MiB": "",
    }


@pytest.mark.parametrize("count", [1, 3])
def test_a_chart_is_well_formed_and_keeps_its_points_inside(count: int) -> None:
    points = [(10.0 ** (number + 3), 7.0 * number) for number in range(count)]
    chart = Chart("t & u", "x", "y", [Line("a < b", points, "#123456")], y_limit=30, y_limit_name="limit")
    root = ET.fromstring(chart.svg())  # noqa: S314 (our own)
    places = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert len(places) == count
    assert all(66 <= left <= 490 and 16 <= top <= 294 for left, top in places)


@pytest.mark.parametrize(
    ("largest", "values"),
    [(0, [0, 1]), (1.3, [0, 0.5, 1, 1.5]), (160, [0, 50, 100, 150, 200]), (5, [0, 1, 2, 3, 4, 5])],
)
def test_ticks_are_round_and_reach_the_largest_value(largest: float, values: list[float]) -> None:
    assert ticks(largest) == values


def test_files_become_a_page_and_charts(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps(measurement().to_document()))
    page = series.write_report([series.read(figures)], folder=tmp_path / "out")
    assert page == tmp_path / "out" / "report.html"
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "figures.md", "memory.png", "memory.svg", "ratio.png", "ratio.svg", "report.html", "time.png", "time.svg",
    ]  # fmt: skip


def test_a_file_that_holds_no_figures_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    for path in (wrong, tmp_path / "none.json"):
        with pytest.raises(UsageError, match=re.escape(str(path))):
            series.read(path)
