"""The sides of the benchmark, each a process of its own: the backup, the floor, and any other command."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pinnace.bench import floor_client
from pinnace.bench.figures import AGAINST, BACKUP, FLOOR, PROTOBUF_FLOOR, Run, label_of_page
from pinnace.bench.server_meter import Cost, ServerMeter
from pinnace.bench.spawn import Spent, spawn
from pinnace.collect.concurrency import MOST_IN_FLIGHT
from pinnace.collect.list_encoding import JSON, Encoding
from pinnace.errors import BenchError
from pinnace.kube.client import Access
from pinnace.kube.discovery import ApiResource

__all__ = ["BackupSide", "CommandSide", "FloorSide", "list_paths"]

_PARTIALLY_FAILED: Final = 4
"""The backup is there; a kind that can't be listed can't be listed by the floor either."""


@dataclass(frozen=True)
class BackupSide:
    """`pinnace backup run`, the very command, into a store."""

    store_url: str
    folder: Path
    flags: Sequence[str] = ()

    def run(self, name: str, *, repetition: int, meter: ServerMeter) -> Run:
        """Make the backup `name`."""
        noted = self.folder / "first-list"
        noted.unlink(missing_ok=True)
        command = [sys.executable, "-P", "-m", "pinnace.bench.stopwatch", str(noted), "pinnace.cli.main"]
        command += ["backup", "run", name, "--store", self.store_url, *self.flags]
        spent = spawn(command, folder=self.folder, accepted=(0, _PARTIALLY_FAILED))
        if not noted.exists():
            raise BenchError(f"backup {name}: sent no list request")
        first_list_seconds = float(noted.read_text())
        return _run(BACKUP, "pinnace", spent, repetition=repetition, meter=meter, first_list_seconds=first_list_seconds)


@dataclass(frozen=True)
class FloorSide:
    """The same lists thrown away: those of `lists`, largest first, `page_items` a page (0 is unpaged).

    As protobuf they are unpaged, since no continue token is looked for in them.
    """

    access: Access
    lists: Sequence[tuple[str, bool]]
    consistency: str
    page_items: int
    folder: Path
    concurrency: int = MOST_IN_FLIGHT
    encoding: Encoding = JSON

    def run(self, *, repetition: int, meter: ServerMeter) -> Run:
        """List once."""
        command = [sys.executable, "-I", "-S", str(Path(floor_client.__file__))]
        spent = spawn(command, folder=self.folder, text=json.dumps(self._task()))
        found = json.loads(spent.output)
        return _run(
            FLOOR if self.encoding == JSON else PROTOBUF_FLOOR,
            label_of_page(self.page_items),
            spent,
            repetition=repetition,
            meter=meter,
            first_list_seconds=found["firstListSeconds"],
            bytes=found["bytes"],
            requests=found["requests"],
        )

    def _task(self) -> dict[str, Any]:
        access = self.access
        return {
            "server": access.server,
            "caFile": access.ca_file,
            "certFile": access.cert_file,
            "keyFile": access.key_file,
            "authorization": access.authorization,
            "accept": self.encoding.accept,
            "verifies": access.verifies,
            "lists": [{"path": path, "isExact": is_exact} for path, is_exact in self.lists],
            "pageItems": self.page_items,
            "concurrency": min(self.concurrency, max(len(self.lists), 1)),
            "isRevision": self.consistency == "revision",
        }


@dataclass(frozen=True)
class CommandSide:
    """Another tool's command by the shell, from its start to its end; `pids` are servers that work for it."""

    command: str
    folder: Path
    pids: dict[str, int] = field(default_factory=dict)

    def run(self, *, repetition: int, meter: ServerMeter) -> Run:
        """Run it once; it may have to be told which of its runs this is, by `BENCH_REPETITION`."""
        own = ServerMeter(self.pids)
        environment = f"BENCH_REPETITION={repetition}"
        spent = spawn(["env", environment, "sh", "-c", self.command], folder=self.folder)
        return _run(AGAINST, self.command, spent, repetition=repetition, meter=meter, servers=own.read())


def list_paths(lists: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, bool], ...]:
    """Paths of the lists of a backup's manifest, largest first, and whether each was at the one revision."""
    read = sorted((entry for entry in lists if not entry.get("error")), key=lambda entry: -int(entry["pageBytes"]))
    return tuple((_path(entry), entry["consistency"] == "revision") for entry in read)


def _path(entry: Mapping[str, Any]) -> str:
    group, _, version = str(entry["apiVersion"]).rpartition("/")
    plural = str(entry["groupResource"]).removesuffix(f".{group}")
    resource = ApiResource(group=group, version=version, kind="", plural=plural, namespaced=True)
    return resource.path(entry.get("namespace", ""))


def _run(
    side: str,
    label: str,
    spent: Spent,
    *,
    repetition: int,
    meter: ServerMeter,
    first_list_seconds: float | None = None,
    bytes: int | None = None,  # noqa: A002 (the field's name)
    requests: int | None = None,
    servers: dict[str, Cost] | None = None,
) -> Run:
    """What a process and the servers behind it cost; `servers` are those that belong to the side itself."""
    costs, others = meter.read(), list((servers or {}).values())
    apiserver, etcd = costs.get("kube-apiserver"), costs.get("etcd")
    began = spent.started_seconds if first_list_seconds is None else first_list_seconds
    return Run(
        side=side,
        label=label,
        repetition=repetition,
        wall_seconds=spent.ended_seconds - began,
        start_up_seconds=None if first_list_seconds is None else first_list_seconds - spent.started_seconds,
        cpu_seconds=spent.cpu_seconds + sum(cost.cpu_seconds for cost in others),
        peak_rss_bytes=spent.peak_rss_bytes + sum(cost.peak_rss_bytes for cost in others),
        bytes=bytes,
        requests=requests,
        apiserver_cpu_seconds=apiserver.cpu_seconds if apiserver else None,
        apiserver_peak_rss_bytes=apiserver.peak_rss_bytes if apiserver else None,
        etcd_cpu_seconds=etcd.cpu_seconds if etcd else None,
        load_average=os.getloadavg()[0],
    )
