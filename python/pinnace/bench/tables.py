"""The figures as rows of text, for a terminal, a page and a document: each row is words and values."""

from collections.abc import Mapping, Sequence

from pinnace.bench.figures import ALONE, BACKUP, Measurement, Side

__all__ = ["archive_rows", "beside_rows", "markdown", "side_row", "summary_row"]


def side_row(measured: Measurement, side: Side) -> dict[str, str]:
    """One side's figures as text, by the words of the page."""
    fastest, slowest = side.spread_seconds
    received = side.median("bytes")
    return {
        "side": f"{side.side}, {side.label}" if side.side != BACKUP else side.side,
        "rounds": str(len(side.runs)),
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


def summary_row(measured: Measurement) -> dict[str, str]:
    """A measurement in one row: the backup beside its floor."""
    backup, floor, protobuf = measured.backup, measured.floor, measured.protobuf_floor
    return {
        "objects": f"{measured.items:,}",
        "lists": measured.mode,
        "backup s": f"{backup.wall_seconds:.2f}",
        "floor s": f"{floor.wall_seconds:.2f} ({floor.label})",
        "ratio": f"{measured.ratio(backup):.2f}",
        "protobuf floor s": _number(protobuf.wall_seconds if protobuf else None, digits=2),
        "objects/s": f"{measured.items / backup.wall_seconds:,.0f}",
        "CPU s": _number(backup.median("cpu_seconds"), digits=1),
        "peak MiB": _mib(backup.peak_rss_bytes),
        "archive MB": f"{measured.archive_bytes / 1e6:,.1f}",
        "of gzip -6": _number(measured.archive_ratio, digits=2),
    }


def beside_rows(measured: Measurement) -> list[dict[str, str]]:
    """What the bystander met: alone, beside the floor, beside the backup."""
    return [
        {
            "objects": f"{measured.items:,}",
            "lists": measured.mode,
            "beside": "nothing" if beside.during == ALONE else f"the {beside.during}",
            "requests": f"{len(beside.latencies_seconds):,}",
            "failed": f"{beside.failed_count:,}",
            "median ms": f"{beside.median_seconds * 1000:,.1f}",
            "p99 ms": f"{beside.p99_seconds * 1000:,.1f}",
            "slowest ms": f"{beside.slowest_seconds * 1000:,.1f}",
        }
        for beside in measured.beside
    ]


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Write rows of the same words as a table; "" without any."""
    if not rows:
        return ""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _number(value: float | None, *, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _mib(value: float | None) -> str:
    return "" if value is None else f"{value / 2**20:,.0f}"
