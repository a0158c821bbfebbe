"""Backups of a real cluster into a real S3 server, made by several processes, some of which are killed or refused."""

import gzip
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from command import PINNACE
from faults.shared_run import kill_shards, shard_pids
from integration.cluster_fixtures import TestedCluster
from integration.large_items import CHANGING_KINDS, LARGE_ITEMS, large_items
from integration.s3_fixtures import new_prefix
from integration.s3_server import ACCESS_KEY, READER, SECRET_KEY, SeaweedServer
from pinnace.backup import run, segments
from pinnace.backup.progress import Observer
from pinnace.backup.shard_makers import Sharding
from pinnace.backup.shard_processes import ShardProcesses
from pinnace.backup.verify import verify
from pinnace.errors import ShardError
from pinnace.kube.client import connect
from pinnace.store.backup_store import BackupStore
from pinnace.store.open import open_store
from pinnace.velero.backup import Backup, BackupSpec

_NAME = "shared"
_RUN = "from pinnace.backup import segments; segments.LEAST_BYTES = 1; from pinnace.cli.main import main; main()"

pytestmark = pytest.mark.usefixtures("credentials")


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "LEAST_BYTES", 1)


@pytest.fixture(scope="module")
def large_cluster(local_cluster: TestedCluster) -> Iterator[TestedCluster]:
    """The session's cluster with large items of three kinds."""
    with large_items(local_cluster, namespace="aaa-shards"):
        yield local_cluster


class Runs:
    """Runs of one Backup into prefixes of their own."""

    def __init__(self, cluster: TestedCluster, server: SeaweedServer, bucket: str) -> None:
        self._cluster = cluster
        self._server = server
        self._bucket = bucket

    def new_url(self) -> str:
        return self._server.store_url(self._bucket, new_prefix())

    def make(
        self, url: str, *, shards: int, observer: Observer | None = None, environment: tuple[str, ...] = ()
    ) -> run.Outcome:
        """`environment` is that of the shards alone."""
        kubeconfig = str(self._cluster.kubeconfig)
        command = (*PINNACE, "backup", "shard", _NAME, "--store", url, "--kubeconfig", kubeconfig)
        makers = partial(ShardProcesses, command=("env", *environment, *command))
        spec = BackupSpec(excluded_resources=CHANGING_KINDS)
        backup = Backup(name=_NAME, spec=spec).with_status(phase="InProgress", start_timestamp="2026-11-25T03:00:00Z")
        return run.make(
            backup,
            client=connect(kubeconfig=self._cluster.kubeconfig),
            store=stored(url),
            options=run.RunOptions(sharding=Sharding(shards, makers), level="fast"),
            observer=observer,
        )


@pytest.fixture(scope="module")
def runs(large_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str) -> Runs:
    return Runs(large_cluster, s3_server, shared_bucket)


def stored(url: str) -> BackupStore:
    return BackupStore(open_store(url), _NAME)


def archive_of(url: str) -> bytes:
    store = stored(url)
    return store.read(store.keys.archive)


def what_is_there(url: str) -> list[str]:
    """Objects and unfinished uploads."""
    store = open_store(url)
    return [*(found.key for found in store.list_keys("")), *(upload.key for upload in store.uploads(""))]


@pytest.fixture(scope="module")
def alone(runs: Runs) -> bytes:
    """The archive that one process makes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(segments, "LEAST_BYTES", 1)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        url = runs.new_url()
        runs.make(url, shards=1)
        return archive_of(url)


@pytest.mark.parametrize("shards", [2, 3, 5])
def test_the_archive_is_the_same_whatever_the_number_of_processes(shards: int, runs: Runs, alone: bytes) -> None:
    url = runs.new_url()
    outcome = runs.make(url, shards=shards)
    assert len(outcome.digest.stretches) > 2
    assert archive_of(url) == alone
    store = stored(url)
    assert verify(store).item_count == outcome.digest.item_count > 3 * LARGE_ITEMS
    assert [key for key in what_is_there(url) if ".shard-" in key or ".stretch-" in key] == []
    assert set(what_is_there(url)) == set(store.keys.all())


class KillsOnce(Observer):
    """Kills the shards when the first of them has told that a page is archived."""

    def __init__(self) -> None:
        self.has_killed = False

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        if threading.current_thread().name.startswith("shard-") and not self.has_killed:
            self.has_killed = True
            kill_shards()


def test_shards_that_are_killed_are_made_anew_and_nothing_of_them_is_left(runs: Runs, alone: bytes) -> None:
    url, observer = runs.new_url(), KillsOnce()
    outcome = runs.make(url, shards=3, observer=observer)
    assert observer.has_killed
    store = stored(url)
    assert "A shard ended without a word" in gzip.decompress(store.read(store.keys.log)).decode()
    assert archive_of(url) == alone
    assert verify(store).item_count == outcome.digest.item_count
    assert set(what_is_there(url)) == set(store.keys.all())


def test_a_bucket_that_refuses_a_shard_ends_the_run_and_nothing_is_there(runs: Runs) -> None:
    url = runs.new_url()
    with pytest.raises(ShardError, match=r"shard 1: bucket .*: s3:PutObject .*; grant s3:PutObject"):
        runs.make(url, shards=2, environment=(f"AWS_ACCESS_KEY_ID={READER}", f"AWS_SECRET_ACCESS_KEY={READER}"))
    assert what_is_there(url) == []


def test_a_run_that_is_told_to_stop_aborts_the_upload_and_ends_its_shards(
    runs: Runs, large_cluster: TestedCluster
) -> None:
    url = runs.new_url()
    arguments = ["backup", "run", _NAME, "--store", url, "--kubeconfig", str(large_cluster.kubeconfig), "--shards", "3"]
    with subprocess.Popen([sys.executable, "-c", _RUN, *arguments], stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 300
        while not (pids := shard_pids(process.pid)) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert pids
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, complaints
    assert complaints.splitlines()[-1].startswith("error: interrupted by signal 15; uploads were aborted")
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert what_is_there(url) == []
