"""Three pods on a real kubelet make one backup; one of them that is killed is made anew alone."""

import contextlib
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest

from command import pinnace
from e2e.installation import NAMESPACE, Installation, phase
from e2e.node_cluster import Document
from pinnace.dispatcher.job_index import index_of
from pinnace.store.open import open_store

pytestmark = pytest.mark.usefixtures("credentials")


@pytest.fixture
def sharing(installation: Installation) -> Iterator[Installation]:
    """An installation whose Jobs have three pods each, which fit on one node."""
    installation.override_jobs("{shards: 3, resources: {requests: {cpu: 10m}}}")
    yield installation
    installation.override_jobs("")


class SeenPods:
    """How many pods each index had until a Backup was made; those that still run then are deleted by their Job."""

    def __init__(self, installation: Installation, name: str) -> None:
        self._installation = installation
        self._name = name
        self._names: dict[int, set[str]] = defaultdict(set)

    def wait(self) -> Document:
        """The Backup once it has ended."""

        def has_ended(backup: Document) -> bool:
            for pod in self._installation.pods_of(self._name):
                self._names[index_of(pod)].add(pod["metadata"]["name"])
            return phase(backup) in ("Completed", "PartiallyFailed", "Failed")

        return self._installation.wait(self._name, until=has_ended, timeout_seconds=240)

    @property
    def counts(self) -> dict[int, int]:
        return {index: len(names) for index, names in self._names.items()}


def running_pod(installation: Installation, name: str, *, index: int) -> Document:
    """The pod of an index, once its process runs."""
    deadline = time.monotonic() + 60
    while True:
        for pod in installation.pods_of(name):
            is_running = pod["status"].get("phase") == "Running"
            if index_of(pod) == index and is_running and installation.cluster.pod_pids(pod):
                return pod
        assert time.monotonic() < deadline, installation.cluster.situation(NAMESPACE)
        time.sleep(0.1)


def left_in_exchange(installation: Installation, name: str) -> list[str]:
    """What the pods have left for each other."""
    return [found.key for found in open_store(installation.store_url).list_keys(f"backups/{name}/shards/")]


def wait_for_order(installation: Installation, name: str, *, index: int) -> None:
    deadline = time.monotonic() + 60
    while not any(key.endswith(f"/{index}/order.json") for key in left_in_exchange(installation, name)):
        assert time.monotonic() < deadline, installation.cluster.situation(NAMESPACE)
        time.sleep(0.02)


def wait_for_complete_job(installation: Installation, name: str) -> Document:
    deadline = time.monotonic() + 60
    while True:
        job = installation.job_of(name)
        assert job is not None
        if any(each["type"] == "Complete" for each in job["status"].get("conditions", ())):
            return job
        assert time.monotonic() < deadline, installation.cluster.situation(NAMESPACE)
        time.sleep(0.3)


def test_three_pods_make_one_backup(sharing: Installation) -> None:
    sharing.create("of-three")
    seen = SeenPods(sharing, "of-three")
    backup = seen.wait()
    assert phase(backup) == "Completed", sharing.cluster.situation(NAMESPACE)
    assert backup["status"]["progress"]["itemsBackedUp"] > 30_000
    assert 'msg="Sharing the lists out"' in sharing.log_of("of-three")
    verified = pinnace("backup", "verify", "of-three", "--store", sharing.store_url)
    assert verified.returncode == 0, verified.stderr
    assert left_in_exchange(sharing, "of-three") == []
    events = sharing.wait_for_event("of-three", "Completed")
    assert [reason for _, reason in events] == ["JobCreated", "Started", "Completed"]
    wait_for_complete_job(sharing, "of-three")
    assert seen.counts == {0: 1, 1: 1, 2: 1}


def test_a_pod_of_a_shard_that_is_killed_is_made_anew_alone(sharing: Installation) -> None:
    sharing.create("one-killed")
    killed = running_pod(sharing, "one-killed", index=1)
    wait_for_order(sharing, "one-killed", index=1)
    pids = sharing.cluster.pod_pids(killed)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        assert not any(key.endswith("/1/made.json") for key in left_in_exchange(sharing, "one-killed"))
        for pid in pids:
            os.kill(pid, number)
    told = f"attempt 2 of 3, since shard 1: pod {killed['metadata']['name']} was killed"
    sharing.wait("one-killed", until=lambda backup: told in str(backup["status"].get("failureReason")))
    seen = SeenPods(sharing, "one-killed")
    backup = seen.wait()
    assert phase(backup) == "Completed", sharing.cluster.situation(NAMESPACE)
    assert "failureReason" not in backup["status"]
    verified = pinnace("backup", "verify", "one-killed", "--store", sharing.store_url)
    assert verified.returncode == 0, verified.stderr
    assert left_in_exchange(sharing, "one-killed") == []
    wait_for_complete_job(sharing, "one-killed")
    assert seen.counts == {0: 1, 1: 2, 2: 1}
    events = sharing.wait_for_event("one-killed", "Completed")
    assert [reason for _, reason in events] == ["JobCreated", "Started", "Retrying", "Completed"]


def test_a_shard_that_is_killed_each_time_fails_the_backup_and_is_named(sharing: Installation) -> None:
    sharing.create("always-killed")
    killed: set[str] = set()
    deadline = time.monotonic() + 240
    while phase(backup := sharing.wait("always-killed", until=lambda _: True)) not in ("Failed", "Completed"):
        for pod in sharing.pods_of("always-killed"):
            if index_of(pod) == 2 and pod["status"].get("phase") == "Running":
                for pid in sharing.cluster.pod_pids(pod):
                    killed.add(pod["metadata"]["name"])
                    with contextlib.suppress(ProcessLookupError):  # the one before took it along
                        os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < deadline, sharing.cluster.situation(NAMESPACE)
        time.sleep(0.1)
    assert (phase(backup), len(killed)) == ("Failed", 3)
    reason = backup["status"]["failureReason"]
    assert reason.startswith("shard 2: pod ")
    assert "was killed on node" in reason
    assert reason.endswith("(attempt 3 of 3)")
    assert sharing.bucket_state("always-killed") == ([], [])
    assert reason.removesuffix(" (attempt 3 of 3)") in sharing.log_of("always-killed").splitlines()[-1]
