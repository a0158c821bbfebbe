"""The whole benchmark: a local cluster of its own that grows from size to size, measured in both consistency modes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pinnace.bench import load, local, machine, report, run
from pinnace.bench.figures import Measurement
from pinnace.bench.load import Wanted
from pinnace.bench.local import LocalServers
from pinnace.cluster import folders, local_cluster
from pinnace.errors import UsageError
from pinnace.kube.client import Client, connect

__all__ = ["FULL", "QUICK", "Series", "about", "read", "run_series", "write_report"]

_CLUSTER: Final = "bench"
_OBJECTS_PER_LARGE: Final = 10_000
"""One ConfigMap of 1 MB among so many objects: what is largest sets the memory, whatever its number."""

_IDLE_SECONDS: Final = 660.0
"""The API server compacts etcd every 5 minutes, and keeps what is younger than that: two rounds, and one to spare."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Series:
    """Sizes of the cluster, and how often each side runs; those of `idle_objects` are measured after idle time too."""

    objects: Sequence[int]
    repetitions: int = 5
    idle_objects: Sequence[int] = ()


QUICK: Final = Series((10_000, 60_000))
"""About ten minutes on two processors."""

FULL: Final = Series((10_000, 60_000, 300_000), idle_objects=(60_000, 300_000))
"""About one and a half hours on two processors."""


def run_series(series: Series, *, folder: Path, report_line: Report) -> Path:
    """Measure into `folder`: a JSON file for each measurement, the page and its charts; gives the page.

    The cluster is started, or found running, and ended with all that it holds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = folders.cluster_folder(_CLUSTER)
    local_cluster.up(place, report=report_line)
    try:
        servers = local.find(place)
        client, paths, first = connect(kubeconfig=servers.kubeconfig), [], 0
        for objects in series.objects:
            wanted = Wanted(objects, large=objects // _OBJECTS_PER_LARGE, first=first)
            load.load_direct(client, servers.etcd_url, wanted, report=report_line)
            first = objects
            for idle_seconds in (0.0, _IDLE_SECONDS) if objects in series.idle_objects else (0.0,):
                for consistency in ("revision", "kind"):
                    options = _options(
                        client, servers, series, consistency=consistency,
                        # The second mode finds a cluster that has been idle but for the first.
                        idle_seconds=idle_seconds,
                    )  # fmt: skip
                    report_line(f"{objects:,} objects, by {consistency}")
                    measured = run.measure(client, options, report=report_line)
                    path = folder / f"{objects}-{measured.mode.replace(' ', '-')}.json"
                    path.write_text(json.dumps(measured.to_document(), indent=1) + "\n")
                    paths.append(path)
        return write_report([read(path) for path in paths], folder=folder)
    finally:
        local_cluster.down(place)


def _options(
    client: Client, servers: LocalServers, series: Series, *, consistency: str, idle_seconds: float
) -> run.Options:
    return run.Options(
        kubeconfig=servers.kubeconfig,
        consistency=consistency,
        repetitions=series.repetitions,
        idle_seconds=idle_seconds,
        server_pids=servers.pids,
        about=about(client),
    )


def about(client: Client) -> dict[str, object]:
    """What a measurement says of its surroundings."""
    return {"server": client.version().get("gitVersion", ""), "machine": machine.machine()}


def read(path: Path) -> Measurement:
    """Read a file of `pinnace bench run --output json`."""
    try:
        return Measurement.from_document(json.loads(path.read_text()))
    except (OSError, ValueError, UsageError) as error:
        raise UsageError(f"{path}: {error}") from error


def write_report(measurements: Sequence[Measurement], *, folder: Path) -> Path:
    """Write `report.html` and its charts as files (`time.svg`, `memory.svg`, `ratio.svg`); gives the page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in report.charts(measurements).items():
        (folder / f"{name}.svg").write_text(chart.svg() + "\n")
    page = folder / "report.html"
    page.write_text(report.html(measurements))
    return page
