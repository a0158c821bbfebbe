"""Pods of an Indexed Job as processes against real servers: one archive, whoever is killed, replaced or refused."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.cluster_fixtures import TestedCluster
from integration.job_case import NAMESPACE, Attempt, Case, assert_whole
from integration.large_items import CHANGING_KINDS, large_items
from integration.s3_fixtures import open_bucket
from integration.s3_server import ACCESS_KEY, READER, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.store.backup_store import BackupStore

pytestmark = pytest.mark.usefixtures("credentials")

_LARGE = "aaa-indexed"
"""The namespace that is backed up: what other tests leave in the cluster may go at any time."""

_ITEMS = 28
"""18 MB of archive for each of three kinds: the stretch of each pod has a part beside what is before and behind it."""

_PHASE = "PartiallyFailed"
"""The samples have a group that does not answer."""

_SMALL_SEGMENTS = "from pinnace.backup import segments; segments.LEAST_BYTES = 1; "
_MAIN = "from pinnace.cli.main import main; main()"
_PINNACE = _SMALL_SEGMENTS + _MAIN
_STOPS_AFTER = (
    """
import os, signal
from {module} import {owner}
method = {owner}.{name}
def call_and_stop(*arguments, **named):
    returned = method(*arguments, **named)
    if {owner}.{name} is call_and_stop:
        {owner}.{name} = method
        os.kill(os.getpid(), signal.SIGSTOP)
    return returned
{owner}.{name} = call_and_stop
"""
    + _PINNACE
)
"""It stops, until it is told to go on, behind the first call of a method."""

_STOPS_IN_ITS_MIDDLE = _STOPS_AFTER.format(module="pinnace.store.part_uploads", owner="PartUploads", name="_upload")
"""When its first part is stored."""

_STOPS_WHEN_IT_HAS_LOOKED = _STOPS_AFTER.format(module="pinnace.entrypoint.ownership", owner="Onlooker", name="holder")


@pytest.fixture(scope="module")
def cluster(local_cluster: TestedCluster) -> Iterator[TestedCluster]:
    """The session's cluster with large items of three kinds."""
    apply_crds(local_cluster)
    if not local_cluster.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found"):
        local_cluster.kubectl("create", "namespace", NAMESPACE)
    with large_items(local_cluster, namespace=_LARGE, count=_ITEMS):
        yield local_cluster


class Pods:
    """The pods of one Backup's Job, each started by hand as the Job controller does it."""

    def __init__(self, case: Case, *, shards: int) -> None:
        self.case = case
        self.shards = shards

    def start(self, index: int, *, program: str = _PINNACE, **environment: str) -> Attempt:
        given = {"JOB_COMPLETION_INDEX": str(index), "PINNACE_SHARDS": str(self.shards)}
        return self.case.start(program=program, **given, **environment)

    def wait_for(self, *endings: str) -> None:
        """Until the pods have left each other objects whose keys end so."""
        store, folder = open_bucket(self.case.store_url), f"backups/{self.case.name}/shards/"

        def are_there() -> bool:
            keys = [found.key for found in store.list_keys(folder)]
            return all(any(key.endswith(ending) for key in keys) for ending in endings)

        self.case.wait(are_there)

    def wait_until_stopped(self, attempt: Attempt) -> None:
        status = Path(f"/proc/{attempt.process.pid}/stat")
        self.case.wait(lambda: status.read_text().rpartition(")")[2].split()[0] == "T")


@pytest.fixture
def case(cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str, tmp_path: Path) -> Iterator[Case]:
    made = Case(cluster.kubeconfig, s3_server, shared_bucket, tmp_path)
    made.create(includedNamespaces=[_LARGE], excludedResources=list(CHANGING_KINDS))
    yield made
    made.end()


@pytest.fixture
def pods(case: Case) -> Pods:
    return Pods(case, shards=3)


@pytest.fixture(scope="module")
def alone(
    cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """The archive that one pod makes."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        made = Case(cluster.kubeconfig, s3_server, shared_bucket, tmp_path_factory.mktemp("alone"))
        made.create(includedNamespaces=[_LARGE], excludedResources=list(CHANGING_KINDS))
        attempt = made.start(program=_PINNACE)
        assert attempt.end() == 0, attempt.printed
        return archive_of(made)


def archive_of(case: Case) -> bytes:
    store = BackupStore(open_bucket(case.store_url), case.name)
    return store.read(store.keys.archive)


def assert_made(case: Case, alone: bytes, *, attempt: str) -> None:
    """Whole, the same as one pod makes it, and nothing else is there."""
    assert_whole(case, attempt=attempt, phase=_PHASE)
    assert archive_of(case) == alone
    store = BackupStore(open_bucket(case.store_url), case.name)
    assert {f"backups/{case.name}/{name}" for name in case.left()[0]} == set(store.keys.all())


def ended(*attempts: Attempt) -> list[int]:
    codes = [attempt.end() for attempt in attempts]
    assert set(codes) == {0}, [attempt.printed for attempt in attempts]
    return codes


@pytest.mark.parametrize("shards", [2, 4])
def test_the_archive_is_the_same_whatever_the_number_of_pods(shards: int, case: Case, alone: bytes) -> None:
    pods = Pods(case, shards=shards)
    made = [pods.start(index) for index in range(shards)]
    ended(*made)
    assert_made(case, alone, attempt="attempt-1")
    assert made[0].said["item_count"] > 3 * _ITEMS
    assert all(attempt.said == {} for attempt in made[1:])


def test_a_shard_that_is_killed_in_its_middle_is_made_anew_alone(pods: Pods, alone: bytes) -> None:
    run, other = pods.start(0), pods.start(2)
    killed = pods.start(1, program=_STOPS_IN_ITS_MIDDLE)
    pods.wait_until_stopped(killed)
    pods.wait_for("/1/order.json", "stretch-1-first")
    killed.signal(signal.SIGKILL)
    killed.end()
    assert run.process.poll() is None
    ended(run, pods.start(1), other)
    assert_made(pods.case, alone, attempt="attempt-1")


def test_of_two_pods_of_one_shard_the_one_that_wakes_up_late_changes_nothing(pods: Pods, alone: bytes) -> None:
    run, other = pods.start(0), pods.start(2)
    lost = pods.start(1, program=_STOPS_IN_ITS_MIDDLE)
    pods.wait_until_stopped(lost)
    ended(run, pods.start(1), other)
    before = pods.case.backup
    lost.signal(signal.SIGCONT)
    ended(lost)
    assert pods.case.backup == before
    assert_made(pods.case, alone, attempt="attempt-1")


def test_of_two_pods_of_one_shard_that_work_at_once_one_is_believed(pods: Pods, alone: bytes) -> None:
    run = pods.start(0)
    lost = pods.start(1, program=_STOPS_IN_ITS_MIDDLE)
    pods.wait_until_stopped(lost)
    successor = pods.start(1)
    pods.wait_for("/1/made.json")
    lost.signal(signal.SIGCONT)
    ended(run, successor, lost, pods.start(2))
    assert_made(pods.case, alone, attempt="attempt-1")


def test_shards_of_a_run_that_was_killed_are_made_anew_for_its_successor(pods: Pods, alone: bytes) -> None:
    killed, first = pods.start(0), pods.start(1)
    pods.wait_for("attempt-1/1/made.json", "attempt-1/2/order.json")
    killed.signal(signal.SIGKILL)
    killed.end()
    second, successor = pods.start(2), pods.start(0)
    ended(successor, first, second)
    assert_made(pods.case, alone, attempt="attempt-4")


def test_a_shard_that_works_for_a_run_that_was_replaced_turns_to_its_successor(pods: Pods, alone: bytes) -> None:
    killed, second = pods.start(0), pods.start(2)
    first = pods.start(1, program=_STOPS_IN_ITS_MIDDLE)
    pods.wait_until_stopped(first)
    killed.signal(signal.SIGKILL)
    killed.end()
    successor = pods.start(0)
    pods.wait_for("attempt-4/1/order.json")
    first.signal(signal.SIGCONT)
    ended(successor, first, second)
    assert_made(pods.case, alone, attempt="attempt-4")


def test_a_shard_that_fails_for_good_says_why_and_nothing_is_left(pods: Pods) -> None:
    """The Job controller then tells the others to stop."""
    run, other = pods.start(0), pods.start(2)
    refused = pods.start(1, AWS_ACCESS_KEY_ID=READER, AWS_SECRET_ACCESS_KEY=READER)
    assert refused.end() == 1, refused.printed
    assert f"bucket {pods.case.bucket} prefix {pods.case.prefix}: s3:PutObject" in refused.said["reason"]
    assert "grant s3:PutObject on the bucket to these credentials" in refused.said["reason"]
    for attempt in (run, other):
        attempt.signal(signal.SIGTERM)
    assert [run.end(), other.end()] == [143, 143], run.printed + other.printed
    assert pods.case.left() == ([], [])
    assert pods.case.status["phase"] == "InProgress", "the dispatcher says what became of it"


def test_a_pod_that_is_told_to_stop_since_the_backup_is_over_ends_well(pods: Pods) -> None:
    """As the Job controller does by the Job's success policy, faster than the pod looks."""
    waiting = pods.start(1, program=_STOPS_WHEN_IT_HAS_LOOKED)
    pods.wait_until_stopped(waiting)
    ended_status = json.dumps({"status": {"phase": "Completed"}})
    pods.case.kubectl("patch", "backups.velero.io", pods.case.name, "--type=merge", "-p", ended_status)
    waiting.signal(signal.SIGTERM)
    waiting.signal(signal.SIGCONT)
    ended(waiting)


def test_pods_that_a_small_backup_does_not_need_end_with_it(pods: Pods) -> None:
    narrow = json.dumps({"spec": {"includedNamespaces": ["default"]}})
    pods.case.kubectl("patch", "backups.velero.io", pods.case.name, "--type=merge", "-p", narrow)
    program = _MAIN
    ended(*(pods.start(index, program=program) for index in range(3)))
    assert_whole(pods.case, attempt="attempt-1", phase=_PHASE)
    assert not [name for name in pods.case.left()[0] if name.startswith("shards/")]
