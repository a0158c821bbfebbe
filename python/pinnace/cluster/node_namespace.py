"""Run a program inside a node's mount namespace, where its containerd listens."""

import subprocess
from pathlib import Path
from typing import IO

from pinnace.cluster import node_requirements
from pinnace.errors import ClusterError

__all__ = ["containerd_answers", "import_image", "in_new", "in_that_of"]


def in_new(script: Path, *, node_folder: Path, cgroup_procs: Path, command: list[str]) -> list[str]:
    """The command line that makes the namespace by namespace.sh and becomes `command` in it, with the same pid."""
    unshare = [node_requirements.program("unshare"), "--mount", "--propagation", "private"]
    return [*unshare, "/bin/sh", str(script), str(node_folder), str(cgroup_procs), *command]


def in_that_of(pid: int, *, command: list[str], cgroup_procs: Path | None = None) -> list[str]:
    """The command line that becomes `command` in the namespace of process `pid`, and in the control group."""
    nsenter = [node_requirements.program("nsenter"), f"--mount=/proc/{pid}/ns/mnt", "--"]
    if cgroup_procs is None:
        return [*nsenter, *command]
    return [*nsenter, "/bin/sh", "-ec", 'echo $$ >"$0"; exec "$@"', str(cgroup_procs), *command]


def containerd_answers(pid: int) -> bool:
    """Whether containerd, process `pid`, takes requests."""
    return _ctr(pid, "version", standard_input=None).returncode == 0


def import_image(pid: int, *, archive: IO[bytes]) -> None:
    """Give the node of containerd process `pid` the images of a docker archive, for pods to use.

    `archive` is an open file of the system, since ctr reads it itself.
    """
    done = _ctr(pid, "--namespace=k8s.io", "images", "import", "-", standard_input=archive)
    if done.returncode != 0:
        raise ClusterError(f"image archive refused by containerd: {done.stderr.decode(errors='replace').strip()}")


def _ctr(pid: int, *arguments: str, standard_input: IO[bytes] | None) -> "subprocess.CompletedProcess[bytes]":
    command = in_that_of(pid, command=[node_requirements.program("ctr"), *arguments])
    given = subprocess.DEVNULL if standard_input is None else standard_input
    return subprocess.run(command, stdin=given, capture_output=True, check=False)
