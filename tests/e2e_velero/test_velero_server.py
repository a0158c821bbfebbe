"""The real Velero server on a bucket that we have written to: it shows, serves and restores our backup."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from e2e_velero.velero_program import Velero, served
from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Stage, phase
from pinnace.kube.kinds import BACKUPS
from pinnace.velero.label import EXCLUDE_FROM_BACKUP_LABEL

pytestmark = pytest.mark.usefixtures("credentials")

_NAMESPACE = "velero-server"
_SECONDS = 120.0
_KINDS = (
    "configmaps", "secrets", "serviceaccounts", "services", "limitranges", "resourcequotas", "deployments.apps",
    "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io", "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io", "poddisruptionbudgets.policy", "horizontalpodautoscalers.autoscaling",
)  # fmt: skip
"""What controllers do not make by themselves, or make again under the same name."""

_MADE_BY_VELERO = ("velero.io/backup-name", "velero.io/restore-name")


@pytest.fixture(scope="module")
def server(stage: Stage, velero: Velero, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Velero]:
    """The CLI of a namespace with a real server, and with a location on the prefix into which our dispatcher writes."""
    folder = tmp_path_factory.mktemp("server")
    other = Stage(stage.kubeconfig, _NAMESPACE, folder, stage.s3_url, stage.bucket, stage.credentials)
    with served(velero, other, locations={"default": f"{stage.namespace}/default"}) as command:
        yield command


@pytest.fixture(scope="module")
def synced(server: Velero, stage: Stage, velero: Velero) -> str:
    """A backup of ours that the server has found in the bucket."""
    stage.wait(lambda: phase(stage.location("default")) == "Available")
    velero.run("backup", "create", "ours", "--include-namespaces", "shop", "--wait")
    copies = Stage(stage.kubeconfig, _NAMESPACE, stage.folder, stage.s3_url, stage.bucket, stage.credentials)
    copies.wait(lambda: copies.objects(BACKUPS).get("ours"), seconds=_SECONDS)
    return "ours"


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_it_describes_our_backup_as_our_dispatcher_does(server: Velero, velero: Velero, synced: str) -> None:
    theirs, ours = (lines_of(each.run("backup", "describe", synced, "--details")) for each in (server, velero))
    different = [(line, other) for line, other in zip(theirs, ours, strict=True) if line != other]
    assert different == [(f"Namespace:    {_NAMESPACE}", f"Namespace:    {velero.namespace}")]


def test_it_serves_log_and_archive(server: Velero, velero: Velero, synced: str) -> None:
    assert server.run("backup", "logs", synced) == velero.run("backup", "logs", synced)
    for each, name in ((server, "theirs"), (velero, "ours")):
        each.run("backup", "download", synced, "--output", f"{name}.tar.gz")
    assert (velero.home / "theirs.tar.gz").read_bytes() == (velero.home / "ours.tar.gz").read_bytes()


def test_it_restores_every_object(server: Velero, local_cluster: TestedCluster, synced: str) -> None:
    """Into another namespace, since the samples' broken API keeps every deletion of a namespace waiting."""
    printed = server.run(
        "restore", "create", "back", "--from-backup", synced, "--namespace-mappings", "shop:shop-restored", "--wait"
    )  # fmt: skip
    assert "Restore completed with status: Completed" in printed, server.run("restore", "describe", "back", "--details")
    before, after = (found(local_cluster, namespace) for namespace in ("shop", "shop-restored"))
    assert len(before) > len(_KINDS)
    assert sorted(after) == sorted(before)
    different = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    assert not different, json.dumps(different, indent=1)


def found(cluster: TestedCluster, namespace: str) -> dict[str, Any]:
    """What is in a namespace and belongs into a backup, without what a restore and the API server change."""
    printed = cluster.kubectl("get", ",".join(_KINDS), f"--namespace={namespace}", "--output=json")
    items = json.loads(printed)["items"]
    return {
        f"{item['kind']}/{item['metadata']['name']}": kept(item)
        for item in items
        if EXCLUDE_FROM_BACKUP_LABEL not in (item["metadata"].get("labels") or {})
    }


def kept(item: Mapping[str, Any]) -> Any:
    metadata = {key: item["metadata"].get(key) or {} for key in ("labels", "annotations")}
    metadata["labels"] = {key: value for key, value in metadata["labels"].items() if key not in _MADE_BY_VELERO}
    metadata["annotations"].pop("deployment.kubernetes.io/revision", None)
    fields = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    if item.get("type") == "kubernetes.io/service-account-token":
        metadata["annotations"].pop("kubernetes.io/service-account.uid", None)
        fields["data"].pop("token", None)  # a new account has a new token
    if item["kind"] == "Service":
        for name in ("clusterIP", "clusterIPs"):
            fields["spec"].pop(name, None)
        for port in fields["spec"].get("ports", ()):
            port.pop("nodePort", None)
    return json.loads(json.dumps({"metadata": metadata, **fields}).replace("shop-restored", "shop"))
