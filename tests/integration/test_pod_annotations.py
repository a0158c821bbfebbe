"""What pods of a real server ask for by annotation or a Backup by `spec.hooks`, where nothing can run: all is named."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import pinnace
from integration.cluster_fixtures import TestedCluster

_NAMESPACE = "asking"
_PRE, _POST, _LEGACY = (f"{phase}hook.backup.velero.io/" for phase in ("pre.", "post.", ""))
_PODS: dict[str, dict[str, str]] = {
    "excluding": {"backup.velero.io/backup-volumes-excludes": "tmp"},
    "failing": {f"{_PRE}command": "sync", f"{_PRE}on-error": "Fail", f"{_POST}command": "sync"},
    "hooked": {f"{_PRE}command": '["sync"]', f"{_POST}command": "sync", f"{_POST}container": "other"},
    "legacy": {f"{_LEGACY}command": "sync"},
    "plain": {},
    "volumes": {"backup.velero.io/backup-volumes": "data,logs"},
}
_BROKEN_API = 1
"""The error that every backup of the samples has."""

_SPEC = {
    "includedNamespaces": [_NAMESPACE],
    "includedResources": ["pods"],
    "hooks": {
        "resources": [
            {
                "name": "plain-ones",
                "includedResources": ["po"],
                "labelSelector": {"matchLabels": {"name": "plain"}},
                "pre": [{"exec": {"command": ["sync"]}}],
            },
            {"name": "others", "excludedNamespaces": [_NAMESPACE], "pre": [{"exec": {"command": ["sync"]}}]},
            {"name": "no-pods", "includedResources": ["deploy"], "pre": [{"exec": {"command": ["sync"]}}]},
        ]
    },
}


def pod(name: str, *, annotations: dict[str, str]) -> dict[str, Any]:
    """It stays Pending, because the cluster has no node."""
    metadata = {"name": name, "namespace": _NAMESPACE, "labels": {"name": name}, "annotations": annotations}
    spec = {"serviceAccountName": "asking", "containers": [{"name": "c", "image": "registry.example.com/c:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
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


def backed_up(cluster: TestedCluster, folder: Path, *arguments: str) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Pod and error of each result, and the status."""
    manifest = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "asking"}, "spec": _SPEC}
    (folder / "backup.json").write_text(json.dumps(manifest))
    where = ("--store", str(folder / "store"), "--kubeconfig", str(cluster.kubeconfig))
    run = pinnace("backup", "run", "asking", "--from-file", str(folder / "backup.json"), *where, *arguments)
    assert run.returncode == 4, run.stderr
    stored = folder / "store" / "backups" / "asking"
    results = json.loads(gzip.decompress((stored / "asking-results.gz").read_bytes()))
    assert results["warnings"] == {}
    texts = [text.removeprefix(" resource: /pods name: /") for text in results["errors"]["namespaces"][_NAMESPACE]]
    told = [tuple(text.split(" message: /")) for text in texts]
    status: dict[str, Any] = json.loads((stored / "velero-backup.json").read_text())["status"]
    return [(name, error) for name, error in told], status


def no_host(name: str, *, phase: str = "pre", hook: str = "<from-annotation>") -> tuple[str, str]:
    reason = f"exec {_NAMESPACE}/{name}: pod {name} does not have a host assigned"
    return name, f"Error executing hook error: /{phase} hook {hook}: {reason}"


@pytest.mark.usefixtures("asking_pods")
def test_each_hook_that_fails_and_each_request_that_is_not_met_is_in_the_results(
    local_cluster: TestedCluster, tmp_path: Path
) -> None:
    errors, status = backed_up(local_cluster, tmp_path)
    lost = "its pre hook <from-annotation> failed, and has onError Fail"
    no_container = 'post hook <from-annotation>: no such container: "other"'
    assert errors == [
        no_host("failing"),
        ("failing", f"Error backing up item error: /{lost}"),
        no_host("hooked"),
        ("hooked", f"Error executing hook error: /{no_container}"),
        no_host("legacy"),
        no_host("plain", hook="plain-ones"),
        ("volumes", "volumes are not backed up by this version: annotation backup.velero.io/backup-volumes"),
    ]
    assert (status["errors"] - _BROKEN_API, status["hookStatus"]) == (7, {"hooksAttempted": 5, "hooksFailed": 5})
    stored = pinnace("backup", "contents", "asking", "--store", str(tmp_path / "store")).stdout.split()
    assert stored == [f"pods/{_NAMESPACE}/{name}" for name in _PODS if name != "failing"]


@pytest.mark.usefixtures("asking_pods")
def test_hooks_that_may_not_run_are_named_and_their_pods_stored(local_cluster: TestedCluster, tmp_path: Path) -> None:
    errors, status = backed_up(local_cluster, tmp_path, "--hooks", "spec")
    annotated = [("failing", "pre"), ("failing", "post"), ("hooked", "pre"), ("hooked", "post"), ("legacy", "pre")]
    reason = "hooks of the pod's annotations are not run with --hooks spec; --hooks annotations runs it"
    text = "Hook was not run error: /{} hook <from-annotation>: " + reason
    assert errors[:5] == [(name, text.format(phase)) for name, phase in annotated]
    assert errors[5] == no_host("plain", hook="plain-ones")
    assert (status["hookStatus"], len(errors)) == ({"hooksAttempted": 1, "hooksFailed": 1}, 7)
    stored = pinnace("backup", "contents", "asking", "--store", str(tmp_path / "store")).stdout.split()
    assert stored == [f"pods/{_NAMESPACE}/{name}" for name in _PODS]
