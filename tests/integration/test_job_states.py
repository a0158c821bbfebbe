"""The real Job controller's documents are read as what they are; only the kubelet's reports are written by the test."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration.cluster_fixtures import TestedCluster
from integration.velero_kinds import apply_crds, make_backup
from pinnace.dispatcher.job import JobSettings, StoreAccess, job_manifest
from pinnace.dispatcher.job_index import failed_count, index_of
from pinnace.dispatcher.job_state import JobState, State, job_state

_NAMESPACE = "pinnace-job-states"
_SETTINGS = JobSettings(namespace=_NAMESPACE, image="registry.example/pinnace:1")
_WAIT = "--timeout=60s"


class _Job:
    """One resumed Job on a cluster without a node."""

    def __init__(self, cluster: TestedCluster, change: Callable[[dict[str, Any]], None], *, shards: int = 1) -> None:
        self._cluster = cluster
        backup = make_backup(cluster, f"nightly-{uuid.uuid4()}", namespace=_NAMESPACE)
        document = job_manifest(backup, settings=replace(_SETTINGS, shards=shards), access=StoreAccess())
        document["spec"]["suspend"] = False
        change(document["spec"])
        self.name = document["metadata"]["name"]
        self.kubectl("create", "-f", "-", standard_input=json.dumps(document))

    def kubectl(self, *arguments: str, standard_input: str | None = None) -> str:
        return self._cluster.kubectl("-n", _NAMESPACE, *arguments, standard_input=standard_input)

    def wait(self, what: str) -> None:
        self.kubectl("wait", f"job/{self.name}", f"--for={what}", _WAIT)

    def change(self, **spec: Any) -> None:
        self.kubectl("patch", "job", self.name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def pods(self) -> list[dict[str, Any]]:
        listed = self.kubectl("get", "pods", "-l", f"batch.kubernetes.io/job-name={self.name}", "-o", "json")
        pods: list[dict[str, Any]] = json.loads(listed)["items"]
        return pods

    def newest_pods(self) -> dict[int, str]:
        """The name of the newest pod of each index."""
        pods = sorted(self.pods(), key=failed_count)
        return {index_of(pod): str(pod["metadata"]["name"]) for pod in pods}

    def pod_name(self) -> str:
        self.wait("jsonpath={.status.active}=1")
        return str(self.pods()[0]["metadata"]["name"])

    def bind(self) -> str:
        """Put its pod on a node, so that it ends as slowly as one that runs."""
        name = self.pod_name()
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"name": "ghost"}}
        path = f"/api/v1/namespaces/{_NAMESPACE}/pods/{name}/binding"
        self.kubectl("create", "--raw", path, "-f", "-", standard_input=json.dumps(binding))
        return name

    def report(self, pod_name: str, phase: str, state: dict[str, Any]) -> None:
        """Write a pod's status as the kubelet does."""
        container = {"name": "backup", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        patch = json.dumps({"status": {"phase": phase, "containerStatuses": [container]}})
        self.kubectl("patch", "pod", pod_name, "--subresource=status", "--type=merge", "-p", patch)

    def state(self, *, after: timedelta = timedelta()) -> JobState:
        document = json.loads(self.kubectl("get", "job", self.name, "-o", "json"))
        return job_state(document, self.pods(), now=datetime.now(UTC) + after)


@pytest.fixture(scope="module")
def namespace(local_cluster: TestedCluster) -> Iterator[TestedCluster]:
    apply_crds(local_cluster)
    local_cluster.kubectl("create", "namespace", _NAMESPACE)
    enforced = "pod-security.kubernetes.io/enforce=restricted"
    local_cluster.kubectl("label", "namespace", _NAMESPACE, enforced)
    local_cluster.kubectl("create", "serviceaccount", "pinnace-backup", "-n", _NAMESPACE)
    yield local_cluster
    local_cluster.kubectl("delete", "namespace", _NAMESPACE, "--wait=false")


@pytest.fixture
def make_job(namespace: TestedCluster) -> Callable[..., _Job]:
    def make(*, shards: int = 1, **changes: Any) -> _Job:
        return _Job(namespace, lambda spec: spec.update(changes), shards=shards)

    return make


def _ended(exit_code: int, reason: str, message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": exit_code, "reason": reason, "message": message}}


def test_a_pod_that_succeeds_completes_its_job(make_job: Callable[..., _Job]) -> None:
    job = make_job()
    name = job.bind()
    assert job.state() == JobState(State.RUNNING, attempt=1, attempts=3, pod_name=name)
    job.report(name, "Succeeded", _ended(0, "Completed"))
    job.wait("condition=Complete")
    assert job.state() == JobState(State.COMPLETE, attempt=1, attempts=3, pod_name=name, is_started=True)


def test_a_fatal_exit_code_fails_the_job_at_once(make_job: Callable[..., _Job]) -> None:
    job = make_job()
    name = job.bind()
    job.report(name, "Failed", _ended(1, "Error", '{"reason": "the bucket is gone"}'))
    job.wait("condition=Failed")
    why = "the bucket is gone"
    assert job.state() == JobState(
        State.FAILED, attempt=1, attempts=3, reason=why, last_reason=why, pod_name=name, is_started=True
    )


def test_another_exit_code_is_one_attempt_of_three(make_job: Callable[..., _Job]) -> None:
    job = make_job()
    name = job.bind()
    job.report(name, "Failed", _ended(75, "Error", '{"reason": "the bucket was away"}'))
    job.wait("jsonpath={.status.failed}=1")
    state = job.state()
    assert (state.state, state.attempt, state.attempts, state.last_reason, state.is_started) == (
        State.RUNNING,
        2,
        3,
        "the bucket was away",
        True,
    )


def test_a_disrupted_pod_counts_as_an_attempt_though_its_exit_code_is_fatal(make_job: Callable[..., _Job]) -> None:
    job = make_job()
    name = job.bind()
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = f"/api/v1/namespaces/{_NAMESPACE}/pods/{name}/eviction"
    job.kubectl("create", "--raw", path, "-f", "-", standard_input=json.dumps(eviction))
    job.report(name, "Failed", _ended(1, "Error", '{"reason": "the network went away"}'))
    job.wait("jsonpath={.status.failed}=1")
    state = job.state()
    assert (state.state, state.attempt, state.last_reason) == (
        State.RUNNING,
        2,
        f"pod {name} was evicted from node ghost, as a drain does (Eviction API: evicting)",
    )


def test_a_deadline_ends_the_job_only_when_its_pod_has_ended_and_is_no_second_attempt(
    make_job: Callable[..., _Job],
) -> None:
    job = make_job()
    name = job.bind()
    job.report(name, "Running", {"running": {}})
    job.change(activeDeadlineSeconds=1)
    job.wait("condition=FailureTarget")
    job.wait("jsonpath={.status.terminating}=1")
    ending = job.state()
    job.report(name, "Failed", _ended(143, "Error"))
    job.wait("condition=Failed")
    assert (ending.state, ending.attempt) == (State.RUNNING, 1)
    state = job.state()
    assert (state.state, state.attempt, state.reason) == (
        State.FAILED,
        1,
        "the backup did not end within its deadline of 1 s; raise activeDeadlineSeconds in ConfigMap pinnace-job",
    )


def test_a_pod_on_a_lost_node_is_lost_when_its_time_to_end_is_over(make_job: Callable[..., _Job]) -> None:
    job = make_job()
    name = job.bind()
    job.report(name, "Running", {"running": {}})
    job.kubectl("delete", "pod", name, "--wait=false")
    assert [job.state(after=timedelta(minutes=minutes)).state for minutes in (0, 5, 6)] == [
        State.RUNNING,
        State.RUNNING,
        State.STUCK,
    ]


def test_a_pod_without_a_node_is_stuck_after_ten_minutes(make_job: Callable[..., _Job]) -> None:
    job = make_job()
    name = job.pod_name()
    job.kubectl("wait", f"pod/{name}", "--for=condition=PodScheduled=False", _WAIT)
    states = [job.state(after=timedelta(minutes=minutes)) for minutes in (9, 10)]
    assert [state.state for state in states] == [State.RUNNING, State.STUCK]
    assert states[1].reason == (
        f"pod {name} found no node in 10 minutes: no nodes available to schedule pods; "
        "make room, or change podSpec or resources in ConfigMap pinnace-job"
    )


def test_a_job_whose_pod_is_refused_is_stuck_after_five_minutes(make_job: Callable[..., _Job]) -> None:
    document = job_manifest({"metadata": {"name": "x", "uid": "x"}}, settings=_SETTINGS, access=StoreAccess())
    template = document["spec"]["template"]
    template["spec"]["hostNetwork"] = True
    job = make_job(template=template)
    job.wait("jsonpath={.status.startTime}")
    assert [job.state(after=timedelta(minutes=minutes)).state for minutes in (4, 5)] == [State.RUNNING, State.STUCK]


def test_a_suspended_job_has_no_pod_and_is_resumed_by_one_field(make_job: Callable[..., _Job]) -> None:
    job = make_job(suspend=True)
    job.wait("condition=Suspended")
    assert job.state() == JobState(State.SUSPENDED, attempt=1, attempts=3)
    job.change(suspend=False)
    name = job.pod_name()
    assert job.state() == JobState(State.RUNNING, attempt=1, attempts=3, pod_name=name)


@pytest.fixture
def indexed(make_job: Callable[..., _Job]) -> _Job:
    """An Indexed Job of three pods."""
    job = make_job(shards=3)
    job.wait("jsonpath={.status.active}=3")
    return job


def test_an_index_that_fails_for_good_fails_its_job_and_is_named(indexed: _Job) -> None:
    job, names = indexed, indexed.newest_pods()
    assert set(names) == {0, 1, 2}
    assert (job.state().state, job.state().pod_name) == (State.RUNNING, names[0])
    job.report(names[1], "Failed", _ended(1, "Error", '{"reason": "the bucket is gone"}'))
    job.wait("condition=Failed")
    state = job.state()
    assert (state.state, state.reason, state.shard, state.attempt, state.pod_name) == (
        State.FAILED,
        "shard 1: the bucket is gone",
        1,
        1,
        names[1],
    )


def test_an_index_is_tried_again_alone_until_its_attempts_are_used_up(indexed: _Job) -> None:
    job, first = indexed, indexed.newest_pods()
    for attempt in (1, 2, 3):
        job.report(job.newest_pods()[2], "Failed", _ended(75, "Error", '{"reason": "the bucket was away"}'))
        if attempt == 3:
            break
        job.wait(f"jsonpath={{.status.failed}}={attempt}")
        job.wait("jsonpath={.status.active}=3")
        state = job.state()
        assert (state.state, state.shard, state.attempt, state.noted) == (State.RUNNING, 2, attempt + 1, attempt + 1)
        assert state.last_reason == "shard 2: the bucket was away"
        newest = job.newest_pods()
        assert (newest[0], newest[1], newest[2] != first[2]) == (first[0], first[1], True)
    job.wait("condition=Failed")
    state = job.state()
    assert (state.state, state.reason, state.attempt) == (State.FAILED, "shard 2: the bucket was away", 3)


def test_a_job_is_complete_once_its_run_is_whatever_its_shards_do(indexed: _Job) -> None:
    indexed.report(indexed.newest_pods()[0], "Succeeded", _ended(0, "Completed"))
    indexed.wait("jsonpath={.status.completedIndexes}=0")
    assert indexed.state().state is State.COMPLETE
    indexed.wait("condition=Complete")
    assert indexed.state().state is State.COMPLETE
