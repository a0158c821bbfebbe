"""The figures as one HTML page that needs nothing else: what was measured, how it came out, and where."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Final

from pinnace.bench import tables
from pinnace.bench.chart import Chart, Line
from pinnace.bench.figures import AGAINST, ALONE, BACKUP, FLOOR, Measurement, Side

__all__ = ["MOST_BESIDE_SECONDS", "MOST_RATIO", "MOST_RSS_BYTES", "charts", "html", "markdown"]

MOST_RATIO: Final = 1.3
MOST_RSS_BYTES: Final = 160 << 20
"""What pinnace promises: at most so many times the floor, and so much memory whatever the cluster's size."""

MOST_BESIDE_SECONDS: Final = 0.25
"""Of a hundred small requests of others all but one are answered within that, while a backup is made on the same two
processors as the API server.
"""

_COLORS: Final = {BACKUP: "#0b61a4", FLOOR: "#777777", AGAINST: "#c2570c", ALONE: "#2a7d4f"}
_DASHES: Final = ("", "7 4", "2 3", "9 3 2 3")
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse; margin: .8rem 0; font-size: .85rem } caption { text-align: left; color: #555 }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right; vertical-align: bottom }
td { white-space: nowrap }
th:first-child, td:first-child { text-align: left } tr.backup { background: #eaf3fb; font-weight: 600 }
figure { margin: 1.2rem 0 } figcaption { font-weight: 600 } svg { width: 100%; max-width: 50rem; height: auto }
.wide { overflow-x: auto } dt { font-weight: 600 } dd { margin: 0 0 .5rem 0 } li { margin: .3rem 0 }
"""
_TERMS: Final = (
    ("backup", "The whole command pinnace backup run: list, hash, compress, store. A process of its own."),
    (
        "floor",
        (
            "The same lists by a minimal client that throws the answers away, with as many of them in flight and in "
            "the same consistency mode, at several page sizes, as JSON, which is what is archived. The page size with "
            "the smallest median is what a backup is compared with."
        ),
    ),
    (
        "protobuf floor",
        (
            "The same lists unpaged and as protobuf, which costs the API server less, where the backup asks for "
            "built-in kinds so, too. It makes the same archive from them."
        ),
    ),
    ("ratio", "Median time over that of the floor."),
    ("time", "From the first list request to the end of the process: the median, and the fastest and slowest round."),
    ("start-up", "From the start of the process to its first list request: interpreter, libraries, discovery."),
    ("CPU", "Processor seconds, from the start of the process: its own, the API server's, etcd's."),
    ("peak memory", "The most resident memory in any round: of the process, and of the API server meanwhile."),
    ("page size", "How many items an answer of the API server has at most; unpaged is a whole list in one answer."),
    (
        "bystander",
        (
            "Another client, of an account of its own: 20 small requests a second, a GET and a LIST in turns. Its "
            "latency counts from when a request was due. It takes part in rounds of its own, so that the other figures "
            "are without it."
        ),
    ),
    ("p99", "Of a hundred requests the slowest but one; of fewer the slowest."),
    ("revision", "Every kind is listed at one and the same resourceVersion, so the backup is one snapshot."),
    ("kind", "Each kind is consistent in itself."),
    (
        "after compaction, after idle minutes",
        "The API server has dropped what it held of older revisions, and reads from etcd what is asked at one.",
    ),
)


_INTRODUCTION: Final = """
<p>A backup reads every object of a cluster from the Kubernetes API server by its lists, hashes and compresses them, and
writes them into an archive. pinnace is such a tool. How long that has to take depends on cluster and machine; so a
backup is measured here beside the <em>floor</em>: a small program that lists the same as JSON and throws the answers
away. Nothing that reads the cluster's JSON can be faster than that.</p>
<p>The <em>ratio</em> is the backup's time over the floor's: 1.00 would be a backup that costs no time beyond the lists,
2.00 one that takes twice as long as them. Both take turns for several rounds, each as a process of its own, and medians
count.</p>
<p>By <em>revision</em>, all lists are at one moment of the cluster, so that the backup is one snapshot; by
<em>kind</em>, each list is of its own moment. <em>After compaction</em> the API server has forgotten earlier moments,
as in a cluster that was idle, and reads its database for lists by revision. More words are explained below.</p>"""
_REPETITION: Final = """
<h2>How to repeat it</h2>
<p>In a checkout of pinnace, on a Linux machine with Python 3.11, Rust and Go on which nothing else runs:</p>
<pre>./just bench         # 10,000 and 60,000 objects
./just bench-full    # 300,000 too</pre>
<p>Both start an API server and an etcd of their own and fill them with objects made from a fixed seed. Any cluster can
be measured by <code>pinnace bench load</code>, <code>pinnace bench run</code> and <code>pinnace bench report</code>;
each explains itself by <code>--help</code>.</p>"""


def html(measurements: Sequence[Measurement]) -> str:
    """Write the page; measurements of several sizes of a cluster become lines."""
    ordered = sorted(measurements, key=lambda measured: (measured.items, measured.mode))
    drawn = charts(ordered)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>pinnace: benchmark</title>',
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>',
        "<h1>A backup of a Kubernetes cluster, beside only listing it</h1>",
        _INTRODUCTION,
        "<h2>How it came out</h2><ul>",
        *(f"<li>{_sentence(measured)}</li>" for measured in ordered),
        "</ul>",
        *(_figure(chart) for name, chart in drawn.items() if name != "latency"),
        *_bystander(ordered, drawn.get("latency")),
        "<h2>Every side</h2>",
        *(_table(measured) for measured in ordered),
        "<h2>What the words mean</h2><dl>",
        *(f"<dt>{escape(word)}</dt><dd>{escape(meaning)}</dd>" for word, meaning in _TERMS),
        "</dl><h2>Where it was measured, and what</h2>",
        *_about(ordered),
        _REPETITION,
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def charts(measurements: Sequence[Measurement]) -> dict[str, Chart]:
    """Time, memory, ratio and others' latency against objects, by a short name; a line for each side and mode."""
    drawn = {
        "time": Chart(
            "Time", "objects (logarithmic)", "seconds", _lines(measurements, lambda _, side: side.wall_seconds)
        ),
        "memory": Chart(
            "Peak memory",
            "objects (logarithmic)",
            "MiB",
            _lines(measurements, lambda _, side: side.peak_rss_bytes / 2**20),
            y_limit=MOST_RSS_BYTES / 2**20,
            y_limit_name=f"promise: at most {MOST_RSS_BYTES >> 20} MiB",
        ),
        "ratio": Chart(
            "Time of a backup as a multiple of the floor",
            "objects (logarithmic)",
            "times the floor",
            _lines(measurements, lambda measured, side: measured.ratio(side), with_floor=False),
            y_limit=MOST_RATIO,
            y_limit_name=f"promise: at most {MOST_RATIO}",
        ),
    }
    if any(measured.beside for measured in measurements):
        drawn["latency"] = Chart(
            "Latency of other clients' small requests, p99",
            "objects (logarithmic)",
            "milliseconds",
            _beside_lines(measurements),
            y_limit=MOST_BESIDE_SECONDS * 1000,
            y_limit_name=f"bound: {MOST_BESIDE_SECONDS * 1000:.0f} ms",
        )
    return drawn


def _beside_lines(measurements: Sequence[Measurement]) -> list[Line]:
    lines = []
    ordered = sorted((each for each in measurements if each.beside), key=lambda measured: measured.items)
    modes = sorted({measured.mode for measured in ordered})
    for during in (ALONE, FLOOR, BACKUP):
        for mode in modes:
            points = [
                (float(measured.items), beside.p99_seconds * 1000)
                for measured in ordered
                for beside in measured.beside
                if (measured.mode, beside.during) == (mode, during)
            ]
            if points:
                name = "alone" if during == ALONE else f"beside the {during}"
                lines.append(Line(f"{name}, {mode}", points, _COLORS[during], dash=_dash(mode, modes)))
    return lines


def _dash(mode: str, modes: Sequence[str]) -> str:
    return _DASHES[modes.index(mode) % len(_DASHES)]


def markdown(measurements: Sequence[Measurement]) -> str:
    """Write the figures as tables for a document in Markdown."""
    ordered = sorted(measurements, key=lambda measured: (measured.items, measured.mode))
    places = dict.fromkeys(", ".join(f"{name} {value}" for name, value in _facts(dict(m.about))) for m in ordered)
    besides = [row for measured in ordered for row in tables.beside_rows(measured)]
    return "\n".join(
        [
            tables.markdown([tables.summary_row(measured) for measured in ordered]),
            *(
                [f"What another client met, with 20 small requests a second:\n\n{tables.markdown(besides)}"]
                if besides
                else []
            ),
            *(f"Measured on: {place}.\n" for place in places if place),
        ]
    )


def _figure(chart: Chart) -> str:
    return f"<figure><figcaption>{escape(chart.title)}</figcaption>{chart.svg()}</figure>"


def _bystander(measurements: Sequence[Measurement], latency: Chart | None) -> Iterator[str]:
    if latency is None:
        return
    rows = [row for measured in measurements for row in tables.beside_rows(measured)]
    yield (
        "<h2>What other clients notice</h2><p>An API server that is busy with one client's lists may be slow for all "
        "others. So a <em>bystander</em> with an account of its own sends 20 small requests a second: while nothing "
        "else runs, while the floor lists, and while a backup is made. The lists alone are what any tool would cost "
        "that reads the whole cluster.</p>"
    )
    yield _figure(latency)
    yield f'<div class="wide">{_html_table([(row, "") for row in rows], caption="Latency of the bystander")}</div>'


def _lines(
    measurements: Sequence[Measurement], value: Callable[[Measurement, Side], float], *, with_floor: bool = True
) -> list[Line]:
    lines = []
    modes = sorted({measured.mode for measured in measurements})
    for side in (BACKUP, FLOOR, AGAINST) if with_floor else (BACKUP, AGAINST):
        for mode in modes:
            found = [each for each in measurements if each.mode == mode]
            points = [
                (float(measured.items), value(measured, chosen))
                for measured in sorted(found, key=lambda measured: measured.items)
                if (chosen := _side(measured, side))
            ]
            if points:
                name = "other command" if side == AGAINST else side
                lines.append(Line(f"{name}, {mode}", points, _COLORS[side], dash=_dash(mode, modes)))
    return lines


def _side(measured: Measurement, side: str) -> Side | None:
    if side == FLOOR:
        return measured.floor
    return next((each for each in measured.sides if each.side == side), None)


def _sentence(measured: Measurement) -> str:
    backup, floor = measured.backup, measured.floor
    rate = measured.items / backup.wall_seconds
    archive = (
        f", an archive of {measured.archive_ratio:.2f} times <code>gzip -6</code>" if measured.archive_ratio else ""
    )
    multiple = f"{measured.ratio(backup):.2f} times the floor of {floor.wall_seconds:.2f} s"
    protobuf = measured.protobuf_floor
    label = f"{floor.label}; as protobuf {protobuf.wall_seconds:.2f} s" if protobuf else floor.label
    return (
        f"<b>{measured.items:,} objects</b>, by {escape(measured.mode)}: the backup took "
        f"<b>{backup.wall_seconds:.2f} s</b>, {multiple} "
        f"({escape(label)}); {rate:,.0f} objects a second in {backup.peak_rss_bytes / 2**20:,.0f} MiB{archive}."
    )


def _table(measured: Measurement) -> str:
    rows = [(tables.side_row(measured, side), side.side) for side in measured.sides]
    caption = f"{measured.items:,} objects, by {measured.mode}"
    return f'<div class="wide">{_html_table(rows, caption=caption)}</div>'


def _html_table(rows: Sequence[tuple[Mapping[str, str], str]], *, caption: str) -> str:
    """Rows of the same words, each with its class."""
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0][0])
    lines = [
        f'<tr class="{name}">{"".join(f"<td>{escape(cell)}</td>" for cell in row.values())}</tr>' for row, name in rows
    ]
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{''.join(lines)}</table>"


def _about(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Each place once, however many measurements are of it."""
    for document in dict.fromkeys(tuple(_facts(dict(measured.about))) for measured in measurements):
        rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in document)
        yield f"<table>{rows}</table>"


def _facts(document: dict[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _facts(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", str(value)
