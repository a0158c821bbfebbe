"""Runs `pinnace` as its users do: a process of its own, and what it printed."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["PINNACE", "kubeconfig_of", "pinnace"]

_USER: Mapping[str, object] = {"token": "t"}
_PLAIN: Mapping[str, object] = {}

PINNACE = [sys.executable, "-m", "pinnace.cli.main"]


def pinnace(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run([*PINNACE, *arguments], capture_output=True, check=False, text=True)


def kubeconfig_of(server: str, *, folder: Path, user: object = _USER, cluster: Mapping[str, object] = _PLAIN) -> Path:
    """Write a kubeconfig for a server: without TLS, and with a token, unless `cluster` and `user` say otherwise."""
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "users": [{"name": "u", "user": user}],
        "clusters": [{"name": "k", "cluster": {"server": server, **cluster}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }
    path.write_text(json.dumps(document))
    return path
