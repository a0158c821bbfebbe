"""The whole benchmark: a local cluster of its own that grows from size to size, measured in both consistency modes."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pinnace.bench import load, local, machine, png, report, run
from pinnace.bench.figures import Measurement
from pinnace.bench.load import Wanted
from pinnace.bench.local import LocalServers
from pinnace.cluster import folders, local_cluster
from pinnace.errors import BenchError, UsageError
from pinnace.kube.client import Client, connect

__all__ = ["FULL", "QUICK", "Series", "about", "read", "run_series", "write_report"]

_CLUSTER: Final = "bench"
_OBJECTS_PER_LARGE: Final = 10_000
"""One ConfigMap of 1 MB among so many objects: what is largest sets the memory, whatever its number."""

_MIX: Final = (
    f"12 kinds in 40 namespaces, 3.2 kB on average, and ConfigMaps of 1 MB: one for {_OBJECTS_PER_LARGE:,} of them"
)
_FEW_ROUNDS: Final = 3
"""Of what takes long, and varies by less: many objects, and what is read from etcd."""

_MANY_OBJECTS: Final = 100_000

_APISERVER_FLAGS: Final = ("--etcd-compaction-interval=24h",)
"""No compaction of its own: it would come in the middle of a measurement, and make another one of the rest of it."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Series:
    """Sizes of the cluster, and how often each side runs; those of `compacted_objects` are measured after that too."""

    objects: Sequence[int]
    repetitions: int = 5
    compacted_objects: Sequence[int] = ()


QUICK: Final = Series((10_000, 60_000))
"""About ten minutes on two processors."""

FULL: Final = Series((10_000, 60_000, 300_000), compacted_objects=(60_000, 300_000))
"""Within an hour on two processors."""


def run_series(series: Series, *, folder: Path, report_line: Report) -> Path:
    """Measure into `folder`: a JSON file for each measurement, the page and its charts; gives the page.

    All of them are there after each measurement, so that one that is interrupted leaves what it has. The cluster is
    started, grows from size to size, and is ended with all that it holds. Its controllers are ended first: over
    300,000 new objects they keep two processors busy for minutes, which is nobody's backup.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = folders.cluster_folder(_CLUSTER)
    local_cluster.up(place, report=report_line, apiserver_flags=_APISERVER_FLAGS)
    try:
        local_cluster.end_controllers(place)
        servers = local.find(place)
        client, measured, first = connect(kubeconfig=servers.kubeconfig), [], 0
        for objects in series.objects:
            wanted = grown(objects, first=first)
            load.load_direct(client, servers.etcd_url, wanted, report=report_line)
            first = objects
            for options in _all_options(client, servers, series, wanted=wanted):
                report_line(f"{objects:,} objects, by {options.consistency}")
                measured.append(run.measure(client, options, report=report_line))
                name = f"{objects}-{measured[-1].mode.replace(' ', '-')}"
                page = keep(measured, name=name, folder=folder, report_line=report_line)
        return page
    finally:
        local_cluster.down(place)


def grown(objects: int, *, first: int) -> Wanted:
    """What a cluster that has the first `first` objects of the mix needs to have so many."""
    return Wanted(objects, large=objects // _OBJECTS_PER_LARGE, first=first)


def keep(measured: Sequence[Measurement], *, name: str, folder: Path, report_line: Report) -> Path:
    """Write the last measurement as `name`, and the report of all of them; gives its page."""
    (folder / f"{name}.json").write_text(json.dumps(measured[-1].to_document(), indent=1) + "\n")
    return write_report(measured, folder=folder, report_line=report_line)


def _all_options(client: Client, servers: LocalServers, series: Series, *, wanted: Wanted) -> Iterator[run.Options]:
    """Both modes; by revision, which is what backups do unless told otherwise, with the bystander."""
    for is_compacted in (False, True) if wanted.objects in series.compacted_objects else (False,):
        takes_long = is_compacted or wanted.objects >= _MANY_OBJECTS
        for consistency in ("revision", "kind"):
            yield run.Options(
                kubeconfig=servers.kubeconfig,
                consistency=consistency,
                repetitions=min(series.repetitions, _FEW_ROUNDS) if takes_long else series.repetitions,
                etcd_url=servers.etcd_url if is_compacted else "",
                with_bystander=consistency == "revision",
                server_pids=servers.pids,
                about={**about(client), "objects": _MIX},
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


def write_report(measurements: Sequence[Measurement], *, folder: Path, report_line: Report = lambda _: None) -> Path:
    """Write `report.html`, `figures.md` and the charts (SVG, and PNG where it can be drawn); gives the page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in report.charts(measurements).items():
        (folder / f"{name}.svg").write_text(chart.svg() + "\n")
        try:
            (folder / f"{name}.png").write_bytes(png.drawn(chart.svg()))
        except BenchError as error:
            report_line(f"{name}.png is not written: {error}")
    (folder / "figures.md").write_text(report.markdown(measurements))
    page = folder / "report.html"
    page.write_text(report.html(measurements))
    return page
