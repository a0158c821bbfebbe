"""Measure: backup, floor and any other command take turns, so that all meet the same machine."""

import math
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from pinnace.archive.gzip_stream import GzipStream
from pinnace.backup import stored
from pinnace.bench.bystander import besides, standing_by
from pinnace.bench.figures import ALONE, Beside, Measurement, Run, Side, label_of_page
from pinnace.bench.server_garbage import collect_garbage
from pinnace.bench.server_meter import ServerMeter
from pinnace.bench.sides import BackupSide, CommandSide, FloorSide, list_paths
from pinnace.cluster import etcd_compaction
from pinnace.collect.list_encoding import JSON, Encoding
from pinnace.collect.page_size import UNPAGED
from pinnace.errors import BenchError
from pinnace.kube.client import Client
from pinnace.store.backup_store import BackupStore
from pinnace.store.open import open_store
from pinnace.velero.object_store_layout import BackupKeys

__all__ = ["PAGE_SIZES", "Options", "measure", "promising_pages"]

PAGE_SIZES: Final = (0, 500, 5000, 20000)
"""Pages of the floor: none, kubectl's, and two between them."""

_MOST_BESIDE_ROUNDS: Final = 3
"""With the bystander: it asks often enough for a percentile of three rounds."""

_ALONE_SECONDS: Final = 5.0
"""How long it is watched alone in each of them."""

_HOPELESS: Final = 2.0
"""A page size that took so many times as long as the best one's slowest run is not run again."""

_REST_SECONDS: Final = 1.0
"""Between two runs, for what goes on after one."""

_GZIP_LEVEL: Final = 6
_GZIP_WINDOW: Final = 31

Report = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How to measure; `store_url` "" is a folder that is removed afterwards, `server_pids` those of a local cluster.

    `etcd_url` is its etcd, which is compacted first; "" leaves it as it is.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    store_url: str = ""
    consistency: str = "revision"
    compression: str = "default"
    list_encoding: str = "auto"
    repetitions: int = 5
    idle_seconds: float = 0.0
    etcd_url: str = ""
    with_bystander: bool = False
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
            self._forget()
            runs: list[Run] = []
            for number in range(1, options.repetitions + 1):
                runs += self._round(number, lists, pages=promising_pages(options.page_sizes, runs))
            measured = self._measurement(names[-1], runs)
            return replace(measured, beside=self._beside(lists, measured.floor)) if options.with_bystander else measured
        finally:
            for name in names:
                self._remove(name)

    def _forget(self) -> None:
        if self._options.etcd_url:
            self._report("compacting etcd, as it is after idle time")
            etcd_compaction.forget_revisions(self._options.etcd_url)
        if self._options.idle_seconds:
            self._report(f"idle for {self._options.idle_seconds:.0f} s")
            time.sleep(self._options.idle_seconds)

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
        """Asked for before each run; of a local cluster, whose API server has collected its garbage by then."""
        if self._options.server_pids:
            collect_garbage(self._client)
        return ServerMeter(self._options.server_pids)

    def _floor(
        self, number: int, lists: Sequence[tuple[str, bool]], *, page_items: int, encoding: Encoding = JSON
    ) -> Run:
        """Made anew for each run, since tokens rotate."""
        access, folder = self._client.access, self._folder
        side = FloorSide(access, lists, self._options.consistency, page_items, folder, encoding=encoding)
        return self._told(side.run(repetition=number, meter=self._meter()))

    def _round(self, number: int, lists: Sequence[tuple[str, bool]], *, pages: Sequence[int]) -> list[Run]:
        """Each side once."""
        runs = [self._measured_backup(number)]
        runs += [self._floor(number, lists, page_items=page_items) for page_items in pages]
        if self._options.list_encoding != "json" and (version := self._client.minor_version):
            runs.append(self._floor(number, lists, page_items=UNPAGED, encoding=Encoding(version)))
        if command := self._options.against_command:
            pids = {"against": self._options.against_pid} if self._options.against_pid else {}
            side = CommandSide(command, self._folder, pids)
            runs.append(self._told(side.run(repetition=number, meter=self._meter())))
        return runs

    def _beside(self, lists: Sequence[tuple[str, bool]], best: Side) -> tuple[Beside, ...]:
        """Rounds of their own, so that the others' figures are without the bystander."""
        page_items = next(page for page in self._options.page_sizes if label_of_page(page) == best.label)
        windows: list[tuple[str, float, float]] = []
        self._report("a bystander asks, too")
        with standing_by(self._client, namespace=f"{self._prefix}-bystander") as bystander:
            for number in range(1, min(self._options.repetitions, _MOST_BESIDE_ROUNDS) + 1):
                time.sleep(_REST_SECONDS + _ALONE_SECONDS)
                windows.append((ALONE, time.monotonic() - _ALONE_SECONDS, time.monotonic()))
                windows.append(_window(self._floor(number, lists, page_items=page_items)))
                name = f"{self._prefix}-beside-{number}"
                try:
                    run = self._told(self._backup.run(name, repetition=number, meter=self._meter()))
                finally:
                    self._remove(name)
                windows.append(_window(run))
            answered = bystander.end()
        return besides(answered, windows)

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
            is_compacted=bool(options.etcd_url),
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


def promising_pages(page_sizes: Sequence[int], runs: Sequence[Run]) -> list[int]:
    """Page sizes that may still turn out as the floor: after two rounds none whose fastest run is behind the best one's
    slowest, and after one none that took twice as long. All that were run keep their place in the figures.
    """
    walls = {page: [run.wall_seconds for run in runs if run.label == label_of_page(page)] for page in page_sizes}
    if not any(walls.values()):
        return list(page_sizes)
    best = min(walls.values(), key=lambda each: median(each) if each else math.inf)
    factor = _HOPELESS if len(best) == 1 else 1.0
    return [page for page in page_sizes if min(walls[page], default=0.0) <= factor * max(best)]


def _window(run: Run) -> tuple[str, float, float]:
    """From the first list of a run that has just ended, and was told."""
    ended = time.monotonic() - _REST_SECONDS
    return run.side, ended - run.wall_seconds, ended


def _gzip6_bytes(store: BackupStore) -> int:
    """The bytes of `gzip -6` of the archive's tar."""
    archive = GzipStream(store.chunks(store.keys.archive), location=store.location, key=store.keys.archive)
    packer, size = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW), 0
    for piece in archive.pieces():
        archive.ended_members.clear()
        size += len(packer.compress(piece))
    return size + len(packer.flush())
