"""Measure: backup, floor and any other command take turns, so that all meet the same machine."""

import tempfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pinnace.backup import stored
from pinnace.backup.gzip_stream import GzipStream
from pinnace.bench.figures import Measurement, Run
from pinnace.bench.server_meter import ServerMeter
from pinnace.bench.sides import BackupSide, CommandSide, FloorSide, list_paths
from pinnace.errors import BenchError
from pinnace.kube.client import Client
from pinnace.store.backup_store import BackupStore
from pinnace.store.open import open_store
from pinnace.velero.object_store_layout import BackupKeys

__all__ = ["PAGE_SIZES", "Options", "measure"]

PAGE_SIZES: Final = (0, 500, 5000, 20000)
"""Pages of the floor: none, kubectl's, and two between them."""

_REST_SECONDS: Final = 1.0
"""Between two runs: the garbage that the API server collects after one is not the next one's."""

_GZIP_LEVEL: Final = 6
_GZIP_WINDOW: Final = 31

Report = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How to measure; `store_url` "" is a folder that is removed afterwards, `server_pids` those of a local cluster."""

    kubeconfig: Path | None = None
    context: str | None = None
    store_url: str = ""
    consistency: str = "revision"
    compression: str = "default"
    list_encoding: str = "json"
    repetitions: int = 5
    idle_seconds: float = 0.0
    page_sizes: Sequence[int] = PAGE_SIZES
    against_command: str = ""
    against_pid: int | None = None
    compares_gzip: bool = True
    server_pids: Mapping[str, int] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def backup_flags(self) -> list[str]:
        """The flags of `pinnace backup run`."""
        flags = ["--consistency", self.consistency, "--compression", self.compression, "--output", "json"]
        flags += ["--list-encoding", self.list_encoding]
        flags += ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        return flags + (["--context", self.context] if self.context else [])


def measure(client: Client, options: Options, *, report: Report) -> Measurement:
    """Make one backup that does not count, to warm up and to know the lists, and then measure `repetitions` rounds."""
    with tempfile.TemporaryDirectory(prefix="pinnace-bench-", ignore_cleanup_errors=True) as folder:
        return _Session(client, options, folder=Path(folder), report=report).measure()


class _Session:
    """One measurement; what it writes into the store has names of its own and is removed again."""

    def __init__(self, client: Client, options: Options, *, folder: Path, report: Report) -> None:
        self._options = options
        self._client = client
        self._folder = folder
        self._report = report
        self._prefix = f"bench-{time.time_ns()}"
        url = options.store_url or str(folder / "store")
        self._store = open_store(url)
        self._backup = BackupSide(url, folder, options.backup_flags)

    def measure(self) -> Measurement:
        options, names = self._options, [f"{self._prefix}-{number}" for number in range(self._options.repetitions + 1)]
        try:
            self._report("one backup to warm up")
            self._backup.run(names[0], repetition=0, meter=self._meter())
            lists = list_paths(self._manifest(names[0])["lists"])
            self._remove(names[0])
            if options.idle_seconds:
                self._report(f"idle for {options.idle_seconds:.0f} s")
                time.sleep(options.idle_seconds)
            runs = [run for number in range(1, options.repetitions + 1) for run in self._round(number, lists)]
            return self._measurement(names[-1], runs)
        finally:
            for name in names:
                self._remove(name)

    def _manifest(self, name: str) -> Mapping[str, Any]:
        manifest = stored.read_manifest(BackupStore(self._store, name))
        if manifest is None:
            raise BenchError(f"{self._store.location}: backup {name} has no manifest")
        return manifest.document

    def _remove(self, name: str) -> None:
        """The metadata first: what is half removed is then no backup."""
        keys = BackupKeys(name)
        self._store.delete(keys.metadata)
        for found in list(self._store.list_keys(keys.prefix)):
            self._store.delete(found.key)

    def _meter(self) -> ServerMeter:
        return ServerMeter(self._options.server_pids)

    def _floors(self, lists: Sequence[tuple[str, bool]]) -> list[FloorSide]:
        """Made anew for each round, since tokens rotate."""
        access, consistency = self._client.access, self._options.consistency
        return [FloorSide(access, lists, consistency, page, self._folder) for page in self._options.page_sizes]

    def _round(self, number: int, lists: Sequence[tuple[str, bool]]) -> list[Run]:
        """Each side once."""
        runs = [self._measured_backup(number)]
        runs += [self._told(floor.run(repetition=number, meter=self._meter())) for floor in self._floors(lists)]
        if command := self._options.against_command:
            pids = {"against": self._options.against_pid} if self._options.against_pid else {}
            side = CommandSide(command, self._folder, pids)
            runs.append(self._told(side.run(repetition=number, meter=self._meter())))
        return runs

    def _measured_backup(self, number: int) -> Run:
        name = f"{self._prefix}-{number}"
        run = self._backup.run(name, repetition=number, meter=self._meter())
        lists = self._manifest(name)["lists"]
        if number < self._options.repetitions:
            self._remove(name)
        page_bytes, page_count = (sum(int(entry.get(key, 0)) for entry in lists) for key in ("pageBytes", "pages"))
        return self._told(replace(run, bytes=page_bytes, requests=page_count))

    def _told(self, run: Run) -> Run:
        self._report(
            f"round {run.repetition} of {self._options.repetitions}: {run.side}, {run.label}: "
            f"{run.wall_seconds:.2f} s, {run.cpu_seconds:.2f} s of CPU, {run.peak_rss_bytes / 1e6:.0f} MB"
        )
        time.sleep(_REST_SECONDS)
        return run

    def _measurement(self, name: str, runs: Sequence[Run]) -> Measurement:
        manifest, options = self._manifest(name), self._options
        return Measurement(
            items=int(manifest["items"]),
            consistency=options.consistency,
            runs=tuple(runs),
            idle_seconds=options.idle_seconds,
            archive_bytes=int(manifest["archive"]["bytes"]),
            tar_bytes=int(manifest["archive"]["tarBytes"]),
            gzip6_bytes=_gzip6_bytes(BackupStore(self._store, name)) if options.compares_gzip else 0,
            about={
                **options.about,
                "compression": options.compression,
                "list encoding": options.list_encoding,
                "engine": manifest["engine"],
            },
        )


def _gzip6_bytes(store: BackupStore) -> int:
    """The bytes of `gzip -6` of the archive's tar."""
    archive = GzipStream(store.chunks(store.keys.archive), location=store.location, key=store.keys.archive)
    packer, size = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW), 0
    for piece in archive.pieces():
        archive.ended_members.clear()
        size += len(packer.compress(piece))
    return size + len(packer.flush())
