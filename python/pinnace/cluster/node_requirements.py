"""What a node needs from the machine: root, and programs that Debian packages bring."""

import os
import shutil
from pathlib import Path
from typing import Final

from pinnace.errors import ClusterError

__all__ = ["PACKAGES", "check", "cni_folder", "program"]

PACKAGES: Final = ("containerd", "runc", "containernetworking-plugins", "iptables", "iproute2")
"""Debian's names; `just node-packages` installs them."""

_PROGRAMS: Final = ("containerd", "ctr", "runc", "iptables", "ip", "nsenter", "unshare")
_CNI_PLUGINS: Final = ("bridge", "host-local", "loopback")
_CNI_FOLDERS: Final = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
"""Debian's, that of the plugins' own releases, Fedora's."""

_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Searched too: the PATH of a root shell made by `su` often lacks the sbin folders."""


def check() -> None:
    """ClusterError that says what to do where a node can't run here."""
    if os.geteuid() != 0:
        raise ClusterError("a node makes mounts, cgroups and a bridge: run it as root, or leave out --with-node")
    missing = [name for name in _PROGRAMS if _find(name) is None]
    if _cni_folder() is None:
        missing.append("CNI plugins")
    if missing:
        packages = " ".join(PACKAGES)
        raise ClusterError(
            f"a node needs {', '.join(missing)}: not found; `just node-packages` installs them on Debian ({packages})"
        )


def program(name: str) -> str:
    """Where `name` is; `check` has said that it is there."""
    found = _find(name)
    if found is None:
        raise ClusterError(f"{name}: not found; `just node-packages` installs it on Debian")
    return found


def cni_folder() -> Path:
    """The folder that has the CNI plugins; `check` has said that there is one."""
    found = _cni_folder()
    if found is None:
        raise ClusterError("CNI plugins: not found; `just node-packages` installs them on Debian")
    return found


def _cni_folder() -> Path | None:
    for folder in map(Path, _CNI_FOLDERS):
        if all(os.access(folder / plugin, os.X_OK) for plugin in _CNI_PLUGINS):
            return folder
    return None


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")
