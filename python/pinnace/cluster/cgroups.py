"""A node's control group: everything that the node runs is in it, so that everything can be found and ended.

A pid may be another program's by now; membership of the node's own group never is.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from pinnace.errors import ClusterError

__all__ = ["create", "members", "remove"]

_ROOT: Final = Path("/sys/fs/cgroup")
_TIMEOUT_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.05
_CONTROLLERS: Final = ("cpu", "cpuset", "memory", "pids", "io", "hugetlb")
"""Those that kubelet wants below a version 2 group; what the kernel does not have is left out."""


def create(name: str, *, root: Path = _ROOT) -> Path:
    """Make the group in every hierarchy; the `cgroup.procs` file by which the node's own programs join it.

    They join a group below, since version 2 has no processes beside groups; on version 1 that of the memory hierarchy,
    which every kubelet needs.
    """
    for hierarchy in _hierarchies(root):
        (hierarchy / name).mkdir(exist_ok=True)
    if _is_unified(root):
        _delegate(root)
        _delegate(root / name)
    home = (root if _is_unified(root) else root / "memory") / name / "node"
    home.mkdir(exist_ok=True)
    return home / "cgroup.procs"


def members(name: str, *, root: Path = _ROOT) -> set[int]:
    """The processes in the group and all groups below it."""
    found: set[int] = set()
    for group in _groups(name, root=root):
        with suppress(OSError):  # the group went meanwhile
            found.update(int(line) for line in (group / "cgroup.procs").read_text().split())
    return found - {0}


def remove(name: str, *, root: Path = _ROOT) -> None:
    """Kill every member and remove the groups; what is not there is no error."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while left := members(name, root=root):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _sleep_or_raise(deadline, what=f"processes {sorted(left)}", name=name)
    while groups := list(_groups(name, root=root)):
        for group in groups:
            with suppress(OSError):  # busy until its last process is reaped
                group.rmdir()
        if remaining := len(list(_groups(name, root=root))):
            _sleep_or_raise(deadline, what=f"{remaining} groups", name=name)


def _sleep_or_raise(deadline: float, *, what: str, name: str) -> None:
    if time.monotonic() > deadline:
        raise ClusterError(f"control group {name}: {what} still there after {_TIMEOUT_SECONDS:.0f} s of SIGKILL")
    time.sleep(_POLL_SECONDS)


def _groups(name: str, *, root: Path) -> Iterator[Path]:
    """The group's folders in every hierarchy, those below first."""
    for hierarchy in _hierarchies(root):
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            yield Path(folder)


def _hierarchies(root: Path) -> list[Path]:
    """The one of version 2, or each of version 1; names that are links to the same one (`cpu`) are left out."""
    if _is_unified(root):
        return [root]
    return [path for path in sorted(root.iterdir()) if (path / "cgroup.procs").is_file() and not path.is_symlink()]


def _is_unified(root: Path) -> bool:
    return (root / "cgroup.controllers").is_file()


def _delegate(group: Path) -> None:
    for controller in set(_CONTROLLERS) & set((group / "cgroup.controllers").read_text().split()):
        (group / "cgroup.subtree_control").write_text(f"+{controller}")
