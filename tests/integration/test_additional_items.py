"""What a backup of one namespace pulls in from a real API server: at the backup's revision, by lists of one name."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import pinnace
from integration.cluster_fixtures import TestedCluster

_NAMESPACE = "pulling"


def documents() -> list[dict[str, Any]]:
    """A namespace whose items name others outside; nothing runs, because the cluster has no node."""
    inside = {"namespace": _NAMESPACE}
    account = {"kind": "ServiceAccount", "name": "web", "namespace": _NAMESPACE}
    claim = {"claimName": "data"}
    roles = "rbac.authorization.k8s.io/v1"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}},
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "pulled-in"},
            "value": 7,
        },
        {"apiVersion": roles, "kind": "ClusterRole", "metadata": {"name": "pulled:in"}, "rules": []},
        {
            "apiVersion": roles,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "pulled:in,too=yes"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "pulled:in"},
            "subjects": [account],
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "pulled-in"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Mi"},
                "hostPath": {"path": "/nowhere"},
                "storageClassName": "by-hand",
                "claimRef": {"namespace": _NAMESPACE, "name": "data"},
            },
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", **inside}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", **inside},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Mi"}},
                "storageClassName": "by-hand",
                "volumeName": "pulled-in",
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "labels": {"app": "pulling"}, **inside},
            "spec": {
                "serviceAccountName": "web",
                "priorityClassName": "pulled-in",
                "volumes": [{"name": "data", "persistentVolumeClaim": claim}],
                "containers": [{"name": "c", "image": "registry.example.com/c:1"}],
            },
        },
        {
            "apiVersion": "shop.example.com/v1",
            "kind": "Widget",
            "metadata": {"name": "gig", **inside},
            "spec": {"size": 1},
        },
    ]


@pytest.fixture
def pulling(local_cluster: TestedCluster) -> Iterator[TestedCluster]:
    """The claim is bound by hand where no controller does it; the namespace stays, as its deletion would never end."""
    wanted = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents()})
    local_cluster.kubectl("apply", "-f", "-", standard_input=wanted)
    bound = json.dumps({"status": {"phase": "Bound"}})
    arguments = ("patch", "pvc", "data", f"--namespace={_NAMESPACE}", "--subresource=status", "--type=merge")
    local_cluster.kubectl(*arguments, "-p", bound)
    try:
        yield local_cluster
    finally:
        local_cluster.kubectl("delete", "pods", "--all", "--namespace", _NAMESPACE, "--force", "--timeout=60s")


def contents(cluster: TestedCluster, store: Path, name: str, *flags: str) -> list[str]:
    arguments = ("--store", str(store), "--kubeconfig", str(cluster.kubeconfig))
    run = pinnace("backup", "run", name, "--include-namespaces", _NAMESPACE, *flags, *arguments)
    assert run.returncode in (0, 4), run.stderr
    assert pinnace("backup", "verify", name, "--store", str(store)).returncode == 0
    return pinnace("backup", "contents", name, "--store", str(store)).stdout.split()


def test_a_namespace_brings_what_its_items_need_at_one_revision(pulling: TestedCluster, tmp_path: Path) -> None:
    found = contents(pulling, tmp_path, "whole")
    outside = [name for name in found if f"/{_NAMESPACE}" not in name]
    assert sorted(outside) == [
        "clusterrolebindings.rbac.authorization.k8s.io/pulled:in,too=yes",
        "clusterroles.rbac.authorization.k8s.io/pulled:in",
        "customresourcedefinitions.apiextensions.k8s.io/widgets.shop.example.com",
        "persistentvolumes/pulled-in",
        "priorityclasses.scheduling.k8s.io/pulled-in",
    ]
    for first, then in (
        ("persistentvolumes/pulled-in", f"persistentvolumeclaims/{_NAMESPACE}/data"),
        ("priorityclasses.scheduling.k8s.io/pulled-in", f"pods/{_NAMESPACE}/web"),
        ("clusterroles.rbac.authorization.k8s.io/pulled:in", f"serviceaccounts/{_NAMESPACE}/web"),
    ):
        assert found.index(first) < found.index(then)
    folder = tmp_path / "backups" / "whole"
    results = json.loads(gzip.decompress((folder / "whole-results.gz").read_bytes()))
    assert not [text for texts in results["warnings"].values() for text in texts if "newest" in text]


_VOLUME = "persistentvolumes/pulled-in"
_CLASS = "priorityclasses.scheduling.k8s.io/pulled-in"
_BINDING = "clusterrolebindings.rbac.authorization.k8s.io/pulled:in,too=yes"
_ROLE = "clusterroles.rbac.authorization.k8s.io/pulled:in"
_DEFINITION = "customresourcedefinitions.apiextensions.k8s.io/widgets.shop.example.com"


@pytest.mark.parametrize(
    ("flags", "velero_1_9", "velero_1_18"),
    [
        ((), {_VOLUME, _BINDING, _ROLE, _DEFINITION}, {_VOLUME, _BINDING, _ROLE, _DEFINITION, _CLASS}),
        (("--include-resources=pods,pvc,sa,widgets",), set(), set()),
        (("--include-resources=pods,pvc,pv",), {_VOLUME}, {_VOLUME}),
        (("--include-cluster-resources=false",), set(), set()),
        (
            ("--exclude-resources=persistentvolumes,clusterroles.rbac.authorization.k8s.io",),
            {_BINDING, _DEFINITION},
            {_BINDING, _DEFINITION, _CLASS},
        ),
        (("--exclude-resources=crd,serviceaccounts",), {_VOLUME}, {_VOLUME, _CLASS}),
        # The scoped filters are of 1.11.
        (("--include-namespace-scoped-resources=pods,pvc",), None, {_VOLUME, _CLASS}),
        (("--include-namespace-scoped-resources=widgets,serviceaccounts",), None, {_DEFINITION, _BINDING, _ROLE}),
        (("--exclude-cluster-scoped-resources=*",), None, set()),
        (("--exclude-cluster-scoped-resources=persistentvolumes",), None, {_CLASS, _BINDING, _ROLE, _DEFINITION}),
        (("--selector=app=pulling",), {_VOLUME}, {_VOLUME, _CLASS}),
    ],
)
def test_exactly_what_velero_takes_comes_along_and_where_its_versions_differ_it_is_1_18_and_written_down(
    pulling: TestedCluster, tmp_path: Path, flags: tuple[str, ...], velero_1_9: set[str] | None, velero_1_18: set[str]
) -> None:
    found = contents(pulling, tmp_path, "some", *flags)
    assert {name for name in found if f"/{_NAMESPACE}" not in name} == velero_1_18
    # The one difference in what is taken here is the priority class; docs/compatibility.md says which is chosen.
    assert velero_1_9 is None or velero_1_18 - velero_1_9 <= {_CLASS}
    written = Path(__file__).parents[2].joinpath("docs", "compatibility.md").read_text()
    assert "| the PriorityClass of a pod | taken, as 1.18 does; 1.9 does not |" in written


def test_a_selector_does_not_hold_for_what_is_pulled_in(pulling: TestedCluster, tmp_path: Path) -> None:
    found = contents(pulling, tmp_path, "labelled", "--selector", "app=pulling")
    assert found == [
        "persistentvolumes/pulled-in",
        f"persistentvolumeclaims/{_NAMESPACE}/data",
        "priorityclasses.scheduling.k8s.io/pulled-in",
        f"pods/{_NAMESPACE}/web",
        f"namespaces/{_NAMESPACE}",
    ]


def test_a_plan_has_the_lists_of_the_backup_and_writes_nothing(pulling: TestedCluster) -> None:
    flags = ("--include-namespaces", _NAMESPACE, "--include-namespace-scoped-resources", "pods,pvc,widgets,secrets")
    planned = pinnace("backup", "plan", *flags, "--output", "json", "--kubeconfig", str(pulling.kubeconfig))
    document = json.loads(planned.stdout)
    kinds = {kind["groupResource"]: kind["items"] for kind in document["kinds"]}
    assert kinds == {"pods": 1, "persistentvolumeclaims": 1, "widgets.shop.example.com": 1}
    assert (document["namespaces"], document["items"]) == ([_NAMESPACE], 3)
    reasons = {kind["groupResource"]: kind["reason"] for kind in document["skipped"]}
    assert reasons["configmaps"] == "includedNamespaceScopedResources does not name it"
