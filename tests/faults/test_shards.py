"""A backup that several processes make is the one that one makes; a process that dies is made good, or ends the run."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from faults.shared_run import SharedCluster, kill_shards, shard_pids, shared_cluster
from pinnace.archive import contents
from pinnace.backup import segments
from pinnace.backup.description import describe
from pinnace.backup.progress import Observer
from pinnace.backup.verify import verify
from pinnace.errors import ShardError, VerificationError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from unit.backup.small_backup import GOLDEN

_NAME = "golden-all"
_LAST = "/apis/storage.k8s.io/v1/storageclasses"
"""A list that the last shard reads."""

_LONG_SECONDS = 300
"""What is waited for comes in a second or two; a busy machine may take long."""

_EXACT = "resourceVersion=7&resourceVersionMatch=Exact"
_CLASSES = len(json.loads((GOLDEN / "cluster" / "apis__storage.k8s.io__v1__storageclasses.json").read_bytes())["items"])

_RUN = "from pinnace.backup import segments; segments.LEAST_BYTES = 1; from pinnace.cli.main import main; main()"
"""`pinnace`, with segments however small the cluster is."""


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "LEAST_BYTES", 1)


def stored(folder: Path) -> BackupStore:
    return BackupStore(FilesystemStore(folder), _NAME)


def objects(folder: Path) -> dict[str, bytes]:
    """All that is there but what holds times."""
    files = {path.name: path.read_bytes() for path in sorted((folder / "backups" / _NAME).iterdir())}
    return {name: body for name, body in files.items() if not name.endswith(("-logs.gz", "velero-backup.json"))}


def without_hashes(manifest: bytes) -> dict[str, object]:
    """The manifest, but for what says how many processes made the archive, and for hashes of what holds times."""
    document = json.loads(gzip.decompress(manifest))
    assert isinstance(document, dict)
    document["archive"].pop("sha256", None)
    document["archive"].pop("stretches", None)
    for name in ("golden-all-logs.gz", "velero-backup.json"):
        del document["objects"][name]
    return document


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as monkeypatch, shared_cluster(folder) as cluster:
        monkeypatch.setattr(segments, "LEAST_BYTES", 1)
        cluster.make(folder / "store", shards=1)
    return objects(folder / "store")


@pytest.mark.parametrize("shards", [2, 3, 5])
def test_the_number_of_processes_does_not_show(shards: int, alone: dict[str, bytes], tmp_path: Path) -> None:
    with shared_cluster(tmp_path) as cluster:
        outcome = cluster.make(tmp_path / "store", shards=shards)
    found = objects(tmp_path / "store")
    assert set(found) == set(alone)
    manifest = f"{_NAME}-manifest.json.gz"
    assert [name for name in alone if name != manifest and found[name] != alone[name]] == []
    assert without_hashes(found[manifest]) == without_hashes(alone[manifest])
    assert len(outcome.digest.stretches) == shards + 1
    assert outcome.backup.status.phase == "Completed"


def test_every_reader_reads_it(alone: dict[str, bytes], tmp_path: Path) -> None:
    with shared_cluster(tmp_path) as cluster:
        outcome = cluster.make(tmp_path / "store", shards=3)
    store = stored(tmp_path / "store")
    assert verify(store).item_count == outcome.digest.item_count == 226
    items = [item.item_name for item in contents.items(store)]
    assert len(items) == 226
    for item in (items[0], items[100], items[-1]):
        assert json.loads(contents.extract(store, item))["metadata"]["name"] == item.rpartition("/")[2]
    described = describe(store)
    assert described.kind_counts is not None
    assert (sum(described.kind_counts.values()), described.archive_bytes) == (226, outcome.digest.archive_bytes)
    assert described.backup["status"]["progress"] == {"totalItems": 226, "itemsBackedUp": 226}


def test_a_change_in_any_stretch_is_found(tmp_path: Path) -> None:
    with shared_cluster(tmp_path) as cluster:
        outcome = cluster.make(tmp_path / "store", shards=3)
    path = tmp_path / "store" / "backups" / _NAME / f"{_NAME}-manifest.json.gz"
    manifest = json.loads(gzip.decompress(path.read_bytes()))
    for number in range(len(outcome.digest.stretches)):
        changed = json.loads(json.dumps(manifest))
        changed["archive"]["stretches"][number]["sha256"] = "0" * 64
        path.write_bytes(gzip.compress(json.dumps(changed).encode()))
        with pytest.raises(VerificationError, match=r"the archive's SHA-256: .* but the manifest says 0000"):
            verify(stored(tmp_path / "store"))
    del manifest["archive"]["stretches"][-1]
    path.write_bytes(gzip.compress(json.dumps(manifest).encode()))
    with pytest.raises(VerificationError, match="the archive's SHA-256"):
        verify(stored(tmp_path / "store"))


class Told(Observer):
    """The counts."""

    def __init__(self) -> None:
        self.counts: list[tuple[int, int]] = []

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        self.counts.append((item_count, page_bytes))


def test_progress_is_that_of_all_processes(tmp_path: Path) -> None:
    told = Told()
    with shared_cluster(tmp_path) as cluster:
        outcome = cluster.make(tmp_path / "store", shards=3, observer=told)
    page_bytes = sum(collected.page_bytes for collected in outcome.lists)
    assert told.counts[-1] == (226, page_bytes)
    assert max(told.counts) == (226, page_bytes)


@pytest.mark.parametrize("shards", [1, 3])
def test_a_kind_that_a_shard_may_not_list_is_an_error_of_the_backup(shards: int, tmp_path: Path) -> None:
    with shared_cluster(tmp_path, refused=frozenset({_LAST})) as cluster:
        outcome = cluster.make(tmp_path / "store", shards=shards)
    assert outcome.backup.status.phase == "PartiallyFailed"
    entries = [(entry.resource, entry.namespace, entry.message) for entry in outcome.results.entries()]
    assert entries == [("storageclasses.storage.k8s.io", "", "Error listing items")]
    assert [each.error for each in outcome.lists if each.error] == [
        f"GET {_LAST}?{_EXACT}: forbidden; grant get,list on it to the user or service account that backs up"
    ]
    assert verify(stored(tmp_path / "store")).item_count == outcome.digest.item_count == 226 - _CLASSES
    log = gzip.decompress(stored(tmp_path / "store").read(f"backups/{_NAME}/{_NAME}-logs.gz")).decode()
    assert log.count('level=error msg="Error listing items"') == 1


def test_the_log_is_whole_and_has_each_item_once(tmp_path: Path) -> None:
    with shared_cluster(tmp_path) as cluster:
        cluster.make(tmp_path / "store", shards=3, level="debug")
    log = gzip.decompress(stored(tmp_path / "store").read(f"backups/{_NAME}/{_NAME}-logs.gz")).decode()
    assert len(re.findall('msg="Backed up item"', log)) == 226
    read = re.findall('msg="Getting items".*request="GET ([^ ?"]*)', log)
    assert (_LAST in read, len(read)) == (True, len(set(read)))
    assert "Backed up a total of 226 items" in log.splitlines()[-1]


def test_a_shard_that_is_killed_is_made_anew_alone_and_the_archive_is_the_same(
    alone: dict[str, bytes], tmp_path: Path
) -> None:
    asked: list[str] = []

    def kill_once(path: str) -> None:
        asked.append(path)
        if path == _LAST and asked.count(_LAST) == 1:
            kill_shards()

    with shared_cluster(tmp_path, on_list=kill_once) as cluster:
        outcome = cluster.make(tmp_path / "store", shards=2)
    found = objects(tmp_path / "store")
    assert [name for name in alone if not name.endswith("manifest.json.gz") and found[name] != alone[name]] == []
    assert set(found) == set(alone), "nothing of the killed process is left"
    assert outcome.backup.status.phase == "Completed"
    assert asked.count(_LAST) == 2
    assert asked.count("/api/v1/namespaces/golden-a/pods") == 1, "the run itself goes on"
    log = gzip.decompress(stored(tmp_path / "store").read(f"backups/{_NAME}/{_NAME}-logs.gz")).decode()
    assert 'msg="A shard ended without a word" attempt=1' in log


def test_a_shard_that_is_killed_each_time_ends_the_run_and_nothing_is_there(tmp_path: Path) -> None:
    asked: list[str] = []

    def kill(path: str) -> None:
        if path == _LAST:
            asked.append(path)
            kill_shards()

    with shared_cluster(tmp_path, on_list=kill) as cluster, pytest.raises(ShardError) as failed:
        cluster.make(tmp_path / "store", shards=2)
    assert str(failed.value) == "shard 1: its process died 3 times, at last by signal 9"
    assert len(asked) == 3
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_what_a_shard_says_of_its_failure_is_the_runs(tmp_path: Path) -> None:
    """It is started with another store than the run's, which takes nothing."""
    other = tmp_path / "a-file"
    other.write_text("")
    said = r"shard 1: folder .*a-file: write backups/.*: a file is in the place of a folder; move"
    with shared_cluster(tmp_path) as cluster, pytest.raises(ShardError, match=said):
        cluster.make(tmp_path / "store", shards=2, shard_store=other)
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def running(cluster: SharedCluster, store: Path, *, shards: int) -> "subprocess.Popen[str]":
    arguments = ["backup", "run", _NAME, "--store", str(store), "--kubeconfig", str(cluster.kubeconfig)]
    command = [sys.executable, "-c", _RUN, *arguments, "--shards", str(shards)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def is_gone(pid: int) -> bool:
    """Ended, waited for or not: who waits for it is another process once the run is killed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_signal_to_the_run_ends_its_shards_too(number: signal.Signals, code: int, tmp_path: Path) -> None:
    reached, may_go_on = threading.Event(), threading.Event()

    def hold(path: str) -> None:
        if path == _LAST:
            reached.set()
            may_go_on.wait(_LONG_SECONDS)

    with shared_cluster(tmp_path, on_list=hold) as cluster, running(cluster, tmp_path / "store", shards=3) as process:
        assert reached.wait(_LONG_SECONDS)
        pids = shard_pids(process.pid)
        assert pids
        os.kill(process.pid, number)
        process.communicate()
        until = time.monotonic() + _LONG_SECONDS
        while not all(map(is_gone, pids)) and time.monotonic() < until:
            time.sleep(0.05)
        assert [pid for pid in pids if not is_gone(pid)] == []
        may_go_on.set()
    assert process.returncode == code
    if number is not signal.SIGKILL:
        assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
        return
    with shared_cluster(tmp_path) as cluster:
        cluster.make(tmp_path / "store", shards=2)
    assert [path.name for path in (tmp_path / "store").rglob("*.upload")] == [], "what was left is cleared away"


def test_the_command_shares_out_and_says_the_same(tmp_path: Path) -> None:
    with shared_cluster(tmp_path) as cluster, running(cluster, tmp_path / "store", shards=3) as process:
        shown, complaints = process.communicate()
    assert (process.returncode, "Completed" in shown) == (0, True), complaints
    store = stored(tmp_path / "store")
    status = describe(store).backup["status"]
    assert verify(store).item_count == status["progress"]["itemsBackedUp"] > 200
    log = gzip.decompress(store.read(store.keys.log)).decode()
    assert re.search('msg="Sharing the lists out" .*processes=3', log)


def test_without_enough_to_share_nothing_is_cut_and_no_process_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(segments, "LEAST_BYTES", 16 << 20)
    with shared_cluster(tmp_path) as cluster:
        outcome = cluster.make(tmp_path / "store", shards=5)
    assert (outcome.digest.stretches, outcome.digest.item_count, outcome.digest.member_count) == ([], 226, 2)
    assert 1 << 20 < outcome.digest.tar_bytes < 2 << 20, "a member ends after each MiB, and nowhere else"
    log = gzip.decompress(stored(tmp_path / "store").read(f"backups/{_NAME}/{_NAME}-logs.gz")).decode()
    assert 'msg="One process makes the backup: too little is left to share out"' in log
