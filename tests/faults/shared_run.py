"""A recorded cluster behind a real HTTP server, and runs of it that are shared out however small it is."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from command import PINNACE, kubeconfig_of
from faults.collecting import refusal
from faults.list_server import Answer, listening
from pinnace.backup import run
from pinnace.backup.progress import Observer
from pinnace.backup.shard_makers import Sharding
from pinnace.backup.shard_processes import ShardProcesses
from pinnace.kube.client import connect
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup
from unit.backup.recorded_cluster import RecordedCluster
from unit.backup.small_backup import GOLDEN

__all__ = ["SharedCluster", "kill_shards", "shard_pids", "shared_cluster"]

OnList = Callable[[str], None]


@dataclass(frozen=True)
class SharedCluster:
    """Where it listens."""

    kubeconfig: Path

    def make(
        self,
        folder: Path,
        *,
        shards: int,
        observer: Observer | None = None,
        level: str = "info",
        shard_store: Path | None = None,
    ) -> run.Outcome:
        """Run Velero's golden Backup of everything into a folder; its shards write into another one if told to."""
        name = "golden-all"
        document = json.loads((GOLDEN / "bucket" / "backups" / name / "velero-backup.json").read_bytes())
        told = ("--store", f"file://{shard_store or folder}", "--kubeconfig", str(self.kubeconfig))
        makers = partial(ShardProcesses, command=(*PINNACE, "backup", "shard", name, *told))
        sharding = Sharding(shards, makers) if shards > 1 else None
        store = FilesystemStore(folder)
        store.prepare()
        return run.make(
            Backup.from_document(document),
            client=connect(kubeconfig=self.kubeconfig),
            store=BackupStore(store, name),
            options=run.RunOptions(sharding=sharding, log_level=level),
            observer=observer,
        )


@contextmanager
def shared_cluster(
    folder: Path,
    *,
    refused: frozenset[str] = frozenset(),
    on_list: OnList | None = None,
) -> Iterator[SharedCluster]:
    """Serve the golden cluster; `refused` paths may be probed, but not listed.

    `on_list` is called with the path of each list that is no probe, before its answer.
    """
    cluster = RecordedCluster(GOLDEN / "cluster")

    def answer(target: str) -> Answer:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        if parts.path in ("/version", "/api", "/apis"):
            read = cluster.version() if parts.path == "/version" else cluster.get(parts.path)
            return Answer(json.dumps(read).encode())
        if query.get("limit") != "1":
            if parts.path in refused:
                return refusal(403, "forbidden", retry_after="")
            if on_list is not None:
                on_list(parts.path)
        return Answer(cluster.open(parts.path, query).read())

    with listening(answer) as (url, _):
        yield SharedCluster(kubeconfig_of(url, folder=folder))


def shard_pids(parent: int) -> list[int]:
    """The processes of shards that a run has just now."""
    children = [
        int(pid) for file in Path(f"/proc/{parent}/task").glob("*/children") for pid in file.read_text().split()
    ]
    return [pid for pid in children if b"shard" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]


def kill_shards() -> None:
    """End the shards of this process's run as the kernel does when memory is short."""
    for pid in shard_pids(os.getpid()):
        os.kill(pid, signal.SIGKILL)
