"""Of two dispatchers one leads, by its Lease; the other goes on when that one can't, and nothing is run twice."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from command import pinnace
from e2e.installation import NAMESPACE, Installation, phase
from e2e.node_cluster import Document
from pinnace.kube.kinds import LEASES

pytestmark = [pytest.mark.usefixtures("credentials"), pytest.mark.thorough]

_DISPATCHER = "app.kubernetes.io/name=pinnace-dispatcher"
_LEASE_SECONDS = 15
_LOADED = ["load-*"]
"""The namespaces of the many items: a backup of them takes seconds, and two of them wait for each other."""


@pytest.fixture(scope="module")
def two_dispatchers(installation: Installation) -> Iterator[Installation]:
    scale(installation, 2)
    yield installation
    scale(installation, 1)


def scale(installation: Installation, replicas: int) -> None:
    arguments = ("deployment/pinnace-dispatcher", f"--namespace={NAMESPACE}")
    installation.cluster.kubectl("scale", *arguments, f"--replicas={replicas}")
    wait(installation, lambda: len(dispatchers(installation)) == replicas)
    installation.cluster.kubectl("rollout", "status", *arguments, "--timeout=120s")


def wait(installation: Installation, holds: Callable[[], bool], *, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, installation.cluster.situation(NAMESPACE)
        time.sleep(0.3)


def listed(installation: Installation, kind: str, selector: str) -> list[Document]:
    printed = installation.cluster.kubectl("get", kind, f"-n{NAMESPACE}", f"--selector={selector}", "-ojson")
    items: list[Document] = json.loads(printed)["items"]
    return items


def dispatchers(installation: Installation) -> dict[str, Document]:
    return {pod["metadata"]["name"]: pod for pod in listed(installation, "pods", _DISPATCHER)}


def lease(installation: Installation) -> dict[str, Any]:
    found = installation.cluster.get(LEASES, "pinnace-dispatcher", namespace=NAMESPACE)
    assert found is not None
    spec: dict[str, Any] = found["spec"]
    return spec


def leader(installation: Installation) -> Document:
    """The pod that holds the Lease."""
    wait(installation, lambda: lease(installation).get("holderIdentity") in dispatchers(installation))
    return dispatchers(installation)[lease(installation)["holderIdentity"]]


def assert_made_once(installation: Installation, *names: str) -> None:
    for name in names:
        backup = installation.wait(name, timeout_seconds=240)
        assert phase(backup) == "Completed", backup["status"]
        selector = f"velero.io/backup-name={name}"
        assert [len(listed(installation, kind, selector)) for kind in ("jobs", "pods")] == [1, 1]
        assert pinnace("backup", "verify", name, "--store", installation.store_url).returncode == 0
        events = [reason for _, reason in installation.wait_for_event(name, "Completed")]
        assert events == ["JobCreated", "Started", "Completed"]


def test_one_of_two_leads(two_dispatchers: Installation) -> None:
    names = set(dispatchers(two_dispatchers))
    leading = leader(two_dispatchers)["metadata"]["name"]
    assert (len(names), leading in names) == (2, True)
    assert lease(two_dispatchers)["leaseDurationSeconds"] == _LEASE_SECONDS


def test_when_the_leader_is_killed_the_other_goes_on_and_no_backup_is_run_twice(two_dispatchers: Installation) -> None:
    killed = leader(two_dispatchers)
    two_dispatchers.create("leader-killed-running", includedNamespaces=_LOADED)
    two_dispatchers.wait("leader-killed-running", until=lambda backup: phase(backup) == "InProgress")
    two_dispatchers.create("leader-killed-waiting", includedNamespaces=_LOADED)
    two_dispatchers.running_pod("leader-killed-running")
    two_dispatchers.wait("leader-killed-waiting", until=lambda backup: phase(backup) == "Queued")
    for pid in two_dispatchers.cluster.pod_pids(killed):
        os.kill(pid, signal.SIGKILL)
    before = lease(two_dispatchers)
    name = killed["metadata"]["name"]
    two_dispatchers.cluster.kubectl("delete", "pod", name, f"-n{NAMESPACE}", "--force", "--grace-period=0")
    wait(two_dispatchers, lambda: lease(two_dispatchers)["holderIdentity"] != name)
    after = lease(two_dispatchers)
    assert before["holderIdentity"] == name
    assert after["holderIdentity"] in dispatchers(two_dispatchers)
    # Not before the Lease had ended, since its holder might have lived.
    held = datetime.fromisoformat(after["acquireTime"]) - datetime.fromisoformat(before["renewTime"])
    assert held.total_seconds() >= _LEASE_SECONDS
    assert_made_once(two_dispatchers, "leader-killed-running", "leader-killed-waiting")


def test_a_leader_that_wakes_up_beside_the_next_one_runs_nothing_twice(two_dispatchers: Installation) -> None:
    """Its process is frozen for longer than its Lease lasts, in mid-backup and with another in its queue."""
    frozen = leader(two_dispatchers)
    two_dispatchers.create("leader-frozen-running", includedNamespaces=_LOADED)
    two_dispatchers.create("leader-frozen-waiting", includedNamespaces=_LOADED)
    two_dispatchers.running_pod("leader-frozen-running")
    pids = two_dispatchers.cluster.pod_pids(frozen)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        name = frozen["metadata"]["name"]
        wait(two_dispatchers, lambda: lease(two_dispatchers)["holderIdentity"] != name)
        two_dispatchers.create("leader-frozen-new", includedNamespaces=["default"])
    finally:
        for pid in pids & two_dispatchers.cluster.pod_pids(frozen):
            os.kill(pid, signal.SIGCONT)
    assert_made_once(two_dispatchers, "leader-frozen-running", "leader-frozen-waiting", "leader-frozen-new")
