"""Start and end a node of a local cluster: containerd and kubelet in a mount namespace and control group of its own."""

import hashlib
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pinnace.cluster import (
    binaries,
    certificates,
    cgroups,
    node_config,
    node_namespace,
    node_network,
    node_requirements,
    pause_image,
    ports,
    processes,
    readiness,
)
from pinnace.cluster.certificates import Certificates
from pinnace.cluster.control_plane import Layout
from pinnace.cluster.node_network import NodeNetwork
from pinnace.cluster.state import NodeState

__all__ = ["containerd_pid", "is_running", "network_of", "node_name", "start", "stop"]

Save = Callable[[NodeState], None]

_START_TIMEOUT_SECONDS: Final = 120.0
_STOP_TIMEOUT_SECONDS: Final = 10.0


def node_name(number: int) -> str:
    """The name of the node as `kubectl get nodes` shows it, counted from 1."""
    return f"node-{number}"


def network_of(state: NodeState) -> NodeNetwork:
    """The node's bridge and subnet."""
    return NodeNetwork(bridge=state.bridge, subnet=state.subnet)


def is_running(state: NodeState) -> bool:
    """Whether both programs of the node run."""
    return len(state.processes) == 2 and all(own.is_running() for own in state.processes)


def containerd_pid(state: NodeState) -> int:
    """The process in whose namespace the node's containers are managed."""
    return state.processes[0].pid


def start(name: str, *, layout: Layout, server: str, built: binaries.Binaries, save: Save) -> NodeState:
    """Start a node and wait until pods can be scheduled on it; `save` is called before anything is made.

    If it does not become ready nothing of it is left behind.
    """
    with node_network.only_one_chooser():
        starter = _Starter(_plan(name, layout=layout, server=server), layout=layout, built=built, save=save)
        with _removed_on_failure(starter, layout=layout):
            node_network.create(network_of(starter.state), apiserver_port=starter.state.apiserver_port)
    with _removed_on_failure(starter, layout=layout):
        starter.run(server)
    return starter.state


def stop(state: NodeState, *, layout: Layout) -> None:
    """End the node and everything that ran on it, and remove what it made; what is gone already is no error."""
    for own in reversed(state.processes):
        processes.stop(own, timeout_seconds=_STOP_TIMEOUT_SECONDS)
    cgroups.remove(state.cgroup)  # containers and their shims
    node_network.remove(network_of(state), apiserver_port=state.apiserver_port)
    shutil.rmtree(layout.nodes / state.name, ignore_errors=True)


def _plan(name: str, *, layout: Layout, server: str) -> NodeState:
    """Names that are the node's own on this machine, since they are made of its folder's path, and a free subnet."""
    identity = hashlib.sha256(str(layout.nodes / name).encode()).hexdigest()[:10]
    taken = node_network.taken_subnets()
    return NodeState(
        name=name,
        bridge=f"pin{identity}",  # a link's name has at most 15 characters
        subnet=node_network.choose_subnet(taken, first=int(identity, 16)),
        cgroup=f"pinnace-{identity}",
        apiserver_port=int(server.rpartition(":")[2]),
        kubelet_port=ports.free_ports(1)[0],
    )


@contextmanager
def _removed_on_failure(starter: "_Starter", *, layout: Layout) -> Iterator[None]:
    try:
        yield
    except BaseException:
        stop(starter.state, layout=layout)
        raise


class _Starter:
    """One start of one node; `state` is what has been made so far, and it is saved before more is made."""

    def __init__(self, planned: NodeState, *, layout: Layout, built: binaries.Binaries, save: Save) -> None:
        self.state = planned
        self._network = network_of(planned)
        self._layout = layout
        self._folder = layout.nodes / planned.name
        self._built = built
        self._save = save
        self._authority = Certificates(folder=layout.certificates)
        self._started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        save(planned)

    def run(self, server: str) -> None:
        cgroup_procs = cgroups.create(self.state.cgroup)
        self._write_files(server)
        containerd = self._start_containerd(cgroup_procs)
        self._import_pause_image(containerd)
        self._start_kubelet(server, containerd=containerd, cgroup_procs=cgroup_procs)

    def _write_files(self, server: str) -> None:
        folder, user = self._folder, f"system:node:{self.state.name}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "cni").mkdir(mode=0o700, parents=True)
        address = self._network.address
        certificates.issue_server(
            self._authority, folder=folder, name="kubelet-server", common_name=user, address=address
        )
        client = certificates.issue_client(
            self._authority, folder=folder, name="kubelet-client", common_name=user, organization="system:nodes"
        )
        shutil.copy(self._authority.ca, folder / "ca.crt")
        kubelet = node_config.kubelet_config(self._network, cgroup=self.state.cgroup, port=self.state.kubelet_port)
        texts = {
            "kubelet.kubeconfig": certificates.kubeconfig_text(
                self._authority, server=server, context="node", client=client
            ),
            "kubelet.json": json.dumps(kubelet, indent=2),
            "containerd.toml": node_config.containerd_config(cni_folder=node_requirements.cni_folder()),
            "cni/10-bridge.conflist": json.dumps(node_config.network_config(self._network), indent=2),
        }
        for name, text in texts.items():
            (folder / name).write_text(text)

    def _start_containerd(self, cgroup_procs: Path) -> processes.OwnProcess:
        command = node_namespace.in_new(
            self._layout.node_script,
            node_folder=self._folder,
            cgroup_procs=cgroup_procs,
            command=node_config.containerd_command(node_requirements.program("containerd")),
        )
        own = self._program("containerd", command)
        self._wait("containerd", own, lambda: node_namespace.containerd_answers(own.pid))
        return own

    def _import_pause_image(self, containerd: processes.OwnProcess) -> None:
        with tempfile.TemporaryFile() as archive:
            archive.write(pause_image.archive(self._built.path("pause"), machine=platform.machine()))
            archive.seek(0)
            node_namespace.import_image(containerd.pid, archive=archive)

    def _start_kubelet(self, server: str, *, containerd: processes.OwnProcess, cgroup_procs: Path) -> None:
        kubelet = str(self._built.path("kubelet"))
        command = node_namespace.in_that_of(
            containerd.pid,
            cgroup_procs=cgroup_procs,
            command=node_config.kubelet_command(kubelet, name=self.state.name, network=self._network),
        )
        own = self._program("kubelet", command)
        self._wait("kubelet", own, lambda: self._is_ready(server))

    def _is_ready(self, server: str) -> bool:
        """Whether kubelet of this start has said that it is ready, and the controllers have taken the taints off."""
        admin = readiness.admin_connection(self._authority)
        node = readiness.document(admin, f"{server}/api/v1/nodes/{self.state.name}")
        return node is not None and _is_ready_since(node, started=self._started)

    def _program(self, name: str, command: list[str]) -> processes.OwnProcess:
        own = processes.start(f"{self.state.name}-{name}", command=command, log=self._log(name))
        self.state = replace(self.state, processes=(*self.state.processes, own))
        self._save(self.state)
        return own

    def _wait(self, name: str, own: processes.OwnProcess, ready: Callable[[], bool]) -> None:
        what = f"{name} of {self.state.name}"
        readiness.wait(ready, what=what, process=own, log=self._log(name), timeout_seconds=_START_TIMEOUT_SECONDS)

    def _log(self, name: str) -> Path:
        return self._layout.logs / f"{self.state.name}-{name}.log"


def _is_ready_since(node: dict[str, Any], *, started: str) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True" and condition["lastHeartbeatTime"] >= started
        for condition in conditions
    )
    return ready and not node.get("spec", {}).get("taints")
