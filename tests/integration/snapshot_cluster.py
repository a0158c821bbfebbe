"""A cluster with the real kinds and the real controller of CSI snapshots, and a fake driver's sidecar."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.cluster_fixtures import TestedCluster, cluster_folder, tested_cluster
from pinnace.cluster import binaries, kubectl, local_cluster, processes, versions
from pinnace.errors import KubeError
from pinnace.kube.client import Client, connect
from pinnace.kube.kinds import VOLUME_SNAPSHOT_CONTENTS

__all__ = [
    "FakeCsiDriver",
    "SnapshotCluster",
    "claim_and_volume",
    "snapshot_cluster",
    "snapshot_controller",
    "snapshots_served",
]

_CLIENT_MODULE = "github.com/kubernetes-csi/external-snapshotter/client/v8"
_FINALIZER = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
_BEING_DELETED = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted"
_SECRET = "snapshot.storage.kubernetes.io/deletion-secret"
_CREATED_NANOSECONDS = 1_700_000_000_000_000_000


@dataclass
class FakeCsiDriver:
    """In the place of a CSI driver and its sidecar, which need a node: it does with contents what csi-snapshotter does.

    Contents of other drivers are only let go when they are deleted, and those of `absent` ones are served by nobody.
    `stored` are the handles that the storage has, `deleted` those that it was told to delete; it refuses those in
    `refused`, and those in `secrets` without the Secret that is named there. While `is_busy` is set it
    takes no snapshot.
    """

    client: Client
    driver: str
    restore_bytes: int
    stored: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)
    is_busy: threading.Event = field(default_factory=threading.Event)
    _is_ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["FakeCsiDriver"]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._is_ended.set()
            thread.join()

    def _run(self) -> None:
        while not self._is_ended.wait(0.1):
            with suppress(KubeError):  # the controller changed it meanwhile
                for content in self.client.get(VOLUME_SNAPSHOT_CONTENTS.path())["items"]:
                    self._serve(content)

    def _serve(self, content: dict[str, Any]) -> None:
        name, status, source = content["metadata"]["name"], content.get("status") or {}, content["spec"]["source"]
        path = VOLUME_SNAPSHOT_CONTENTS.path(name=name)
        if content["spec"]["driver"] in self.absent:
            return
        if content["metadata"].get("deletionTimestamp"):
            if self._is_to_go(content) and self._may_go(content):
                self._patch(f"{path}/status", {"status": {"snapshotHandle": None}})
                others = [each for each in content["metadata"].get("finalizers") or () if each != _FINALIZER]
                self._patch(path, {"metadata": {"finalizers": others}})
        elif content["spec"]["driver"] != self.driver or status.get("readyToUse") or self.is_busy.is_set():
            return
        elif source.get("snapshotHandle", "") not in self.stored | {""}:
            message = f"can not find snapshot for snapshotID {source['snapshotHandle']}"
            if (status.get("error") or {}).get("message") != message:
                self._patch(f"{path}/status", {"status": {"error": {"message": message}}})
        else:
            handle = source.get("snapshotHandle") or f"snap-of-{source['volumeHandle']}"
            self.stored.add(handle)
            told = {"snapshotHandle": handle, "creationTime": _CREATED_NANOSECONDS, "restoreSize": self.restore_bytes}
            self._patch(f"{path}/status", {"status": {**told, "readyToUse": True}})

    def _is_to_go(self, content: dict[str, Any]) -> bool:
        """Whether the content is unbound, or its VolumeSnapshot goes (shouldDelete)."""
        spec, annotations = content["spec"], content["metadata"].get("annotations") or {}
        is_unbound = "snapshotHandle" in spec["source"] and not spec["volumeSnapshotRef"].get("uid")
        return is_unbound or _BEING_DELETED in annotations

    def _may_go(self, content: dict[str, Any]) -> bool:
        """Tell the storage, if it has to be; without a handle in the status it has not (syncContent)."""
        handle = (content.get("status") or {}).get("snapshotHandle")
        if content["spec"]["deletionPolicy"] != "Delete" or not handle:
            return True
        annotations = content["metadata"].get("annotations") or {}
        secret = tuple(annotations.get(f"{_SECRET}-{part}") for part in ("namespace", "name"))
        if handle in self.refused or self.secrets.get(handle, secret) != secret:
            return False
        self.deleted.add(handle)
        self.stored.discard(handle)
        return True

    def _patch(self, path: str, patch: dict[str, Any]) -> None:
        self.client.send("PATCH", path, body=patch, content_type="application/merge-patch+json")


@dataclass(frozen=True)
class SnapshotCluster:
    """The cluster and its driver."""

    tested: TestedCluster
    client: Client
    driver: FakeCsiDriver

    def apply(self, *documents: dict[str, Any]) -> None:
        wanted = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.tested.kubectl("apply", "--server-side", "-f", "-", standard_input=json.dumps(wanted))

    def wait_until_bound(self, namespace: str) -> None:
        """Until the controller manager has bound every claim."""
        deadline = time.monotonic() + 60
        while True:
            claims = self.client.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims")["items"]
            if all(claim["status"].get("phase") == "Bound" for claim in claims):
                return
            assert time.monotonic() < deadline, claims
            time.sleep(0.1)

    def left(self, plural: str) -> list[str]:
        """Names of what stays of snapshots, once nothing is being deleted any more."""
        deadline = time.monotonic() + 60
        while True:
            items = self.client.get(f"/apis/snapshot.storage.k8s.io/v1/{plural}")["items"]
            if not any(item["metadata"].get("deletionTimestamp") for item in items):
                return [item["metadata"]["name"] for item in items]
            assert time.monotonic() < deadline, items
            time.sleep(0.1)


@contextmanager
def snapshot_cluster(*, driver: str, restore_bytes: int) -> Iterator[SnapshotCluster]:
    """Start everything, and end it."""
    snapshot_controller()
    with cluster_folder() as folder:
        tested = tested_cluster(local_cluster.up(folder, report=print))
        with snapshots_served(tested.cluster, driver=driver, restore_bytes=restore_bytes) as served:
            yield SnapshotCluster(tested, served.client, served)


@contextmanager
def snapshots_served(
    cluster: local_cluster.LocalCluster, *, driver: str, restore_bytes: int
) -> Iterator[FakeCsiDriver]:
    """Give a running cluster kinds, controller and driver; afterwards the kinds are there, and nobody serves them."""
    for crd in sorted(_crds(versions.modules_folder())):
        kubectl.run("apply", "--server-side", "-f", str(crd), kubeconfig=cluster.kubeconfig)
    process = processes.start(
        "snapshot-controller",
        command=[
            str(snapshot_controller()), "--kubeconfig", str(cluster.kubeconfig),
            "--kube-api-qps=100", "--kube-api-burst=200",
        ],
        log=cluster.folder / "snapshot-controller.log",
    )  # fmt: skip
    try:
        with FakeCsiDriver(connect(kubeconfig=cluster.kubeconfig), driver, restore_bytes).running() as served:
            yield served
    finally:
        processes.stop(process, timeout_seconds=5)


def snapshot_controller() -> Path:
    """The real one, built where the cache lacks it."""
    program = binaries.snapshot_controller(versions.modules_folder())
    return binaries.ensure(report=print, more=(program,)).path(program.name)


def claim_and_volume(
    name: str, *, namespace: str, source: dict[str, Any], labels: dict[str, str] | None = None, **annotations: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A claim of 1Gi that is bound to its own volume without a provisioner."""
    size, modes = {"storage": "1Gi"}, ["ReadWriteOnce"]
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}, "annotations": annotations},
        "spec": {
            "accessModes": modes,
            "resources": {"requests": size},
            "storageClassName": "fast",
            "volumeName": f"pv-{name}",
        },
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pv-{name}"},
        "spec": {
            "capacity": size,
            "accessModes": modes,
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "fast",
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name},
            **source,
        },
    }
    return claim, volume


def _crds(modules: Path) -> Iterator[Path]:
    """The kinds as their own module has them."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", _CLIENT_MODULE]
    found = subprocess.run(command, cwd=modules / "snapshotter", capture_output=True, check=True, text=True)
    return Path(found.stdout.strip(), "config", "crd").glob("snapshot.storage.k8s.io_*.yaml")
