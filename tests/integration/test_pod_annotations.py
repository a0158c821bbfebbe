"""Pods of a real server whose annotations ask for hooks or volumes are stored, and named in the results."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import pinnace
from integration.cluster_fixtures import TestedCluster
from pinnace.velero.pod_annotations import UNMET_REQUESTS

_NAMESPACE = "asking"
_PODS: dict[str, dict[str, str]] = {
    "excluding": {"backup.velero.io/backup-volumes-excludes": "tmp"},
    "hooked": {"pre.hook.backup.velero.io/command": '["sync"]', "post.hook.backup.velero.io/command": "sync"},
    "legacy": {"hook.backup.velero.io/command": "sync"},
    "plain": {},
    "volumes": {"backup.velero.io/backup-volumes": "data,logs"},
}


def pod(name: str, *, annotations: dict[str, str]) -> dict[str, Any]:
    """It stays Pending, because the cluster has no node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": _NAMESPACE, "annotations": annotations},
        "spec": {"serviceAccountName": "asking", "containers": [{"name": "c", "image": "registry.example.com/c:1"}]},
    }


@pytest.fixture
def asking_pods(local_cluster: TestedCluster) -> Iterator[None]:
    """They have a service account of their own, so that nothing waits for the one that a controller makes.

    The namespace stays: its deletion would never end, because the samples have a broken aggregated API.
    """
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "asking", "namespace": _NAMESPACE}}
    pods = [pod(name, annotations=annotations) for name, annotations in _PODS.items()]
    wanted = json.dumps({"apiVersion": "v1", "kind": "List", "items": [namespace, account, *pods]})
    local_cluster.kubectl("apply", "-f", "-", standard_input=wanted)
    try:
        yield
    finally:
        local_cluster.kubectl("delete", "pods", "--all", "--namespace", _NAMESPACE, "--timeout=60s")


@pytest.mark.usefixtures("asking_pods")
def test_the_results_name_each_pod_that_asks_for_what_is_not_done(local_cluster: TestedCluster, tmp_path: Path) -> None:
    filters = ("--include-namespaces", _NAMESPACE, "--include-resources", "pods")
    arguments = ("--store", str(tmp_path), "--kubeconfig", str(local_cluster.kubeconfig))
    run = pinnace("backup", "run", "asking", *filters, *arguments)
    assert run.returncode == 4, run.stderr
    results = json.loads(gzip.decompress(Path(tmp_path, "backups", "asking", "asking-results.gz").read_bytes()))
    expected = [
        f" resource: /pods name: /{name} message: /{UNMET_REQUESTS[annotation]}"
        for name, annotations in _PODS.items()
        for annotation in annotations
        if not annotation.endswith("-excludes")
    ]
    assert results["errors"]["namespaces"] == {_NAMESPACE: expected}
    assert all(f"{name}  " in run.stderr for name in ("hooked", "legacy", "volumes"))
    stored = pinnace("backup", "contents", "asking", "--store", str(tmp_path)).stdout.split()
    assert stored == [f"pods/{_NAMESPACE}/{name}" for name in _PODS]
