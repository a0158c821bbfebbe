"""Attempts of a Job as processes against real servers: each says how it ended, and only the newest one may write."""

import json
import re
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import pinnace
from integration import cluster_fixtures
from integration.job_case import NAMESPACE, Case, assert_whole
from integration.own_cluster import OwnCluster
from integration.s3_fixtures import new_bucket, open_bucket
from integration.s3_server import READER, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.cluster import kubectl, local_cluster, synthetic
from pinnace.cluster.ports import free_ports
from pinnace.store.backup_store import BackupStore

pytestmark = pytest.mark.usefixtures("credentials")

_OBJECTS = 24_000
"""So many that a run takes seconds and its archive several parts."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnCluster]:
    with cluster_fixtures.cluster_folder() as folder:
        own = OwnCluster(local_cluster.up(folder))
        try:
            apply_crds(cluster_fixtures.tested_cluster(own.cluster))
            kubectl.run("create", "namespace", NAMESPACE, kubeconfig=own.cluster.kubeconfig)
            synthetic.load(own.cluster, objects=_OBJECTS)
            yield own
        finally:
            own.end()


@pytest.fixture(scope="module")
def job_bucket(s3_server: SeaweedServer) -> str:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "pinnace")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "pinnace-secret")
        return new_bucket(s3_server)


@pytest.fixture
def case(cluster: OwnCluster, s3_server: SeaweedServer, job_bucket: str, tmp_path: Path) -> Iterator[Case]:
    made = Case(cluster.cluster.kubeconfig, s3_server, job_bucket, tmp_path)
    yield made
    made.end()


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
        "--kubeconfig", str(case.kubeconfig),
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
        "--kubeconfig", str(case.kubeconfig),
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


def test_an_apiserver_that_is_away_for_twenty_seconds_does_not_lose_the_run(case: Case, cluster: OwnCluster) -> None:
    case.create()
    attempt = case.start()
    case.wait_for_upload()
    cluster.is_gone.clear()
    restart = threading.Thread(target=lambda: cluster.restart_apiserver(after_seconds=20))
    restart.start()
    try:
        cluster.is_gone.wait()
        assert attempt.process.poll() is None
        assert attempt.end() == 0, attempt.printed
    finally:
        restart.join()
    assert_whole(case, attempt="attempt-1")
