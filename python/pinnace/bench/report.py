"""The figures as one HTML page that needs nothing else: what was measured, how it came out, and where."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Final

from pinnace.bench.chart import Chart, Line
from pinnace.bench.figures import AGAINST, BACKUP, FLOOR, Measurement, Side

__all__ = ["MOST_RATIO", "MOST_RSS_BYTES", "archive_rows", "charts", "html", "side_row"]

MOST_RATIO: Final = 1.3
MOST_RSS_BYTES: Final = 160 << 20
"""What pinnace promises: at most so many times the floor, and so much memory whatever the cluster's size."""

_COLORS: Final = {BACKUP: "#0b61a4", FLOOR: "#777777", AGAINST: "#c2570c"}
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
            "the same consistency mode, at several page sizes. No backup can be faster than its lists, so the page "
            "size with the smallest median is what a backup is compared with."
        ),
    ),
    ("ratio", "Median time over that of the floor."),
    ("time", "From the first list request to the end of the process: the median, and the fastest and slowest round."),
    ("start-up", "From the start of the process to its first list request: interpreter, libraries, discovery."),
    ("CPU", "Processor seconds, from the start of the process: its own, the API server's, etcd's."),
    ("peak memory", "The most resident memory in any round: of the process, and of the API server meanwhile."),
    ("revision", "Every kind is listed at one and the same resourceVersion, so the backup is one snapshot."),
    ("kind", "Each kind is consistent in itself."),
    ("after idle minutes", "By then etcd was compacted, and the API server holds less of older revisions."),
)


def html(measurements: Sequence[Measurement]) -> str:
    """Write the page; measurements of several sizes of a cluster become lines."""
    ordered = sorted(measurements, key=lambda measured: (measured.items, measured.mode))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>pinnace: benchmark</title>',
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>',
        "<h1>A backup of a Kubernetes cluster, beside only listing it</h1>",
        (
            "<p>pinnace reads every object of a cluster by the API server's lists and writes them into an archive. "
            "Nothing can be faster than those lists alone, so they are the <em>floor</em> that a backup is compared "
            "with.</p><ul>"
        ),
        *(f"<li>{_sentence(measured)}</li>" for measured in ordered),
        "</ul>",
        *(
            f"<figure><figcaption>{escape(chart.title)}</figcaption>{chart.svg()}</figure>"
            for chart in charts(ordered).values()
        ),
        "<h2>Every side</h2>",
        *(_table(measured) for measured in ordered),
        "<h2>What the words mean</h2><dl>",
        *(f"<dt>{escape(word)}</dt><dd>{escape(meaning)}</dd>" for word, meaning in _TERMS),
        "</dl><h2>Where it was measured</h2>",
        *_about(ordered),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def charts(measurements: Sequence[Measurement]) -> dict[str, Chart]:
    """Time, memory and ratio against objects, by a short name; a line for each side and consistency mode."""
    return {
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
                lines.append(
                    Line(f"{name}, {mode}", points, _COLORS[side], dash=_DASHES[modes.index(mode) % len(_DASHES)])
                )
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
    return (
        f"<b>{measured.items:,} objects</b>, by {escape(measured.mode)}: the backup took "
        f"<b>{backup.wall_seconds:.2f} s</b>, {multiple} "
        f"({escape(floor.label)}); {rate:,.0f} objects a second in {_mib(backup.peak_rss_bytes)} MiB{archive}."
    )


def side_row(measured: Measurement, side: Side) -> dict[str, str]:
    """One side's figures as text, by the words of the page."""
    fastest, slowest = side.spread_seconds
    received = side.median("bytes")
    return {
        "side": f"{side.side}, {side.label}" if side.side != BACKUP else side.side,
        "time s": f"{side.wall_seconds:.2f}",
        "fastest to slowest s": f"{fastest:.2f} to {slowest:.2f}",
        "ratio": f"{measured.ratio(side):.2f}",
        "start-up s": _number(side.median("start_up_seconds"), digits=2),
        "objects/s": f"{measured.items / side.wall_seconds:,.0f}",
        "MB of lists": _number(received and received / 1e6, digits=0),
        "requests": _number(side.median("requests"), digits=0),
        "CPU s": _number(side.median("cpu_seconds"), digits=2),
        "API server CPU s": _number(side.median("apiserver_cpu_seconds"), digits=2),
        "etcd CPU s": _number(side.median("etcd_cpu_seconds"), digits=2),
        "peak MiB": _mib(side.peak_rss_bytes),
        "API server peak MiB": _mib(side.median("apiserver_peak_rss_bytes")),
    }


def archive_rows(measured: Measurement) -> list[dict[str, str]]:
    """The archive's size as pairs of words and values."""
    sizes = {"archive MB": measured.archive_bytes / 1e6, "tar MB": measured.tar_bytes / 1e6}
    rows = [{"what": name, "value": f"{value:,.1f}"} for name, value in sizes.items()]
    if measured.archive_ratio:
        rows.append({"what": "archive, as a multiple of gzip -6", "value": f"{measured.archive_ratio:.3f}"})
    return rows


def _table(measured: Measurement) -> str:
    rows = [(side, side_row(measured, side)) for side in measured.sides]
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0][1])
    lines = [
        f'<tr class="{side.side}">{"".join(f"<td>{escape(cell)}</td>" for cell in row.values())}</tr>'
        for side, row in rows
    ]
    rounds = len(measured.backup.runs)
    caption = f"{measured.items:,} objects, by {escape(measured.mode)}, {rounds} round{'' if rounds == 1 else 's'}"
    return f'<div class="wide"><table><caption>{caption}</caption><tr>{head}</tr>{"".join(lines)}</table></div>'


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


def _number(value: float | None, *, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _mib(value: float | None) -> str:
    return "" if value is None else f"{value / 2**20:,.0f}"
