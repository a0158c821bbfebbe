"""A control plane that one test module has for itself: its apiserver may be restarted, its history compacted."""

import base64
import json
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from pinnace.cluster import etcd_loader, kubectl, local_cluster, synthetic
from pinnace.errors import ClusterError

__all__ = ["OwnCluster"]


@dataclass
class OwnCluster:
    """A cluster that nobody else uses, and the apiservers that were started in its first one's place."""

    cluster: local_cluster.LocalCluster
    apiservers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    is_gone: threading.Event = field(default_factory=threading.Event)

    def restart_apiserver(self, *, after_seconds: float = 0.0) -> None:
        """End the apiserver and start it again with the same flags, while requests come."""
        pid = self.apiservers[-1].pid if self.apiservers else self.cluster.pids["kube-apiserver"]
        command = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
        os.kill(pid, signal.SIGKILL)
        while self._answers():
            time.sleep(0.05)
        self.is_gone.set()
        time.sleep(after_seconds)
        log = self.cluster.folder.joinpath("logs", "second-apiserver.log").open("ab")
        self.apiservers.append(subprocess.Popen(command, stdout=log, stderr=log))

    def wait(self, *, seconds: float = 60.0) -> None:
        """Until the apiserver is ready again."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(ClusterError):
                kubectl.run("get", "--raw", "/readyz", kubeconfig=self.cluster.kubeconfig)
                return
            time.sleep(0.2)
        raise AssertionError("the apiserver that was started again is not ready")

    def end(self) -> None:
        """End what was started in the first apiserver's place; the cluster itself knows nothing of it."""
        for apiserver in self.apiservers:
            apiserver.kill()
            apiserver.wait()

    def write_and_compact(self) -> None:
        """Change an item, and let etcd forget every revision before that."""
        key = "/registry/configmaps/fleet/device-00000"
        etcd_loader.load(self.cluster.etcd, entries=[(key, self._configmap())])
        answer = self._etcd("range", {"key": base64.b64encode(key.encode()).decode()})
        self._etcd("compaction", {"revision": answer["header"]["revision"], "physical": True})

    def _configmap(self) -> bytes:
        return next(synthetic.fleet(created="2026-01-02T03:04:05Z"))[1]

    def _etcd(self, method: str, question: dict[str, object]) -> dict[str, dict[str, str]]:
        url = f"{self.cluster.etcd}/v3/kv/{method}"
        answer = urllib3.request("POST", url, body=json.dumps(question), timeout=30.0)
        assert answer.status == 200, answer.data
        document: dict[str, dict[str, str]] = json.loads(answer.data)
        return document

    def _answers(self) -> bool:
        try:
            urllib3.request("GET", f"{self.cluster.server}/livez", retries=False, timeout=5.0)
        except urllib3.exceptions.SSLError:
            return True
        except urllib3.exceptions.HTTPError:
            return False
        return True
