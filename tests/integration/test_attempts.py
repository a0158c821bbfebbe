"""Attempts of a Job as processes against real servers: each says how it ended, and only the newest one may write."""

import gzip
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from command import PINNACE, pinnace
from integration import cluster_fixtures
from integration.own_cluster import OwnCluster
from integration.s3_fixtures import new_bucket, new_prefix, open_bucket
from integration.s3_server import READER, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.cluster import kubectl, local_cluster, synthetic
from pinnace.cluster.ports import free_ports
from pinnace.store.backup_store import BackupStore

pytestmark = pytest.mark.usefixtures("credentials")

_NAMESPACE = "velero"
_OBJECTS = 24_000
"""So many that a run takes seconds and its archive several parts."""

_RUN_SECONDS = 180


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnCluster]:
    with cluster_fixtures.cluster_folder() as folder:
        own = OwnCluster(local_cluster.up(folder))
        try:
            apply_crds(cluster_fixtures.tested_cluster(own.cluster))
            kubectl.run("create", "namespace", _NAMESPACE, kubeconfig=own.cluster.kubeconfig)
            synthetic.load(own.cluster, objects=_OBJECTS)
            yield own
        finally:
            own.end()


@dataclass
class Attempt:
    """One process, as a pod runs it."""

    process: subprocess.Popen[bytes]
    termination_log: Path
    stderr: Path

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, *, seconds: float = _RUN_SECONDS) -> int:
        """Its exit code."""
        self.process.wait(seconds)
        return self.process.returncode

    @property
    def said(self) -> dict[str, Any]:
        """Its termination message."""
        document: dict[str, Any] = json.loads(self.termination_log.read_text())
        return document

    @property
    def printed(self) -> str:
        return self.stderr.read_text()


@dataclass
class Case:
    """One Backup that is InProgress, with a location of its own, and the attempts that were made of it."""

    cluster: OwnCluster
    server: SeaweedServer
    bucket: str
    folder: Path
    name: str
    prefix: str = field(default_factory=new_prefix)
    attempts: list[Attempt] = field(default_factory=list)

    def kubectl(self, *arguments: str, document: Any = None) -> str:
        given = None if document is None else json.dumps(document)
        namespaced = (f"--namespace={_NAMESPACE}", *arguments)
        return kubectl.run(*namespaced, kubeconfig=self.cluster.cluster.kubeconfig, standard_input=given)

    def create(self, *, phase: str = "InProgress", s3_url: str = "", **spec: Any) -> None:
        """The Backup as the dispatcher leaves it when it resumes the Job, and its location."""
        config = {"s3Url": s3_url or self.server.url, "s3ForcePathStyle": "true", "region": "us-east-1"}
        storage = {"bucket": self.bucket, "prefix": self.prefix}
        location = {"provider": "aws", "objectStorage": storage, "config": config}
        status = {"phase": phase, "startTimestamp": "2026-01-01T12:00:00Z", "expiration": "2026-02-01T12:00:00Z"}
        self._create("BackupStorageLocation", {"spec": location})
        self._create("Backup", {"spec": {"storageLocation": self.name, **spec}, "status": status})

    def _create(self, kind: str, fields: dict[str, Any]) -> None:
        metadata = {"name": self.name, "namespace": _NAMESPACE}
        document = {"apiVersion": "velero.io/v1", "kind": kind, "metadata": metadata, **fields}
        self.kubectl("create", "-f-", document=document)

    @property
    def backup(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.kubectl("get", "backups.velero.io", self.name, "-ojson"))
        return document

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.backup["status"]
        return status

    @property
    def store_url(self) -> str:
        return self.server.store_url(self.bucket, self.prefix)

    def start(self, *, backup_uid: str = "", **environment: str) -> Attempt:
        """Begin an attempt, whose pod's uid is its own."""
        number = len(self.attempts) + 1
        termination_log, stderr = self.folder / f"termination-{number}", self.folder / f"stderr-{number}"
        given = {
            "KUBECONFIG": str(self.cluster.cluster.kubeconfig),
            "PINNACE_NAMESPACE": _NAMESPACE,
            "PINNACE_BACKUP_UID": backup_uid or self.backup["metadata"]["uid"],
            "PINNACE_ATTEMPT_ID": f"attempt-{number}",
            "PINNACE_COMPRESSION": "fast",
        }
        command = [*PINNACE, "backup", "job", self.name, "--termination-log", str(termination_log)]
        with stderr.open("wb") as file:
            process = subprocess.Popen(command, env={**os.environ, **given, **environment}, stderr=file)
        self.attempts.append(Attempt(process, termination_log, stderr))
        return self.attempts[-1]

    def wait(self, holds: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Look until it holds; an attempt that ended before is a failure that says what it printed."""
        deadline = time.monotonic() + seconds
        while not holds():
            ended = [attempt.printed for attempt in self.attempts if attempt.process.poll() is not None]
            assert time.monotonic() < deadline, ended
            time.sleep(0.02)

    def wait_for_upload(self) -> None:
        """Until the archive's upload is open: the attempt is in its middle."""
        store = open_bucket(self.store_url)
        archive = BackupStore(store, self.name).keys.archive
        self.wait(lambda: archive in [upload.key for upload in store.uploads(f"backups/{self.name}/")])

    def left(self) -> tuple[list[str], list[str]]:
        """Objects, and keys of open uploads."""
        store, prefix = open_bucket(self.store_url), f"backups/{self.name}/"
        objects = [found.key.removeprefix(prefix) for found in store.list_keys(prefix)]
        return objects, [upload.key.removeprefix(prefix) for upload in store.uploads(prefix)]

    def metadata(self) -> dict[str, Any]:
        """`velero-backup.json`."""
        document: dict[str, Any] = json.loads(BackupStore(open_bucket(self.store_url), self.name).read_metadata())
        return document

    def results(self) -> str:
        """Errors and warnings."""
        store = BackupStore(open_bucket(self.store_url), self.name)
        return gzip.decompress(store.read(store.keys.results)).decode()

    def last_log_line(self) -> str:
        store = BackupStore(open_bucket(self.store_url), self.name)
        return gzip.decompress(store.read(store.keys.log)).decode().splitlines()[-1]

    def verify(self) -> int:
        """Prove the backup; gives its number of items."""
        verified = pinnace("backup", "verify", self.name, "--store", self.store_url, "-o", "json")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        return int(json.loads(verified.stdout)["item_count"])


@pytest.fixture(scope="module")
def job_bucket(s3_server: SeaweedServer) -> str:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "pinnace")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "pinnace-secret")
        return new_bucket(s3_server)


@pytest.fixture
def case(cluster: OwnCluster, s3_server: SeaweedServer, job_bucket: str, tmp_path: Path) -> Iterator[Case]:
    made = Case(cluster, s3_server, job_bucket, tmp_path, name=f"b-{uuid.uuid4().hex[:8]}")
    yield made
    for attempt in made.attempts:
        attempt.process.kill()
        attempt.process.wait()


def assert_whole(case: Case, *, attempt: str) -> None:
    """Completed, by that attempt, in the cluster and in the bucket."""
    backup, stored = case.backup, case.metadata()
    status = backup["status"]
    assert status["phase"] == "Completed", (status, case.results())
    assert "failureReason" not in status
    assert status["progress"]["itemsBackedUp"] == status["progress"]["totalItems"] == case.verify()
    assert stored["status"] == status
    assert stored["metadata"]["uid"] == backup["metadata"]["uid"]
    assert stored["metadata"]["annotations"]["pinnace.io/attempt-id"] == attempt
    assert case.left()[1] == []


def test_an_attempt_writes_bucket_status_and_last_words(case: Case) -> None:
    case.create()
    attempt = case.start()
    assert attempt.end() == 0, attempt.printed
    assert_whole(case, attempt="attempt-1")
    items = case.status["progress"]["itemsBackedUp"]
    assert items > _OBJECTS
    said = attempt.said
    assert said["item_count"] == items
    assert said["archive_bytes"] > 8 << 20
    assert said["page_bytes"] > said["archive_bytes"]
    assert said.keys() == {"archive_bytes", "item_count", "page_bytes", "list_seconds"}


def test_an_attempt_that_wakes_up_after_the_next_one_has_ended_writes_nothing(case: Case) -> None:
    case.create()
    lost = case.start()
    case.wait_for_upload()
    lost.signal(signal.SIGSTOP)
    successor = case.start()
    assert successor.end() == 0, successor.printed
    before = case.backup, case.left()
    lost.signal(signal.SIGCONT)
    assert lost.end() == 0, lost.printed
    assert "another attempt has taken over" in lost.said["reason"]
    assert (case.backup, case.left()) == before
    assert_whole(case, attempt="attempt-2")


def test_an_attempt_that_wakes_up_beside_the_next_one_leaves_its_uploads_alone(case: Case) -> None:
    case.create()
    lost = case.start()
    case.wait_for_upload()
    lost.signal(signal.SIGSTOP)
    successor = case.start()
    case.wait(lambda: case.backup["metadata"]["annotations"]["pinnace.io/attempt-id"] == "attempt-2")
    case.wait(lambda: not case.left()[1])
    case.wait_for_upload()
    successor.signal(signal.SIGSTOP)
    before = case.backup, case.left()
    lost.signal(signal.SIGCONT)
    assert lost.end() == 0, lost.printed
    assert (case.backup, case.left()) == before
    successor.signal(signal.SIGCONT)
    assert successor.end() == 0, successor.printed
    assert_whole(case, attempt="attempt-2")


def test_an_attempt_that_is_told_to_stop_beside_the_next_one_leaves_its_uploads_alone(case: Case) -> None:
    """A kubelet that comes back finds the pod deleted and stops what still runs."""
    case.create()
    lost = case.start()
    case.wait_for_upload()
    lost.signal(signal.SIGSTOP)
    successor = case.start()
    case.wait(lambda: case.backup["metadata"]["annotations"]["pinnace.io/attempt-id"] == "attempt-2")
    case.wait(lambda: not case.left()[1])
    case.wait_for_upload()
    successor.signal(signal.SIGSTOP)
    before = case.left()
    lost.signal(signal.SIGTERM)
    lost.signal(signal.SIGCONT)
    assert lost.end() == 143, lost.printed
    assert case.left() == before
    successor.signal(signal.SIGCONT)
    assert successor.end() == 0, successor.printed
    assert_whole(case, attempt="attempt-2")


def test_an_attempt_that_is_told_to_stop_leaves_nothing(case: Case) -> None:
    case.create()
    attempt = case.start()
    case.wait_for_upload()
    attempt.signal(signal.SIGTERM)
    assert attempt.end() == 143
    assert case.left() == ([], [])
    assert case.status["phase"] == "InProgress"


def test_an_attempt_clears_what_a_killed_one_left(case: Case) -> None:
    case.create()
    killed = case.start()
    case.wait_for_upload()
    killed.signal(signal.SIGKILL)
    killed.end()
    assert case.left()[1] != []
    successor = case.start()
    assert successor.end() == 0, successor.printed
    assert_whole(case, attempt="attempt-2")


def test_an_attempt_that_finds_its_backup_committed_takes_the_status_from_the_bucket(case: Case) -> None:
    case.create(includedNamespaces=["default"])
    assert case.start().end() == 0
    status, stored = case.status, case.left()
    lost_status = {"phase": "InProgress", "completionTimestamp": None, "progress": None}
    case.kubectl("patch", "backups.velero.io", case.name, "--type=merge", "-p", json.dumps({"status": lost_status}))
    assert case.start().end() == 0
    assert (case.status, case.left()) == (status, stored)


def test_a_name_that_another_backup_has_in_the_bucket_fails_and_leaves_it_as_it_is(case: Case) -> None:
    case.create(includedNamespaces=["default"])
    foreign = pinnace(
        "backup", "run", case.name, "--include-namespaces=default", "--store", case.store_url,
        "--kubeconfig", str(case.cluster.cluster.kubeconfig),
    )  # fmt: skip
    assert foreign.returncode == 0, foreign.stderr
    stored, metadata = case.left(), case.metadata()
    attempt = case.start()
    assert attempt.end() == 1
    assert case.status["phase"] == "Failed"
    assert "already exists in object storage; choose another name" in case.status["failureReason"]
    assert (case.left(), case.metadata()) == (stored, metadata)
    case.verify()


def test_of_a_run_and_an_attempt_of_one_name_the_second_to_end_leaves_the_first_whole(case: Case) -> None:
    case.create()
    attempt = case.start()
    case.wait_for_upload()
    attempt.signal(signal.SIGSTOP)
    store, archive = open_bucket(case.store_url), BackupStore(open_bucket(case.store_url), case.name).keys.archive
    open_uploads = [upload.upload_id for upload in store.uploads(f"backups/{case.name}/") if upload.key == archive]
    foreign_prefix = case.prefix + "-foreign"
    foreign = pinnace(
        "backup", "run", case.name, "--include-namespaces=default",
        "--store", case.server.store_url(case.bucket, foreign_prefix),
        "--kubeconfig", str(case.cluster.cluster.kubeconfig),
    )  # fmt: skip
    assert foreign.returncode == 0, foreign.stderr
    other = open_bucket(case.server.store_url(case.bucket, foreign_prefix))
    for found in list(other.list_keys(f"backups/{case.name}/")):
        store.put(found.key, other.get(found.key))
    attempt.signal(signal.SIGCONT)
    assert (attempt.end(), open_uploads != []) == (1, True), attempt.printed
    assert "already exists in object storage" in case.status["failureReason"]
    assert case.left()[1] == []
    case.verify()


@pytest.mark.parametrize("phase", ["Failed", "Completed", "Deleting"])
def test_a_backup_that_is_not_in_progress_is_left_alone(case: Case, phase: str) -> None:
    case.create(phase=phase)
    before = case.backup
    attempt = case.start()
    assert attempt.end() == 0
    assert "no longer InProgress" in attempt.said["reason"]
    assert (case.backup, case.left()) == (before, ([], []))


def test_a_backup_of_another_uid_is_left_alone(case: Case) -> None:
    case.create()
    before = case.backup
    assert case.start(backup_uid=str(uuid.uuid4())).end() == 0
    assert (case.backup, case.left()) == (before, ([], []))


def test_a_backup_that_is_gone_is_not_made(case: Case) -> None:
    assert case.start(backup_uid=str(uuid.uuid4())).end() == 0
    assert case.left() == ([], [])


def test_a_backup_that_is_not_in_progress_yet_is_waited_for(case: Case) -> None:
    case.create(phase="New", includedNamespaces=["default"])
    attempt = case.start()
    time.sleep(1)
    assert attempt.process.poll() is None
    case.kubectl("patch", "backups.velero.io", case.name, "--type=merge", "-p", '{"status":{"phase":"InProgress"}}')
    assert attempt.end() == 0, attempt.printed
    assert_whole(case, attempt="attempt-1")


def test_a_bucket_that_is_away_asks_for_another_attempt_and_says_why(case: Case) -> None:
    (port,) = free_ports(1)
    case.create(s3_url=f"http://127.0.0.1:{port}")
    attempt = case.start()
    assert attempt.end() == 75, attempt.printed
    assert f"bucket {case.bucket}" in attempt.said["reason"]
    assert f"127.0.0.1:{port}" in attempt.said["reason"]
    status = case.status
    assert (status["phase"], "failureReason" in status) == ("InProgress", False)


@pytest.mark.parametrize(
    ("access_key", "secret_key", "fix"),
    [
        ("nobody", "nothing", "give credentials that this server knows"),
        (READER, READER, "grant s3:PutObject on the bucket to these credentials"),
    ],
    ids=["unknown key", "may not write"],
)
def test_a_bucket_that_refuses_fails_the_backup_with_its_name_and_the_fix(
    case: Case, access_key: str, secret_key: str, fix: str
) -> None:
    case.create()
    attempt = case.start(AWS_ACCESS_KEY_ID=access_key, AWS_SECRET_ACCESS_KEY=secret_key)
    assert attempt.end() == 1, attempt.printed
    status = case.status
    assert (status["phase"], "completionTimestamp" in status) == ("Failed", True)
    assert f"bucket {case.bucket} prefix {case.prefix}" in status["failureReason"]
    assert fix in status["failureReason"]
    assert attempt.said["reason"] == status["failureReason"]
    assert case.left() == ([], [])


def test_a_run_that_fails_leaves_its_log_with_the_reason_as_the_last_line(case: Case) -> None:
    label = "velero.io/exclude-from-backup=true"
    case.kubectl("create", "namespace", case.name)
    case.kubectl("label", "namespace", case.name, label)
    case.create(includedNamespaces=[case.name])
    attempt = case.start()
    assert attempt.end() == 1, attempt.printed
    reason = case.status["failureReason"]
    assert (case.status["phase"], case.name in reason) == ("Failed", True)
    assert case.left() == ([f"{case.name}-logs.gz"], [])
    line = case.last_log_line()
    assert re.search(r'level=error msg="backup failed"', line)
    assert json.dumps(reason)[1:-1] in line


def test_an_apiserver_that_is_away_for_twenty_seconds_does_not_lose_the_run(case: Case) -> None:
    case.create()
    attempt = case.start()
    case.wait_for_upload()
    case.cluster.is_gone.clear()
    restart = threading.Thread(target=lambda: case.cluster.restart_apiserver(after_seconds=20))
    restart.start()
    try:
        case.cluster.is_gone.wait()
        assert attempt.process.poll() is None
        assert attempt.end() == 0, attempt.printed
    finally:
        restart.join()
    assert_whole(case, attempt="attempt-1")
