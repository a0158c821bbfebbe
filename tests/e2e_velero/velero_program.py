"""The real velero CLI, as `./just velero-cli` builds it, run as its users run it."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Velero", "find_velero"]

_GO_MOD = Path(__file__).parents[2] / "k8s" / "cluster" / "velero" / "go.mod"
_SECONDS = 120


def find_velero() -> Path:
    """The built program of the version that go.mod names; the test is skipped where it was not built."""
    found = re.search(r"github.com/vmware-tanzu/velero (v[0-9.]+)", _GO_MOD.read_text())
    assert found is not None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    program = cache / "pinnace" / "velero" / found[1] / "velero"
    if not program.exists():
        pytest.skip(f"{program} is not built; `./just velero-cli` builds it")
    return program


@dataclass
class Velero:
    """The CLI with a cluster and a namespace."""

    program: Path
    kubeconfig: Path
    namespace: str
    home: Path

    def run(self, *arguments: str, status: int = 0, standard_input: str = "") -> str:
        """What it prints on both streams; it must end with that status."""
        done = subprocess.run(
            [str(self.program), "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *arguments],
            env={**os.environ, "HOME": str(self.home)},
            cwd=self.home,
            input=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout
