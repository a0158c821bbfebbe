"""Run kubectl against a local cluster: the one of our own environment (from PyPI), else the one on PATH."""

import shutil
import subprocess
import sys
from pathlib import Path

from pinnace.errors import ClusterError

__all__ = ["run"]


def run(*arguments: str, kubeconfig: Path, standard_input: str | None = None) -> str:
    """What kubectl prints; ClusterError with its complaint if it fails."""
    command = [_program(), f"--kubeconfig={kubeconfig}", *arguments]
    done = subprocess.run(command, input=standard_input, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _program() -> str:
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.is_file() else shutil.which("kubectl")
    if found is None:
        raise ClusterError("kubectl: not found; `just setup` installs it into .venv")
    return found
