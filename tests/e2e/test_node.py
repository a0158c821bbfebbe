"""The node is a real one: pods run under its limits, reach the apiserver, and nothing of it is left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import pinnace
from e2e import machine
from e2e.node_cluster import NodeCluster, restricted_pod
from integration.cluster_fixtures import cluster_folder
from integration.s3_server import SeaweedServer
from pinnace.cluster import local_cluster, node_config
from pinnace.cluster.node_config import PAUSE_IMAGE
from pinnace.errors import ClusterError
from pinnace.kube.kinds import JOBS, PODS

LIST_NAMESPACES = """
import kubernetes.client, kubernetes.config
kubernetes.config.load_incluster_config()
for namespace in kubernetes.client.CoreV1Api().list_namespace().items:
    print(namespace.metadata.name)
"""


@pytest.fixture
def second_folder(node_machine: None) -> Iterator[Path]:
    with cluster_folder() as folder:
        yield folder


def test_a_job_runs_the_image_under_restricted_pod_security(node_cluster: NodeCluster, namespace_name: str) -> None:
    spec = restricted_pod(node_cluster.image, command=["pinnace", "version", "--output=json"])
    node_cluster.apply(_item("batch/v1", "Job", namespace_name, {"template": {"spec": spec}, "backoffLimit": 0}))
    node_cluster.wait_for(
        JOBS, "main", namespace=namespace_name, until=lambda job: _has(job, "Complete"), what="to complete"
    )
    log = node_cluster.kubectl("logs", "job/main", f"--namespace={namespace_name}")
    shown, here = json.loads(log), json.loads(pinnace("version", "--output=json").stdout)
    built_anew = {"commit": "", "python": ""}
    assert {**shown, **built_anew} == {**here, **built_anew}


def test_a_pod_that_is_not_restricted_is_refused(node_cluster: NodeCluster, namespace_name: str) -> None:
    spec = restricted_pod(node_cluster.image, command=["pinnace"], securityContext={})
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        node_cluster.apply(_item("v1", "Pod", namespace_name, spec))


def test_a_pod_lists_namespaces_by_its_service_account(node_cluster: NodeCluster, namespace_name: str) -> None:
    account = {"name": "lister", "namespace": namespace_name}
    node_cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    binding = ["clusterrolebinding", namespace_name]
    subject = f"--serviceaccount={namespace_name}:lister"
    node_cluster.kubectl("create", *binding, "--clusterrole=view", subject)
    spec = restricted_pod(
        node_cluster.image, command=["python", "-c", LIST_NAMESPACES], memory="256Mi", serviceAccountName="lister"
    )
    node_cluster.apply(_item("v1", "Pod", namespace_name, spec))
    _wait_for_phase(node_cluster, namespace_name, "Succeeded")
    log = node_cluster.kubectl("logs", "main", f"--namespace={namespace_name}")
    assert {"default", "kube-system", namespace_name} <= set(log.split())
    node_cluster.kubectl("delete", *binding)


def test_a_pod_reaches_the_s3_server_at_the_nodes_address(
    node_cluster: NodeCluster, pod_s3_server: SeaweedServer, namespace_name: str
) -> None:
    ask = f"import urllib3; print(urllib3.request('GET', '{pod_s3_server.url}').status)"
    node_cluster.apply(
        _item("v1", "Pod", namespace_name, restricted_pod(node_cluster.image, command=["python", "-c", ask]))
    )
    _wait_for_phase(node_cluster, namespace_name, "Succeeded")
    assert node_cluster.kubectl("logs", "main", f"--namespace={namespace_name}") == "403\n"


def test_a_pod_that_routes_loopback_to_the_node_reaches_nothing_there(
    node_cluster: NodeCluster, namespace_name: str
) -> None:
    """`route_localnet` lets the bridge's packets to loopback, for the apiserver's sake; a rule must drop all others."""
    spec = restricted_pod(node_cluster.image, command=["python", "-c", "import time; time.sleep(600)"])
    node_cluster.apply(_item("v1", "Pod", namespace_name, spec))
    pod = _wait_for_phase(node_cluster, namespace_name, "Running")
    inside = ["nsenter", f"--net=/proc/{min(node_cluster.pod_pids(pod))}/ns/net"]
    route = (
        "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet; ip address delete 127.0.0.1/8 dev lo;"
        f" ip route add 127.0.0.0/8 via {node_cluster.address}"
    )
    subprocess.run([*inside, "sh", "-ec", route], check=True)
    etcd_port = node_cluster.cluster.etcd.rpartition(":")[2]
    connect = f"import socket; socket.create_connection(('127.0.0.1', {etcd_port}), timeout=2)"
    done = subprocess.run([*inside, sys.executable, "-c", connect], capture_output=True, check=False, text=True)
    assert done.stderr.splitlines()[-1:] == ["TimeoutError: timed out"]


def test_a_pod_beyond_its_memory_limit_is_oom_killed(node_cluster: NodeCluster, namespace_name: str) -> None:
    spec = restricted_pod(node_cluster.image, command=["python", "-c", "held = b'x' * (300 << 20)"], memory="64Mi")
    node_cluster.apply(_item("v1", "Pod", namespace_name, spec))
    pod = _wait_for_phase(node_cluster, namespace_name, "Failed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_a_process_killed_from_outside_ends_the_pod_with_137(node_cluster: NodeCluster, namespace_name: str) -> None:
    spec = restricted_pod(
        node_cluster.image, command=["python", "-c", "import time; print('up', flush=True); time.sleep(600)"]
    )
    node_cluster.apply(_item("v1", "Pod", namespace_name, spec))
    pod = _wait_for_phase(node_cluster, namespace_name, "Running")
    command_lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in node_cluster.pod_pids(pod)}
    (own,) = [pid for pid, line in command_lines.items() if line.startswith(b"python")]
    os.kill(own, signal.SIGKILL)
    ended = _wait_for_phase(node_cluster, namespace_name, "Failed")["status"]["containerStatuses"][0]["state"]
    assert (ended["terminated"]["reason"], ended["terminated"]["exitCode"]) == ("Error", 137)


@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
def test_down_leaves_nothing_on_the_machine(node_cluster: NodeCluster, second_folder: Path, killed: bool) -> None:
    """Two nodes beside another cluster's; also after containerd and kubelet died while a pod was running."""
    before = machine.whole_machine()
    cluster = local_cluster.up(second_folder, nodes=1 if killed else 2)
    tested = NodeCluster(cluster=cluster, image=PAUSE_IMAGE)
    _run_pause(tested, namespace="left")
    namespaces = {machine.mount_namespace(pid) for name, pid in cluster.pids.items() if name.endswith("-containerd")}
    during = machine.traces(cluster, namespaces=namespaces)
    assert [what for what, found in during.items() if not found] == []
    addresses = {node.address for node in (*cluster.nodes, *node_cluster.cluster.nodes)}
    assert len(addresses) == len(cluster.nodes) + 1
    if killed:
        for name in ("node-1-containerd", "node-1-kubelet"):
            os.kill(cluster.pids[name], signal.SIGKILL)

    assert local_cluster.down(second_folder)
    assert machine.traces(cluster, namespaces=namespaces) == {what: set() for what in during}
    assert machine.whole_machine() == before


def test_a_node_that_does_not_start_says_why_and_leaves_nothing(
    second_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = machine.whole_machine()
    monkeypatch.setattr(node_config, "containerd_command", lambda _: ["/bin/sh", "-c", "echo no disk; exit 1"])
    with pytest.raises(ClusterError, match=r"node-1-containerd ended while it was started.*no disk"):
        local_cluster.up(second_folder, nodes=1)
    assert [program for program in local_cluster.status(second_folder).programs if program.running] == []
    assert machine.whole_machine() == before


def test_an_archive_that_is_no_image_is_refused(node_cluster: NodeCluster, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"no archive")
    with pytest.raises(ClusterError, match="image archive refused by containerd"):
        local_cluster.load_image(node_cluster.cluster.folder, archive=tmp_path / "image.tar")


@pytest.mark.thorough
def test_up_adds_a_node_to_a_running_cluster_and_makes_a_dead_one_anew(second_folder: Path) -> None:
    without = local_cluster.up(second_folder)
    first = local_cluster.up(second_folder, nodes=1)
    assert first.pids.items() >= without.pids.items()
    assert local_cluster.up(second_folder, nodes=1) == first
    os.kill(first.pids["node-1-kubelet"], signal.SIGKILL)
    second = local_cluster.up(second_folder, nodes=1)
    assert {name for name, pid in second.pids.items() if first.pids[name] != pid} == {
        "node-1-containerd",
        "node-1-kubelet",
    }
    _run_pause(NodeCluster(cluster=second, image=PAUSE_IMAGE), namespace="again")


def _run_pause(cluster: NodeCluster, *, namespace: str) -> None:
    cluster.make_namespace(namespace)
    user = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = restricted_pod(PAUSE_IMAGE, command=["/pause"], securityContext=user)
    cluster.apply(_item("v1", "Pod", namespace, spec))
    _wait_for_phase(cluster, namespace, "Running")


def _item(api_version: str, kind: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "main", "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def _has(job: dict[str, Any], condition: str) -> bool:
    found = job.get("status", {}).get("conditions", [])
    return any(one["type"] == condition and one["status"] == "True" for one in found)


def _wait_for_phase(cluster: NodeCluster, namespace: str, phase: str) -> dict[str, Any]:
    return cluster.wait_for(
        PODS, "main", namespace=namespace, until=lambda pod: pod["status"]["phase"] == phase, what=f"to be {phase}"
    )
