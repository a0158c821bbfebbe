"""The CRDs of k8s/crds on a real API server, and a namespace to make their items in."""

import json
import time
from pathlib import Path
from typing import Any

from integration.cluster_fixtures import TestedCluster
from pinnace.errors import ClusterError

__all__ = ["CRDS", "apply_crds", "make_backup", "make_namespace"]

CRDS = Path(__file__).parents[2] / "k8s" / "crds"
_ESTABLISHED_SECONDS = 60.0
_NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: "


def apply_crds(cluster: TestedCluster) -> None:
    """Apply them as users do, and wait until they are served; again changes nothing."""
    cluster.kubectl("apply", "--server-side", "-k", str(CRDS))
    names = {f"{path.stem}.velero.io" for path in CRDS.glob("*.yaml") if path.stem != "kustomization"}
    deadline = time.monotonic() + _ESTABLISHED_SECONDS
    while missing := names - _established(cluster):
        assert time.monotonic() < deadline, f"not Established: {missing}"
        time.sleep(0.1)
    while not _is_listed(cluster, names):
        assert time.monotonic() < deadline, "not all are listed"
        time.sleep(0.1)


def _established(cluster: TestedCluster) -> set[str]:
    """Names of the CRDs that are served; `kubectl wait` fails on one that has no conditions yet."""
    crds = json.loads(cluster.kubectl("get", "crds", "-ojson"))["items"]
    wanted = ("Established", "True")
    return {
        crd["metadata"]["name"]
        for crd in crds
        if any((c["type"], c["status"]) == wanted for c in crd.get("status", {}).get("conditions") or [])
    }


def _is_listed(cluster: TestedCluster, names: set[str]) -> bool:
    """Whether each kind answers: one that is Established a moment ago may say that its storage is being initialized."""
    try:
        cluster.kubectl("get", ",".join(sorted(names)), "--all-namespaces", "-oname")
    except ClusterError:
        return False
    return True


def make_backup(cluster: TestedCluster, name: str, *, namespace: str) -> dict[str, Any]:
    """Make a Backup that nothing works on; a Job whose owner is not there would be deleted by the garbage collector."""
    metadata = {"name": name, "namespace": namespace}
    document = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata}
    made: dict[str, Any] = json.loads(
        cluster.kubectl("create", "-f", "-", "-o", "json", standard_input=json.dumps(document))
    )
    return made


def make_namespace(cluster: TestedCluster, name: str) -> str:
    """Make a namespace, or find it; none is deleted, since the samples' broken API keeps every deletion waiting."""
    cluster.kubectl("apply", "--server-side", "-f-", standard_input=f"{_NAMESPACE}{{name: {name}}}")
    return name
