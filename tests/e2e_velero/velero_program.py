"""The real velero CLI and server, as `./just velero-cli` builds them, run as their users run them."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from integration.dispatcher_process import Stage
from pinnace.cluster import kubectl
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS

__all__ = ["Velero", "find_velero", "lines_of", "served"]

_GO_MOD = Path(__file__).parents[2] / "k8s" / "cluster" / "velero" / "go.mod"
_SECONDS = 400
"""More than any wait for a backup takes on a machine that does much else."""

_METRICS_PORT = 8080
"""The server's controllers have their metrics there, and no flag changes it."""


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
    """The CLI with a cluster and a namespace; `server_pid` is the real server's that works there, 0 for none."""

    program: Path
    kubeconfig: Path
    namespace: str
    home: Path
    server_pid: int = 0

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


@dataclass
class _VeleroServer:
    """The real server as a process, with the aws plugin that `./just velero-plugin` builds."""

    program: Path
    kubeconfig: Path
    namespace: str
    log: Path
    credentials: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start it; the test is skipped where its plugin was not built, or its port is another's."""
        plugins = self.program.parent / "plugins"
        if not (plugins / "velero-plugin-for-aws").exists():
            pytest.skip(f"{plugins}/velero-plugin-for-aws is not built; `./just velero-plugin` builds it")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", _METRICS_PORT)) == 0:
                pytest.skip(f"port {_METRICS_PORT} is not free, and the Velero server takes no other")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    str(self.program), "server", "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace,
                    "--plugin-dir", str(plugins), "--metrics-address", "127.0.0.1:0", "--profiler-address",
                    "127.0.0.1:0", "--backup-sync-period", "5s", "--store-validation-frequency", "5s",
                ],
                env={**os.environ, "VELERO_NAMESPACE": self.namespace,
                     "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials)},
                stdout=log,
                stderr=log,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Its process's; 0 while it does not run."""
        return self.process.pid if self.process else 0

    def end(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)


@contextmanager
def served(velero: Velero, stage: Stage, *, locations: Mapping[str, str]) -> Iterator[Velero]:
    """The CLI of the namespace of `stage`, in which a real server works; `locations` are prefixes by name.

    The first of them is the default.
    """
    stage.make()
    config = {"s3Url": stage.s3_url, "s3ForcePathStyle": "true", "region": "us-east-1", "checksumAlgorithm": ""}
    for name, prefix in locations.items():
        stage.make_location(name, prefix=prefix, default=name == next(iter(locations)))
        stage.objects(BACKUP_STORAGE_LOCATIONS).merge_patch(name, {"spec": {"config": config}})
    credentials = stage.folder / f"{stage.namespace}-credentials"
    credentials.write_text(stage.credentials)
    # It restores only where it finds itself; with no replica this one does not run.
    namespace = f"--namespace={stage.namespace}"
    deployment = ("deployment", "velero", "--image=none", "--replicas=0", namespace)
    kubectl.run("create", *deployment, kubeconfig=stage.kubeconfig)
    log = stage.folder / f"{stage.namespace}.log"
    running = _VeleroServer(velero.program, stage.kubeconfig, stage.namespace, log, credentials)
    running.start()
    try:
        yield Velero(velero.program, stage.kubeconfig, stage.namespace, velero.home, running.pid)
    finally:
        running.end()
        print(running.log.read_text()[-3000:])


def lines_of(text: str) -> list[str]:
    """What a command printed, without colours, empty lines and the columns' widths."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return [re.sub(r"\s{2,}|\t", "  ", line).strip() for line in plain.splitlines() if line.strip()]
