"""What a node puts on the machine: links, iptables rules, mounts, control groups, processes, folders."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pinnace.cluster import cgroups
from pinnace.cluster.local_cluster import LocalCluster

__all__ = ["Traces", "mount_namespace", "traces", "whole_machine"]

Traces = dict[str, set[str]]

_FOLDERS: Final = (
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/run/containerd",
    "/run/netns",
    "/var/log/pods",
    "/etc/cni/net.d",
)
_BRIDGE: Final = re.compile(r"\bpin[0-9a-f]{10}\b")


def traces(cluster: LocalCluster, *, namespaces: set[str]) -> Traces:
    """What is the cluster's own of all this; `namespaces` are mount namespaces that its nodes made."""
    bridges = {f"pin{node.cgroup.removeprefix('pinnace-')}" for node in cluster.nodes}
    groups = {node.cgroup for node in cluster.nodes}
    return {
        "links": {line for line in _links() if any(bridge in line for bridge in bridges)},
        "rules": {line for line in _rules() if any(bridge in line for bridge in bridges)},
        "control groups": {str(path) for group in groups for path in Path("/sys/fs/cgroup").glob(f"*/{group}")},
        "members": {str(pid) for group in groups for pid in cgroups.members(group)},
        "mount namespaces": namespaces & set(_mount_namespaces()),
        "processes": {line for line in _command_lines() if str(cluster.folder) in line},
        "folder": {str(cluster.folder)} if cluster.folder.exists() else set(),
    }


def whole_machine() -> Traces:
    """All links, rules, sysctls and mounts that could be a node's, but for those of other nodes that run meanwhile."""
    return {
        "links": {line for line in _links() if not _BRIDGE.search(line)},
        "rules": {line for line in _rules() if not _BRIDGE.search(line)},
        "mounts": {line for line in _mounts() if re.search(r"kubelet|containerd|cni|netns|pinnace", line)},
        "forwarding": {Path("/proc/sys/net/ipv4/ip_forward").read_text()},
        "folders": {str(path) for folder in map(Path, _FOLDERS) for path in (folder, *folder.rglob("*"))
                    if path.exists()},
    }  # fmt: skip


def mount_namespace(pid: int) -> str:
    """The mount namespace of a process."""
    return str(Path(f"/proc/{pid}/ns/mnt").readlink())


def _links() -> list[str]:
    """Name and master of each link; states change by themselves."""
    shown = _printed("ip", "-oneline", "link")
    names = (re.search(r"^\d+: ([^:@]+)", line) for line in shown)
    masters = (re.search(r" master (\S+)", line) for line in shown)
    return [f"{name[1]} {master[1] if master else ''}" for name, master in zip(names, masters, strict=True) if name]


def _rules() -> list[str]:
    return [line for line in _printed("iptables-save") if line.startswith("-A")]


def _mounts() -> list[str]:
    return [line.split(" ", 2)[1] for line in Path("/proc/self/mounts").read_text().splitlines()]


def _command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue


def _mount_namespaces() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            yield mount_namespace(int(path.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def _printed(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
