"""The page: self-contained, right in its figures, and whole where something was not measured."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench_samples import measurement, run
from pinnace.bench import png, report, series, tables
from pinnace.bench.chart import Chart, Line, apart, ticks, x_labels
from pinnace.bench.figures import AGAINST, ALONE, BACKUP, FLOOR, PROTOBUF_FLOOR, Beside, Measurement
from pinnace.errors import BenchError, UsageError


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


def test_what_the_lists_take_as_protobuf_is_told_and_is_not_what_is_compared_with() -> None:
    floors = (run(FLOOR, "unpaged", 2.0), run(PROTOBUF_FLOOR, "unpaged", 1.25))
    measured = measurement(runs=(run(BACKUP, "pinnace", 2.6), *floors))
    assert "1.30 times the floor of 2.00 s (unpaged; as protobuf 1.25 s)" in report.html([measured])
    assert tables.summary_row(measured)["protobuf floor s"] == "1.25"
    assert [tables.side_row(measured, side)["ratio"] for side in measured.sides] == ["1.30", "1.00", "0.62"]


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


def test_names_of_lines_that_end_together_stand_below_each_other_and_above_the_axis() -> None:
    assert apart([10, 12, 100], lowest=294) == [10, 25, 100]
    assert apart([280, 285, 293, 294], lowest=294) == [249, 264, 279, 294]
    assert apart([], lowest=294) == []


def test_sizes_that_are_nearly_the_same_get_one_label() -> None:
    assert x_labels([10_268, 10_291, 60_296, 300_366, 300_412]) == [10_000, 60_000, 300_000]
    assert x_labels([300, 250, 100]) == [100, 250, 300]


def test_files_become_a_page_and_charts(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps(measurement().to_document()))
    page = series.write_report([series.read(figures)], folder=tmp_path / "out")
    assert page == tmp_path / "out" / "report.html"
    names = sorted(path.name for path in page.parent.iterdir() if path.suffix != ".png")
    assert names == ["figures.md", "memory.svg", "ratio.svg", "report.html", "time.svg"]


BESIDE = (
    Beside(ALONE, (0.002,) * 99 + (0.01,)),
    Beside(FLOOR, (0.004, 0.02)),
    Beside(BACKUP, (0.004, 0.005, 0.03), failed_count=1),
)


def test_what_a_bystander_met_is_a_chart_a_table_and_the_same_when_it_is_read_again() -> None:
    measured = measurement(beside=BESIDE)
    assert Measurement.from_document(json.loads(json.dumps(measured.to_document()))) == measured
    assert tables.markdown(tables.beside_rows(measured)).splitlines() == [
        "| objects | lists | beside | requests | failed | median ms | p99 ms | slowest ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| 60,000 | revision | nothing | 100 | 0 | 2.0 | 2.0 | 10.0 |",
        "| 60,000 | revision | the floor | 2 | 0 | 12.0 | 20.0 | 20.0 |",
        "| 60,000 | revision | the backup | 3 | 1 | 5.0 | 30.0 | 30.0 |",
    ]
    lines = report.charts([measured, measurement(items=10_000)])["latency"].lines
    assert {line.name: [y for _, y in line.points] for line in lines} == {
        "alone, revision": [2.0],
        "beside the floor, revision": [20.0],
        "beside the backup, revision": [30.0],
    }
    assert "What other clients notice" in report.html([measured])
    assert "What other clients notice" not in report.html([measurement()])


def test_the_figures_are_tables_for_a_document_and_say_where_they_were_measured() -> None:
    about = {"server": "v1.35.4", "machine": {"processors": 2}}
    several = [
        measurement(about=about, archive_bytes=104_000_000, gzip6_bytes=100_000_000),
        measurement(items=900, about=about),
    ]
    assert report.markdown(several) == (
        "| objects | lists | backup s | floor s | ratio | protobuf floor s | objects/s | CPU s | peak MiB | archive MB "
        "| of gzip -6 |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| 900 | revision | 2.60 | 2.00 (unpaged) | 1.30 |  | 346 | 1.0 | 100 | 0.0 |  |\n"
        "| 60,000 | revision | 2.60 | 2.00 (unpaged) | 1.30 |  | 23,077 | 1.0 | 100 | 104.0 | 1.04 |\n"
        "\nMeasured on: server v1.35.4, machine processors 2.\n"
    )


def test_pictures_are_drawn_with_their_text_or_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    if not any(next(folder.rglob("DejaVuSans.ttf"), None) for folder in png._FONT_FOLDERS):
        pytest.skip("no font: apt install fonts-dejavu-core")
    with_text, without = (
        png.drawn(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30"><text y="20">{text}</text></svg>')
        for text in ("text", "")
    )
    assert with_text.startswith(b"\x89PNG")
    assert len(with_text) > len(without) + 200
    monkeypatch.setattr(png, "_FONT_FOLDERS", (Path("/nowhere"),))
    with pytest.raises(BenchError, match="apt install fonts-dejavu-core"):
        png.drawn("<svg/>")
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(BenchError, match=r"pip install 'pinnace\[bench\]'"):
        png.drawn("<svg/>")


def test_without_pictures_the_rest_of_the_report_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    said: list[str] = []
    series.write_report([measurement()], folder=tmp_path, report_line=said.append)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".html", ".md", ".svg", ".svg", ".svg"]
    assert [line.partition(":")[0] for line in said] == [
        f"{name}.png is not written" for name in ("time", "memory", "ratio")
    ]


def test_a_file_that_holds_no_figures_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    for path in (wrong, tmp_path / "none.json"):
        with pytest.raises(UsageError, match=re.escape(str(path))):
            series.read(path)
