"""Where clusters and their binaries live, by the XDG rules, so that nothing is built or kept inside a checkout."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pinnace.errors import UsageError

__all__ = ["cache_folder", "cluster_folder", "clusters_folder"]


def _xdg(environment: Mapping[str, str], *, variable: str, default: str) -> Path:
    """An XDG base folder; the specification says that relative values are to be ignored."""
    value = environment.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / default


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """What can be built again: `$XDG_CACHE_HOME/pinnace/cluster`."""
    return _xdg(environment, variable="XDG_CACHE_HOME", default=".cache") / "pinnace" / "cluster"


def clusters_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of all named clusters: `$XDG_STATE_HOME/pinnace/cluster`."""
    return _xdg(environment, variable="XDG_STATE_HOME", default=".local/state") / "pinnace" / "cluster"


def cluster_folder(name: str, *, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of one named cluster; a name that could leave `clusters_folder` is refused."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        raise UsageError(f"cluster name {name!r}: use up to 63 of a-z, 0-9 and '-', neither first nor last a '-'")
    return clusters_folder(environment) / name
