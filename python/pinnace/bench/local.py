"""The local cluster as the benchmark sees it: where it is, and which of its processes are measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pinnace.cluster import local_cluster
from pinnace.errors import BenchError

__all__ = ["LocalServers", "find"]

_MEASURED: Final = ("kube-apiserver", "etcd")


@dataclass(frozen=True)
class LocalServers:
    """A running local cluster; `pids` are those of the API server and of etcd."""

    kubeconfig: Path
    etcd_url: str
    pids: Mapping[str, int]


def find(folder: Path) -> LocalServers:
    """Find it; BenchError where it does not run."""
    found = local_cluster.status(folder)
    if not found.ready:
        raise BenchError(
            f"local cluster {folder.name}: not ready; start it by: pinnace cluster up --name {folder.name}"
        )
    pids = {program.name: program.pid for program in found.programs if program.name in _MEASURED and program.running}
    return LocalServers(found.kubeconfig, found.etcd, pids)
