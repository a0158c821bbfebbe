"""The state file of one cluster: which processes are its own, and where it is reached."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pinnace.cluster.processes import OwnProcess
from pinnace.errors import ClusterError

__all__ = ["ClusterState", "read", "write"]

_FORMAT: Final = 1


@dataclass(frozen=True)
class ClusterState:
    """What `up` wrote; `processes` are in the order in which they were started."""

    server: str
    etcd: str
    kubernetes_version: str
    processes: tuple[OwnProcess, ...] = ()


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
        own = tuple(OwnProcess(**process) for process in document.pop("processes"))
        return ClusterState(processes=own, **document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ClusterError(f"{path}: not a state file of this version of pinnace ({error!r})") from error


def write(path: Path, *, state: ClusterState) -> None:
    """Replace the file in one step."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(json.dumps({"format": _FORMAT, **asdict(state)}, indent=2) + "\n")
    unfinished.replace(path)
