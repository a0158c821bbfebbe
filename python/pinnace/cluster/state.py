"""The state file of one cluster: which processes are its own, and where it is reached."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pinnace.cluster.processes import OwnProcess
from pinnace.errors import ClusterError

__all__ = ["ClusterState", "NodeState", "read", "write"]

_FORMAT: Final = 1


@dataclass(frozen=True)
class NodeState:
    """What a node made on the machine, written before it is made: enough to end it after a crash."""

    name: str
    bridge: str
    subnet: str
    cgroup: str
    apiserver_port: int
    kubelet_port: int
    processes: tuple[OwnProcess, ...] = ()


@dataclass(frozen=True)
class ClusterState:
    """What `up` wrote; `processes` are the control plane's, in the order in which they were started."""

    server: str
    etcd: str
    kubernetes_version: str
    processes: tuple[OwnProcess, ...] = ()
    nodes: tuple[NodeState, ...] = ()

    @property
    def all_processes(self) -> tuple[OwnProcess, ...]:
        """Those of the control plane and of every node."""
        return (*self.processes, *(own for node in self.nodes for own in node.processes))


def read(path: Path) -> ClusterState | None:
    """The state, or None where no cluster is; ClusterError if it is not ours, for its pids would get signals."""
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ClusterError(f"{path}: not a state file of pinnace ({error}); end its processes by hand") from error
    try:
        if document.pop("format") != _FORMAT:
            raise ValueError(f"format is not {_FORMAT}")
        own = _processes(document.pop("processes"))
        nodes = tuple(_node(node) for node in document.pop("nodes", ()))
        return ClusterState(processes=own, nodes=nodes, **document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ClusterError(f"{path}: not a state file of this version of pinnace ({error!r})") from error


def write(path: Path, *, state: ClusterState) -> None:
    """Replace the file in one step."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(json.dumps({"format": _FORMAT, **asdict(state)}, indent=2) + "\n")
    unfinished.replace(path)


def _processes(documents: list[dict[str, Any]]) -> tuple[OwnProcess, ...]:
    return tuple(OwnProcess(**document) for document in documents)


def _node(document: dict[str, Any]) -> NodeState:
    own = _processes(document.pop("processes"))
    return NodeState(processes=own, **document)
