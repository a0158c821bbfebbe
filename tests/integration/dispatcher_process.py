"""The dispatcher as a process on a control plane without nodes; the test plays kubelet and Job."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from command import PINNACE
from pinnace.cluster.ports import free_ports
from pinnace.kube.client import Client, connect
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, BACKUPS, JOBS, LEASES, PODS, SECRETS
from pinnace.kube.objects import Kind, Objects

__all__ = ["Document", "RunningDispatcher", "Stage", "phase"]

Document = dict[str, Any]
_IMAGE = "registry.example/pinnace:1"
_SECONDS = 60.0
_NAMESPACES, _ACCOUNTS, _EVENTS = Kind("v1", "namespaces"), Kind("v1", "serviceaccounts"), Kind("v1", "events")


def phase(document: Document) -> str:
    """`status.phase`, or ""."""
    return str((document.get("status") or {}).get("phase") or "")


@dataclass
class RunningDispatcher:
    """One process; its log is a file."""

    process: subprocess.Popen[bytes]
    log: Path
    health_port: int
    metrics_port: int

    @property
    def rss_bytes(self) -> int:
        """What it holds in memory now."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def asked(self, path: str, *, port: int | None = None) -> tuple[int, str]:
        """Status and body of a GET; status 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port or self.health_port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> list[str]:
        """The lines that a Prometheus reads."""
        return self.asked("/metrics", port=self.metrics_port)[1].splitlines()

    def end(self) -> int:
        """Stop it as the kubelet does; gives its exit code."""
        self.process.terminate()
        return self.process.wait(30)


@dataclass
class Stage:
    """One namespace with a bucket's location, and the dispatchers that work in it."""

    kubeconfig: Path
    namespace: str
    folder: Path
    s3_url: str
    bucket: str
    credentials: str
    client: Client = field(init=False)
    dispatchers: list[RunningDispatcher] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = connect(kubeconfig=self.kubeconfig)

    def objects(self, kind: Kind) -> Objects:
        """The objects of a kind in this namespace."""
        return Objects(self.client, kind, namespace=self.namespace)

    def make(self) -> None:
        """The namespace, the Jobs' account, and the Secret of locations that name none."""
        Objects(self.client, _NAMESPACES).create({"metadata": {"name": self.namespace}})
        self.objects(_ACCOUNTS).create({"metadata": {"name": "pinnace-backup"}})
        self.write_secret("cloud-credentials", self.credentials)

    def write_secret(self, name: str, credentials: str) -> None:
        """Create or change a Secret with an AWS credentials file."""
        document: Document = {"metadata": {"name": name}, "stringData": {"cloud": credentials}}
        if not self.objects(SECRETS).create(document):
            self.objects(SECRETS).merge_patch(name, {"stringData": document["stringData"]})

    def make_location(self, name: str, *, prefix: str = "", bucket: str = "", **spec: Any) -> None:
        """A location of the S3 server."""
        storage = {"bucket": bucket or self.bucket, "prefix": prefix or f"{self.namespace}/{name}"}
        config = {"s3Url": self.s3_url, "s3ForcePathStyle": "true", "region": "us-east-1"}
        document = {
            "apiVersion": "velero.io/v1",
            "kind": "BackupStorageLocation",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"provider": "aws", "objectStorage": storage, "config": config, **spec},
        }
        assert self.objects(BACKUP_STORAGE_LOCATIONS).create(document)

    def location(self, name: str) -> Document:
        """A location as it is now."""
        found = self.objects(BACKUP_STORAGE_LOCATIONS).get(name)
        assert found is not None
        return found

    def start(self, *arguments: str, is_ready: bool = True) -> RunningDispatcher:
        """Start a dispatcher, and wait until it is ready, or only until it answers."""
        made = self.launch(*arguments)
        self.wait(lambda: made.asked("/readyz")[0] == 200 if is_ready else made.asked("/healthz")[0] == 200)
        return made

    def launch(self, *arguments: str) -> RunningDispatcher:
        """Start a dispatcher's process, and wait for nothing."""
        health_port, metrics_port = free_ports(2)
        log = self.folder / f"{self.namespace}-{len(self.dispatchers)}.log"
        command = [
            *PINNACE, "dispatcher", f"--namespace={self.namespace}", f"--job-image={_IMAGE}",
            f"--kubeconfig={self.kubeconfig}", f"--health-port={health_port}", f"--metrics-port={metrics_port}",
            # A test that plays the Job leaves nothing in the bucket, so that its Backup would be an orphan.
            "--backup-sync-period=0s", *arguments,
        ]  # fmt: skip
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        with log.open("wb") as file:
            process = subprocess.Popen(command, stderr=file, stdout=file, env=environment)
        made = RunningDispatcher(process, log, health_port, metrics_port)
        self.dispatchers.append(made)
        return made

    def end(self) -> None:
        """End what still runs."""
        for dispatcher in self.dispatchers:
            dispatcher.process.kill()
            dispatcher.process.wait()

    def create(self, name: str, *, labels: Mapping[str, str] | None = None, status: Any = None, **spec: Any) -> None:
        """Create a Backup as a user does, or with a status, as one that was left behind."""
        document = {
            "apiVersion": "velero.io/v1",
            "kind": "Backup",
            "metadata": {"name": name, "namespace": self.namespace, "labels": dict(labels or {})},
            "spec": spec,
            **({"status": status} if status else {}),
        }
        assert self.objects(BACKUPS).create(document)

    def backup(self, name: str) -> Document:
        """A Backup as it is now."""
        found = self.objects(BACKUPS).get(name)
        assert found is not None, name
        return found

    def patch_backup(self, name: str, **status: Any) -> None:
        """Write a status as the Job's process does."""
        self.objects(BACKUPS).merge_patch(name, {"status": status})

    def wait(self, holds: Callable[[], Any], *, seconds: float = _SECONDS) -> None:
        """Look until it holds; a failure shows the dispatchers' last lines."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, [each.log.read_text()[-3000:] for each in self.dispatchers]
            time.sleep(0.1)

    def wait_for_phase(self, name: str, wanted: str) -> Document:
        """The Backup once it has that phase."""
        self.wait(lambda: phase(self.backup(name)) == wanted)
        return self.backup(name)

    def job_of(self, name: str) -> Document | None:
        """The Job of a Backup, if there is one."""
        found = self.objects(JOBS).list(label_selector=f"velero.io/backup-name={name}")
        assert len(found) <= 1
        return found[0] if found else None

    def pods_of(self, name: str) -> list[Document]:
        """The pods of a Backup's Job, in the order in which they were made."""
        pods = self.objects(PODS).list(label_selector=f"velero.io/backup-name={name}")
        return sorted(pods, key=_made)

    def new_pod(self, name: str, *, attempt: int = 1) -> Document:
        """The pod of that attempt, once the Job controller has made it."""
        self.wait(lambda: len(self.pods_of(name)) == attempt)
        return self.pods_of(name)[-1]

    def report(self, pod: Document, pod_phase: str, state: Document, **status: Any) -> None:
        """Write a pod's status as the kubelet does."""
        container = {"name": "backup", "image": _IMAGE, "imageID": "", "ready": False, "restartCount": 0}
        patch = {"status": {"phase": pod_phase, "containerStatuses": [{**container, "state": state}], **status}}
        path = PODS.path(namespace=self.namespace, name=pod["metadata"]["name"]) + "/status"
        self.client.send("PATCH", path, body=patch, content_type="application/merge-patch+json")

    def run(self, pod: Document) -> None:
        """Let its container run."""
        self.report(pod, "Running", {"running": {}})

    def end_pod(self, pod: Document, exit_code: int, *, reason: str = "Error", message: str = "") -> None:
        """Let its container end."""
        ended = {"exitCode": exit_code, "reason": "Completed" if exit_code == 0 else reason, "message": message}
        self.report(pod, "Succeeded" if exit_code == 0 else "Failed", {"terminated": ended})

    def complete(self, name: str, *, items: int = 7, **said: Any) -> None:
        """Play the Job of a Backup to its good end."""
        pod = self.new_pod(name)
        self.run(pod)
        progress = {"totalItems": items, "itemsBackedUp": items}
        self.patch_backup(name, phase="Completed", completionTimestamp=now(), progress=progress, failureReason=None)
        self.end_pod(pod, 0, message=json.dumps({"item_count": items, "archive_bytes": 4711, **said}))

    def wait_until_recorded(self, name: str) -> Document:
        """The Job of a Backup whose end the dispatcher has counted and told."""
        self.wait(lambda: "pinnace.io/recorded" in ((self.job_of(name) or {})["metadata"].get("annotations") or {}))
        job = self.job_of(name)
        assert job is not None
        return job

    def events_of(self, name: str) -> list[tuple[str, str, str]]:
        """Type, reason and message of a Backup's Events, oldest first."""
        path, query = _EVENTS.path(namespace=self.namespace), {"fieldSelector": f"involvedObject.name={name}"}
        events = self.client.get(path, query)["items"]
        events.sort(key=lambda event: (event["firstTimestamp"], int(event["metadata"]["resourceVersion"])))
        return [(event["type"], event["reason"], event["message"]) for event in events]

    def lease(self) -> Document | None:
        """Who leads."""
        return self.objects(LEASES).get("pinnace-dispatcher")


def now() -> str:
    """This second, as Velero writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _made(pod: Document) -> tuple[str, int]:
    """The Job controller makes one pod after the other ended: an ended one is older."""
    is_open = (pod.get("status") or {}).get("phase") in (None, "Pending", "Running")
    return pod["metadata"]["creationTimestamp"], int(is_open)
