"""Start, find and end a local cluster: a folder holds everything of it, so several can run at once."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pinnace.cluster import (
    binaries,
    certificates,
    control_plane,
    node,
    node_namespace,
    node_requirements,
    ports,
    processes,
    readiness,
    state,
)
from pinnace.cluster.control_plane import Layout, Ports
from pinnace.errors import ClusterError

__all__ = [
    "ClusterStatus",
    "LocalCluster",
    "Node",
    "ProgramStatus",
    "down",
    "end_controllers",
    "load_image",
    "status",
    "up",
]

Report = Callable[[str], None]

_START_TIMEOUT_SECONDS: Final = 120.0
"""Ready takes about 5 s; this is for a machine that compiles something at the same time."""

_STOP_TIMEOUT_SECONDS: Final = 15.0
_CONTROLLERS: Final = ("kube-controller-manager", "kube-scheduler")
_START_ATTEMPTS: Final = 3
"""Starts with other ports after another program took one of ours; twice in a row is already unheard of."""


@dataclass(frozen=True)
class Node:
    """A node that runs pods; `address` is where they reach the machine, `cgroup` is above those of all containers."""

    name: str
    address: str
    cgroup: str


@dataclass(frozen=True)
class LocalCluster:
    """A running cluster; `pids` by program name, those of nodes as `node-1-kubelet`."""

    folder: Path
    kubeconfig: Path
    server: str
    etcd: str
    pids: Mapping[str, int]
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True)
class ProgramStatus:
    """One program of the cluster."""

    name: str
    pid: int
    running: bool


@dataclass(frozen=True)
class ClusterStatus:
    """What is there; `exists` is False where `up` never ran, and `ready` says that the apiserver answers."""

    folder: Path
    kubeconfig: Path
    exists: bool
    ready: bool
    server: str = ""
    etcd: str = ""
    kubernetes_version: str = ""
    programs: tuple[ProgramStatus, ...] = ()

    @property
    def running(self) -> bool:
        """Whether every program runs."""
        return bool(self.programs) and all(program.running for program in self.programs)


def up(
    folder: Path,
    *,
    nodes: int = 0,
    report: Report = lambda _: None,
    built: binaries.Binaries | None = None,
    apiserver_flags: Sequence[str] = (),
) -> LocalCluster:
    """Start the cluster of `folder` with at least so many `nodes`, or find it running.

    What a stopped one held is there again, but for what was on its nodes.
    Ready means: /readyz is ok and the ServiceAccount `default` exists, without which pods are refused.
    `apiserver_flags` count only for a cluster that is started, not for one that is found.
    """
    if nodes:
        node_requirements.check()
    built = built or binaries.ensure(report=report, with_node=nodes > 0)
    layout = Layout(folder=folder.absolute())
    with _locked(layout):
        found = state.read(layout.state)
        if found and len(found.processes) == len(binaries.programs(built.versions)) and _all_running(found):
            _wait_until_ready(layout, found=found)
            found = _with_nodes(layout, found=found, wanted=nodes, built=built, report=report)
            return _local_cluster(layout, found=found)
        if found:
            _stop_all(layout, found=found)
        started = _start(layout, built=built, apiserver_flags=apiserver_flags, report=report)
        try:
            started = _with_nodes(layout, found=started, wanted=nodes, built=built, report=report)
        except BaseException:
            _stop_all(layout, found=started)
            raise
        return _local_cluster(layout, found=started)


def load_image(folder: Path, *, archive: Path) -> tuple[str, ...]:
    """Give the images of a docker archive to every node of a running cluster; the names of those nodes."""
    layout = Layout(folder=folder.absolute())
    found = state.read(layout.state)
    running = [one for one in found.nodes if node.is_running(one)] if found else []
    if not running:
        raise ClusterError(f"{folder}: no node runs; start one by `pinnace cluster up --with-node`")
    for one in running:
        with archive.open("rb") as opened:
            node_namespace.import_image(node.containerd_pid(one), archive=opened)
    return tuple(one.name for one in running)


def down(folder: Path, *, keep_contents: bool = False) -> bool:
    """End the cluster's programs and, unless `keep_contents`, remove its files; False where there was no cluster."""
    layout = Layout(folder=folder.absolute())
    if not layout.state.exists():
        return False
    with _locked(layout):
        found = state.read(layout.state)
        if found is None:
            return False
        _stop_all(layout, found=found)
        if keep_contents:
            state.write(layout.state, state=replace(found, processes=(), nodes=()))
        else:
            _remove(layout)
    return True


def end_controllers(folder: Path) -> None:
    """End controller manager and scheduler of a running cluster: nothing then works on its objects but who is asked to.

    The next `up` starts all of it anew.
    """
    found = state.read(Layout(folder=folder.absolute()).state)
    for own in found.processes if found else ():
        if own.name in _CONTROLLERS:
            processes.stop(own, timeout_seconds=_STOP_TIMEOUT_SECONDS)


def status(folder: Path) -> ClusterStatus:
    """Look, and change nothing."""
    layout = Layout(folder=folder.absolute())
    found = state.read(layout.state)
    if found is None:
        return ClusterStatus(folder=layout.folder, kubeconfig=layout.kubeconfig, exists=False, ready=False)
    programs = tuple(ProgramStatus(name=own.name, pid=own.pid, running=own.is_running()) for own in found.all_processes)
    reachable = any(program.name == "kube-apiserver" and program.running for program in programs)
    ready = reachable and _is_ready(layout, server=found.server)
    return ClusterStatus(
        folder=layout.folder,
        kubeconfig=layout.kubeconfig,
        exists=True,
        ready=ready,
        server=found.server,
        etcd=found.etcd,
        kubernetes_version=found.kubernetes_version,
        programs=programs,
    )


def _start(
    layout: Layout, *, built: binaries.Binaries, apiserver_flags: Sequence[str], report: Report
) -> state.ClusterState:
    """Start all programs; if one does not become ready, none is left behind."""
    for attempt in range(1, _START_ATTEMPTS + 1):
        starter = _Starter(layout, built=built, apiserver_flags=apiserver_flags)
        try:
            return starter.run(report)
        except readiness.PortTakenError:
            _stop_all(layout, found=starter.state)
            if attempt == _START_ATTEMPTS:
                raise
        except BaseException:
            _stop_all(layout, found=starter.state)
            raise
    raise AssertionError("unreachable: the last attempt returns or raises")


class _Starter:
    """One attempt to start; `state` is on disk after every program, so that `down` finds even half a cluster."""

    def __init__(self, layout: Layout, *, built: binaries.Binaries, apiserver_flags: Sequence[str]) -> None:
        self._layout = layout
        self._built = built
        self._apiserver_flags = apiserver_flags
        self._ports = Ports(*ports.free_ports(3))
        self.state = state.ClusterState(
            server=self._ports.server_url,
            etcd=self._ports.etcd_url,
            kubernetes_version=built.versions.kubernetes,
        )

    def run(self, report: Report) -> state.ClusterState:
        layout, built = self._layout, self._built
        layout.logs.mkdir(mode=0o700, exist_ok=True)
        keys = certificates.ensure(layout.certificates)
        report(f"starting Kubernetes {built.versions.kubernetes} at {self.state.server}")
        self._program("etcd", control_plane.etcd_command(built, layout=layout, ports=self._ports))
        plain = readiness.plain_connection()
        self._wait("etcd", lambda: readiness.answers(plain, f"{self.state.etcd}/readyz"))
        context = f"pinnace-{layout.folder.name}"
        _write_private(layout.kubeconfig, certificates.kubeconfig_text(keys, server=self.state.server, context=context))
        command = control_plane.apiserver_command(
            built, layout=layout, ports=self._ports, certificates=keys, extra_flags=self._apiserver_flags
        )
        self._program("kube-apiserver", command)
        admin = readiness.admin_connection(keys)
        self._wait("kube-apiserver", lambda: readiness.answers(admin, f"{self.state.server}/readyz"))
        command = control_plane.controller_manager_command(built, layout=layout, certificates=keys)
        self._program("kube-controller-manager", command)
        self._program("kube-scheduler", control_plane.scheduler_command(built, layout=layout))
        self._wait("kube-controller-manager", lambda: _is_ready(layout, server=self.state.server))
        report(f"ready: {layout.kubeconfig}")
        return self.state

    def _program(self, name: str, command: list[str]) -> None:
        own = processes.start(name, command=command, log=self._log(name))
        self.state = replace(self.state, processes=(*self.state.processes, own))
        state.write(self._layout.state, state=self.state)

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        own = next(process for process in self.state.processes if process.name == name)
        readiness.wait(ready, what=name, process=own, log=self._log(name), timeout_seconds=_START_TIMEOUT_SECONDS)

    def _log(self, name: str) -> Path:
        return self._layout.logs / f"{name}.log"


@contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    """One `up` or `down` of a folder at a time; a lock whose file a `down` has removed meanwhile does not count."""
    while True:
        layout.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with layout.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if layout.lock.exists() and layout.lock.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                yield
                return


def _all_running(found: state.ClusterState) -> bool:
    return all(own.is_running() for own in found.processes)


def _with_nodes(
    layout: Layout, *, found: state.ClusterState, wanted: int, built: binaries.Binaries, report: Report
) -> state.ClusterState:
    """The cluster with nodes 1 to `wanted`; those that run stay, those that broke are made again."""
    for name in map(node.node_name, range(1, wanted + 1)):
        there = next((one for one in found.nodes if one.name == name), None)
        if there is None or not node.is_running(there):
            if there is not None:
                node.stop(there, layout=layout)
            report(f"starting {name}")
            found = _with_new_node(layout, found=found, name=name, built=built)
    return found


def _with_new_node(
    layout: Layout, *, found: state.ClusterState, name: str, built: binaries.Binaries
) -> state.ClusterState:
    others = tuple(one for one in found.nodes if one.name != name)

    def save(made: state.NodeState) -> None:
        state.write(layout.state, state=replace(found, nodes=(*others, made)))

    made = node.start(name, layout=layout, server=found.server, built=built, save=save)
    return replace(found, nodes=(*others, made))


def _stop_all(layout: Layout, *, found: state.ClusterState) -> None:
    """End in the opposite order of the start, so that no program loses its server before it is asked to end."""
    for one in reversed(found.nodes):
        node.stop(one, layout=layout)
    for own in reversed(found.processes):
        processes.stop(own, timeout_seconds=_STOP_TIMEOUT_SECONDS)
    if left := [f"{own.name} (pid {own.pid})" for own in found.all_processes if own.is_running()]:
        raise ClusterError(f"did not end, not even by SIGKILL: {', '.join(left)}")


def _is_ready(layout: Layout, *, server: str) -> bool:
    admin = readiness.admin_connection(certificates.Certificates(folder=layout.certificates))
    account = f"{server}/api/v1/namespaces/default/serviceaccounts/default"
    return readiness.answers(admin, f"{server}/readyz") and readiness.answers(admin, account)


def _wait_until_ready(layout: Layout, *, found: state.ClusterState) -> None:
    readiness.wait(
        lambda: _is_ready(layout, server=found.server),
        what="kube-apiserver",
        process=next(own for own in found.processes if own.name == "kube-apiserver"),
        log=layout.logs / "kube-apiserver.log",
        timeout_seconds=_START_TIMEOUT_SECONDS,
    )


def _remove(layout: Layout) -> None:
    """Remove what `up` made, state last; a folder that holds anything else stays."""
    for folder in (layout.nodes, layout.etcd, layout.certificates, layout.logs):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (layout.kubeconfig, layout.state, layout.lock):
        file.unlink(missing_ok=True)
    if not any(layout.folder.iterdir()):
        layout.folder.rmdir()


def _write_private(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.replace(path)


def _local_cluster(layout: Layout, *, found: state.ClusterState) -> LocalCluster:
    return LocalCluster(
        folder=layout.folder,
        kubeconfig=layout.kubeconfig,
        server=found.server,
        etcd=found.etcd,
        pids={own.name: own.pid for own in found.all_processes},
        nodes=tuple(
            Node(name=one.name, address=node.network_of(one).address, cgroup=one.cgroup) for one in found.nodes
        ),
    )
