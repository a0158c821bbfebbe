"""Hooks run in the containers of a real kubelet: what fails, hangs or ends well has the effect that Velero gives it."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import pinnace
from e2e.installation import Installation
from e2e.node_cluster import Document, NodeCluster, restricted_pod
from pinnace.kube.kinds import PODS

pytestmark = pytest.mark.usefixtures("credentials")

_NAMESPACE = "hooked"
_ANNOTATIONS = {
    "pre.hook.backup.velero.io/command": '["sh", "-c", "echo frozen > /work/state"]',
    "pre.hook.backup.velero.io/on-error": "Fail",
    "post.hook.backup.velero.io/command": '["sh", "-c", "echo it was $(cat /work/state) in $ROLE"]',
    "post.hook.backup.velero.io/container": "side",
}


def hook(script: str, **others: str) -> Document:
    return {"exec": {"command": ["sh", "-c", script], **others}}


def entry(name: str, **hooks: list[Document]) -> Document:
    return {"name": name, "includedNamespaces": [_NAMESPACE], "labelSelector": {"matchLabels": {name: "yes"}}, **hooks}


_HOOKS = [
    entry(
        "fails",
        pre=[hook("echo broken >&2; exit 3", onError="Fail"), hook("echo never")],
        post=[hook("echo never")],
    ),
    entry("goes-on", pre=[hook("exit 4", onError="Continue"), hook("echo after that", onError="Continue")]),
    entry("hangs", pre=[hook("echo waiting; sleep 600", onError="Continue", timeout="1s")]),
    entry(
        "second",
        pre=[hook('echo "in $ROLE"; echo frozen > /work/state', container="side", onError="Fail")],
        post=[hook("echo post in $ROLE, $(cat /work/state)"), hook("exit 5", onError="Fail"), hook("echo never")],
    ),
]


def pod(image: str, name: str, *labels: str, annotations: dict[str, str] | None = None) -> Document:
    """Two containers that only wait, and share a folder."""
    spec = restricted_pod(image, command=["sleep", "3600"], memory="32Mi", terminationGracePeriodSeconds=0)
    spec["securityContext"]["runAsUser"] = 65532
    [main] = spec["containers"]
    main["volumeMounts"] = [{"name": "work", "mountPath": "/work"}]
    spec["containers"] = [{**main, "name": role, "env": [{"name": "ROLE", "value": role}]} for role in ("main", "side")]
    spec["volumes"] = [{"name": "work", "emptyDir": {}}]
    metadata = {
        "name": name,
        "namespace": _NAMESPACE,
        "labels": dict.fromkeys(labels, "yes"),
        "annotations": annotations or {},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def hooked_pods(node_cluster: NodeCluster) -> Iterator[NodeCluster]:
    node_cluster.make_namespace(_NAMESPACE)
    image = node_cluster.image
    node_cluster.apply(
        pod(image, "annotated", annotations=_ANNOTATIONS),
        pod(image, "broken", "fails"),
        pod(image, "whole", "goes-on", "hangs", "second"),
    )
    for name in ("annotated", "broken", "whole"):
        node_cluster.wait_for(
            PODS, name, namespace=_NAMESPACE, what="to run",
            until=lambda found: all(one["ready"] for one in found["status"].get("containerStatuses") or [{"ready": 0}]),
        )  # fmt: skip
    yield node_cluster
    # Waited for: they would be errors of the next backup of everything.
    node_cluster.kubectl("delete", "pods", "--all", f"--namespace={_NAMESPACE}", "--timeout=60s")
    node_cluster.kubectl("delete", "namespace", _NAMESPACE, "--wait=false")


def said(log: str) -> list[tuple[str, str, str, str]]:
    """Pod, hook, phase and what came of it, of each line of the log about a hook."""
    fields = [
        dict(re.findall(r'(\S+?)=("(?:[^"\\]|\\.)*"|\S+)', line)) for line in log.splitlines() if "hookName" in line
    ]
    return [
        (line["name"], line["hookName"].strip('"'), line["hookPhase"], line["msg"].strip('"'))
        for line in fields
        if line["msg"] not in ('"Running the hook"', '"stdout: "', '"stderr: "')
    ]


def test_hooks_of_the_spec_run_in_a_job_that_may_exec(hooked_pods: NodeCluster, installation: Installation) -> None:
    installation.create(
        "hooked", includedNamespaces=[_NAMESPACE], includedResources=["pods"], hooks={"resources": _HOOKS}
    )
    status = installation.wait("hooked")["status"]
    log = installation.log_of("hooked")
    assert said(log) == [
        ("annotated", "<from-annotation>", "pre", "Hook was not run"),
        ("annotated", "<from-annotation>", "post", "Hook was not run"),
        ("broken", "fails", "pre", "stderr: broken"),
        ("broken", "fails", "pre", "Error executing hook"),
        ("whole", "goes-on", "pre", "Error executing hook"),
        ("whole", "goes-on", "pre", "stdout: after that"),
        ("whole", "hangs", "pre", "stdout: waiting"),
        ("whole", "hangs", "pre", "Error executing hook"),
        ("whole", "second", "pre", "stdout: in side"),
        ("whole", "second", "post", "stdout: post in main, frozen"),
        ("whole", "second", "post", "Error executing hook"),
    ]
    for error in ("command terminated with exit code 3", "command terminated with exit code 4", "timed out after 1s"):
        assert error in log
    # Two that may not run, four that failed, and what onError Fail cost before and after.
    assert (status["phase"], status["errors"]) == ("PartiallyFailed", 8)
    assert status["hookStatus"] == {"hooksAttempted": 7, "hooksFailed": 4}
    contents = pinnace("backup", "contents", "hooked", "--store", installation.store_url).stdout.split()
    assert contents == [f"pods/{_NAMESPACE}/annotated", f"pods/{_NAMESPACE}/whole"]
    [job_pod] = installation.pods_of("hooked")
    assert job_pod["spec"]["serviceAccountName"] == "pinnace-backup-hooks"


def test_hooks_of_annotations_run_with_the_rights_of_who_runs_the_command(
    hooked_pods: NodeCluster, tmp_path: Path
) -> None:
    filters = ("--include-namespaces", _NAMESPACE, "--include-resources", "pods")
    run = pinnace(
        "backup", "run", "local", *filters, "--store", str(tmp_path), "--kubeconfig", str(hooked_pods.kubeconfig)
    )
    assert (run.returncode, run.stderr.count("error")) == (0, 0), run.stderr
    folder = tmp_path / "backups" / "local"
    log = gzip.decompress((folder / "local-logs.gz").read_bytes()).decode()
    assert said(log) == [("annotated", "<from-annotation>", "post", "stdout: it was frozen in side")]
    status: dict[str, Any] = json.loads((folder / "velero-backup.json").read_text())["status"]
    assert (status["phase"], status["hookStatus"]) == ("Completed", {"hooksAttempted": 2})
