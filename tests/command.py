"""Runs `pinnace` as its users do: a process of its own, and what it printed."""

import subprocess
import sys
from pathlib import Path

__all__ = ["PINNACE", "kubeconfig_of", "pinnace"]

PINNACE = [sys.executable, "-m", "pinnace.cli.main"]


def pinnace(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run([*PINNACE, *arguments], capture_output=True, check=False, text=True)


def kubeconfig_of(server: str, *, folder: Path) -> Path:
    """Write a kubeconfig for a server without TLS."""
    path = folder / "kubeconfig"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nusers: [{name: u, user: {token: t}}]\n"
        f"clusters: [{{name: k, cluster: {{server: '{server}'}}}}]\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
    )
    return path
