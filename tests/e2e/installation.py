"""Pinnace installed on a cluster with a node as its users install it, and what tests ask of it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import pinnace
from e2e.node_cluster import DEPLOYMENTS, Document, NodeCluster
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, BACKUPS, EVENTS, JOBS, PODS
from pinnace.kube.objects import Kind

__all__ = ["CREDENTIALS", "NAMESPACE", "ROOT", "Installation", "install"]

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "velero"
_TERMINAL = ("Completed", "PartiallyFailed", "Failed", "FailedValidation")
CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_OVERLAY = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [{base}]
images: [{{name: pinnace, newName: {name}, newTag: {tag}}}]
replacements:
  - source:
      kind: Deployment
      name: pinnace-dispatcher
      fieldPath: "spec.template.spec.containers.[name=dispatcher].image"
    targets:
      - select: {{kind: Deployment, name: pinnace-dispatcher}}
        fieldPaths: ["spec.template.spec.containers.[name=dispatcher].env.[name=PINNACE_JOB_IMAGE].value"]
patches:
  - target: {{kind: Deployment, name: pinnace-dispatcher}}
    patch: |
      - {{op: replace, path: /spec/template/spec/containers/0/args, value: {arguments}}}
"""


@dataclass(frozen=True)
class Installation:
    """The dispatcher runs, and location `default` is a bucket of the S3 server."""

    cluster: NodeCluster
    server: SeaweedServer
    bucket: str
    prefix: str = ""

    @property
    def store_url(self) -> str:
        """The location, as `--store` takes it."""
        return self.server.store_url(self.bucket, self.prefix)

    def create(self, name: str, **spec: Any) -> None:
        """Create a Backup as a user does."""
        backup = {
            "apiVersion": "velero.io/v1",
            "kind": "Backup",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": spec,
        }
        self.cluster.kubectl("create", "--filename=-", standard_input=json.dumps(backup))

    def wait(
        self, name: str, *, until: Callable[[Document], bool] | None = None, timeout_seconds: float = 120.0
    ) -> Document:
        """The Backup once it has ended, or once `until` holds."""
        wanted = until or (lambda backup: phase(backup) in _TERMINAL)
        return self.cluster.wait_for(
            BACKUPS, name, namespace=NAMESPACE, until=wanted, what="to end", timeout_seconds=timeout_seconds
        )

    def job_of(self, name: str) -> Document | None:
        """The Job of a Backup, if there is one."""
        jobs = self._listed(JOBS, labelSelector=f"velero.io/backup-name={name}")
        return jobs[0] if jobs else None

    def pods_of(self, name: str) -> list[Document]:
        """The pods of a Backup's Job, oldest first."""
        pods = self._listed(PODS, labelSelector=f"velero.io/backup-name={name}")
        return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def running_pod(self, name: str, *, timeout_seconds: float = 60.0) -> Document:
        """The pod that makes a Backup, once its process runs."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            for pod in self.pods_of(name):
                if pod["status"].get("phase") == "Running" and self.cluster.pod_pids(pod):
                    return pod
            time.sleep(0.2)
        raise AssertionError(f"no pod of backup {name} runs\n{self.cluster.situation(NAMESPACE)}")

    def wait_for_upload(self, name: str) -> None:
        """Until the archive's upload is open: the backup is in its middle."""
        from pinnace.store.open import open_store

        deadline = time.monotonic() + 60
        while not any(open_store(self.store_url).uploads(f"backups/{name}/")):
            assert time.monotonic() < deadline, self.cluster.situation(NAMESPACE)
            time.sleep(0.02)

    def events_of(self, name: str) -> list[tuple[str, str]]:
        """Type and reason of a Backup's Events, oldest first."""
        events = self._listed(EVENTS, fieldSelector=f"involvedObject.kind=Backup,involvedObject.name={name}")
        events.sort(key=lambda event: (event["firstTimestamp"], int(event["metadata"]["resourceVersion"])))
        return [(event["type"], event["reason"]) for event in events]

    def wait_for_event(self, name: str, reason: str) -> list[tuple[str, str]]:
        """All Events of a Backup once it has that one."""
        deadline = time.monotonic() + 30
        while reason not in [told for _, told in self.events_of(name)]:
            assert time.monotonic() < deadline, (self.events_of(name), self.cluster.situation(NAMESPACE))
            time.sleep(0.3)
        return self.events_of(name)

    def override_jobs(self, text: str) -> None:
        """Write the ConfigMap by which an operator changes all Jobs; "" removes it."""
        if not text:
            self.cluster.kubectl("delete", "configmap", "pinnace-job", f"--namespace={NAMESPACE}", "--ignore-not-found")
            return
        metadata = {"name": "pinnace-job", "namespace": NAMESPACE}
        self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"job.yaml": text}})

    def metrics(self) -> str:
        """What a Prometheus reads from the leader."""
        service = f"/api/v1/namespaces/{NAMESPACE}/services/pinnace-dispatcher:monitoring/proxy/metrics"
        return self.cluster.kubectl("get", "--raw", service)

    def bucket_state(self, name: str) -> tuple[list[str], list[str]]:
        """What is left in the bucket of a Backup but its log: objects, and unfinished uploads."""
        from pinnace.store.open import open_store

        store, prefix = open_store(self.store_url), f"backups/{name}/"
        objects = [found.key for found in store.list_keys(prefix) if not found.key.endswith("-logs.gz")]
        return objects, [upload.key for upload in store.uploads(prefix)]

    def log_of(self, name: str) -> str:
        """What `pinnace backup logs` prints."""
        return pinnace("backup", "logs", name, "--store", self.store_url).stdout

    def restart_dispatcher(self) -> None:
        """Kill its pods as a node loss does, and return at once."""
        self.cluster.kubectl(
            "delete", "pods", f"--namespace={NAMESPACE}", "--selector=app.kubernetes.io/name=pinnace-dispatcher",
            "--force", "--grace-period=0",
        )  # fmt: skip

    def _listed(self, kind: Kind, **query: str) -> list[Document]:
        path = kind.path(namespace=NAMESPACE)
        items: list[Document] = self.cluster.patiently(lambda: self.cluster.client.get(path, query))["items"]
        return items


def phase(backup: Document) -> str:
    """`status.phase`, or ""."""
    return str((backup.get("status") or {}).get("phase") or "")


def install(
    cluster: NodeCluster,
    server: SeaweedServer,
    *,
    bucket: str,
    folder: Path,
    arguments: list[str],
    prefix: str = "",
) -> Installation:
    """Apply the kinds and an overlay of the base, as docs/install.md says, with a location and its Secret."""
    cluster.kubectl("apply", "--server-side", "--kustomize", str(ROOT / "k8s" / "crds"))
    name, _, tag = cluster.image.rpartition(":")
    base = Path("../" * len(folder.resolve().parts[1:])) / str(ROOT / "k8s" / "base").lstrip("/")
    overlay = _OVERLAY.format(base=base, name=name, tag=tag, arguments=json.dumps(["dispatcher", *arguments]))
    (folder / "kustomization.yaml").write_text(overlay)
    cluster.kubectl("apply", "--kustomize", str(folder))
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "cloud-credentials", "namespace": NAMESPACE},
            "stringData": {"cloud": CREDENTIALS},
        },
        {
            "apiVersion": "velero.io/v1",
            "kind": "BackupStorageLocation",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {
                "provider": "aws",
                "default": True,
                "objectStorage": {"bucket": bucket, "prefix": prefix},
                "config": {"s3Url": server.url, "s3ForcePathStyle": "true", "region": "us-east-1"},
                "credential": {"name": "cloud-credentials", "key": "cloud"},
            },
        },
    )
    cluster.wait_for(
        DEPLOYMENTS, "pinnace-dispatcher", namespace=NAMESPACE, what="to be available", timeout_seconds=90,
        until=lambda found: (found.get("status") or {}).get("availableReplicas", 0) >= 1,
    )  # fmt: skip
    cluster.wait_for(
        BACKUP_STORAGE_LOCATIONS, "default", namespace=NAMESPACE, what="to be Available", timeout_seconds=60,
        until=lambda found: phase(found) == "Available",
    )  # fmt: skip
    return Installation(cluster, server, bucket, prefix)
