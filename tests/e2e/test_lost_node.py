"""A pod whose node is lost lives on there, asleep: the backup is made by another one, and the first writes nothing."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import pinnace
from e2e.installation import NAMESPACE, Installation
from e2e.node_cluster import Document, NodeCluster
from pinnace.cluster import local_cluster
from pinnace.kube.kinds import BACKUPS
from pinnace.store.open import open_store

pytestmark = [pytest.mark.usefixtures("credentials"), pytest.mark.thorough, pytest.mark.timeout(900)]

_NODE = "node-2"
_PREFER_IT = f"""
resources: {{requests: {{cpu: 10m}}}}
podSpec:
  affinity:
    nodeAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          preference: {{matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [{_NODE}]}}]}}
"""
_NAME = "node-lost"


@pytest.fixture
def two_nodes(installation: Installation, image_archive: Path) -> Iterator[Installation]:
    """The session's cluster with a second node, which Jobs prefer."""
    folder = installation.cluster.cluster.folder
    cluster = local_cluster.up(folder, nodes=2, report=print)
    local_cluster.load_image(folder, archive=image_archive)
    installation.override_jobs(_PREFER_IT)
    yield Installation(NodeCluster(cluster, installation.cluster.image), installation.server, installation.bucket)
    installation.override_jobs("")


def state(installation: Installation) -> tuple[Document | None, list[object], list[object]]:
    """The Backup, and all that is in the bucket of it."""
    store, prefix = open_store(installation.store_url), f"backups/{_NAME}/"
    backup = installation.cluster.get(BACKUPS, _NAME, namespace=NAMESPACE)
    return backup, list(store.list_keys(prefix)), list(store.uploads(prefix))


def send(number: signal.Signals, pids: set[int]) -> None:
    for pid in pids:
        os.kill(pid, number)


def wait_for_end(pids: set[int]) -> None:
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, f"processes {pids} live on"
        time.sleep(0.1)


def test_a_pod_that_lives_on_without_its_node_writes_nothing_beside_its_replacement(two_nodes: Installation) -> None:
    two_nodes.create(_NAME, includedNamespaces=["load-*"])
    lost = two_nodes.running_pod(_NAME)
    two_nodes.wait_for_upload(_NAME)
    processes, kubelet = two_nodes.cluster.pod_pids(lost), {two_nodes.cluster.cluster.pids[f"{_NODE}-kubelet"]}
    send(signal.SIGSTOP, kubelet | processes)
    try:
        assert lost["spec"]["nodeName"] == _NODE
        two_nodes.cluster.kubectl("delete", "node", _NODE)
        backup = two_nodes.wait(_NAME, timeout_seconds=300)
        assert backup["status"]["phase"] == "Completed", backup["status"]
        (replacement,) = two_nodes.pods_of(_NAME)
        assert replacement["spec"]["nodeName"] != _NODE
        assert backup["metadata"]["annotations"]["pinnace.io/attempt-id"] == replacement["metadata"]["uid"]
        before = state(two_nodes)
        send(signal.SIGCONT, processes)
        # The sandbox's process stays: only a kubelet ends it.
        wait_for_end({pid for pid in processes if b"pinnace" in Path(f"/proc/{pid}/cmdline").read_bytes()})
        assert state(two_nodes) == before
        assert before[2] == []
    finally:
        send(signal.SIGCONT, kubelet)
    assert pinnace("backup", "verify", _NAME, "--store", two_nodes.store_url).returncode == 0
    told = [reason for _, reason in two_nodes.events_of(_NAME)]
    assert (told.count("Retrying"), told[-1]) == (1, "Completed")
