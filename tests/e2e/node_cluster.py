"""A local cluster with a node, as end-to-end tests use it: apply, look, and wait with a useful failure."""

import contextlib
import functools
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pinnace.cluster import kubectl
from pinnace.cluster.local_cluster import LocalCluster
from pinnace.errors import ClusterError, KubeError
from pinnace.kube.client import Client, connect
from pinnace.kube.objects import Kind, Objects

__all__ = ["DEPLOYMENTS", "NodeCluster", "restricted_pod"]

Document = dict[str, Any]
Answer = TypeVar("Answer")

DEPLOYMENTS: Final = Kind("apps/v1", "deployments")
SERVICE_ACCOUNTS: Final = Kind("v1", "serviceaccounts")

_POLL_SECONDS: Final = 0.3
_PATIENCE_SECONDS: Final = 60.0
_TAIL_CHARACTERS: Final = 4000


@dataclass(frozen=True)
class NodeCluster:
    """A running cluster with at least one node, on which the image `image` is."""

    cluster: LocalCluster
    image: str

    @property
    def address(self) -> str:
        """Where pods reach this machine."""
        return self.cluster.nodes[0].address

    @property
    def kubeconfig(self) -> Path:
        """Admin access."""
        return self.cluster.kubeconfig

    def kubectl(self, *arguments: str, standard_input: str | None = None) -> str:
        """What kubectl prints; an error if it fails."""
        return kubectl.run(*arguments, kubeconfig=self.kubeconfig, standard_input=standard_input)

    def apply(self, *documents: Document) -> None:
        """Create or change items."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
        self.kubectl("apply", "--server-side", "--filename=-", standard_input=listed)

    @functools.cached_property
    def client(self) -> Client:
        """The same access without a process for each look."""
        return connect(kubeconfig=self.kubeconfig)

    def get(self, kind: Kind, name: str, *, namespace: str) -> Document | None:
        """The item, or None if there is none of that name."""
        return self.patiently(lambda: Objects(self.client, kind, namespace=namespace).get(name))

    def patiently(self, ask: Callable[[], Answer]) -> Answer:
        """What it gives; asked again while the API server is away, restarted or behind, as tests make it."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return ask()
            except KubeError as error:
                if error.status not in (0, 429, 500, 503, 504) or time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_SECONDS)

    def make_namespace(self, name: str, *, restricted: bool = True) -> None:
        """A namespace whose pods must be restricted, usable at once: its ServiceAccount is there."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"} if restricted else {}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        self.wait_for(SERVICE_ACCOUNTS, "default", namespace=name, until=lambda _: True)

    def wait_for(
        self,
        kind: Kind,
        name: str,
        *,
        namespace: str,
        until: Callable[[Document], bool],
        what: str = "to be there",
        timeout_seconds: float = 60.0,
    ) -> Document:
        """The item once it is there and `until` holds; else a failure with pods, events and kubelet's last lines."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            found = self.get(kind, name, namespace=namespace)
            if found is not None and until(found):
                return found
            if time.monotonic() > deadline:
                waited = f"{kind.plural} {namespace}/{name}: waited {timeout_seconds:.0f} s for it {what}"
                raise AssertionError(f"{waited}\n{json.dumps(found, indent=1)}\n{self.situation(namespace)}")
            time.sleep(_POLL_SECONDS)

    def wait_until(self, holds: Callable[[], Any], what: str, *, timeout_seconds: float = 120.0) -> None:
        """Look until it holds."""
        deadline = time.monotonic() + timeout_seconds
        while not self.patiently(holds):
            assert time.monotonic() < deadline, f"waited {timeout_seconds:.0f} s for {what}"
            time.sleep(_POLL_SECONDS)

    def situation(self, namespace: str) -> str:
        """What a person would look at first: pods, their logs, events, kubelet."""
        parts = [
            self._try("get", "pods", f"--namespace={namespace}", "--output=wide"),
            self._try("get", "pods", f"--namespace={namespace}", "--output=jsonpath={.items[*].status}"),
            self._try("get", "events", f"--namespace={namespace}", "--sort-by=.lastTimestamp"),
        ]
        pods = self._try("get", "pods", f"--namespace={namespace}", "--output=name").split()
        parts += [self._try("logs", f"--namespace={namespace}", "--tail=30", pod) for pod in pods]
        parts += [log.read_text()[-_TAIL_CHARACTERS:] for log in self.cluster.folder.glob("logs/node-*-kubelet.log")]
        return "\n---\n".join(parts)

    def pod_pids(self, pod: Document) -> set[int]:
        """The processes of a pod's containers, as this machine counts them; for tests that kill one."""
        uid = pod["metadata"]["uid"]
        places = tuple(f"/{node.cgroup}/kubepods/" for node in self.cluster.nodes)
        pids: set[int] = set()
        # A walk, since groups of a pod that is ending go while they are looked at, which a glob does not bear.
        for group, _, files in os.walk("/sys/fs/cgroup"):
            is_ours = f"/pod{uid}/" in f"{group}/" and any(place in group for place in places)
            if is_ours and "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    pids |= set(map(int, Path(group, "cgroup.procs").read_text().split()))
        return pids

    def _try(self, *arguments: str) -> str:
        try:
            return self.kubectl(*arguments)
        except ClusterError as error:
            return str(error)


def restricted_pod(image: str, *, command: list[str], memory: str = "128Mi", **spec: Any) -> Document:
    """A pod spec that restricted pod security admits; `spec` is added to it."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "Never",
        "command": command,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "resources": {"limits": {"cpu": "1", "memory": memory}, "requests": {"cpu": "10m", "memory": memory}},
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"restartPolicy": "Never", "securityContext": security, "containers": [container], **spec}
