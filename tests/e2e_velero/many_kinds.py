"""Objects of many kinds with running pods (many_kinds.yaml), and all that a cluster holds of them."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from e2e.node_cluster import NodeCluster, restricted_pod
from pinnace.errors import KubeError
from pinnace.kube.discovery import ApiResource, discover
from pinnace.kube.objects import Kind, Objects

__all__ = ["Document", "Key", "State", "apply", "delete", "look", "namespaces", "wait_until_settled"]

Document = dict[str, Any]
Key = tuple[str, str, str]
"""Group resource, namespace ("" for cluster-scoped kinds), name."""

State = dict[Key, Document]

_FILE = Path(__file__).with_suffix(".yaml")
_FIRST = ("Namespace", "CustomResourceDefinition")
_SECONDS = 240.0
_EVENTS_AGAIN = "events.events.k8s.io"
"""The same objects as those of the core group."""

_REPLICATED = ("deployments.apps", "replicasets.apps", "replicationcontrollers", "statefulsets.apps")


def namespaces(prefix: str) -> list[str]:
    """The namespaces that `apply` makes."""
    return [f"{prefix}-{name}" for name in ("app", "batch", "data")]


def apply(cluster: NodeCluster, prefix: str) -> None:
    """Make all of it, and wait until it has settled."""
    documents = list(yaml.safe_load_all(_text(cluster, prefix)))
    cluster.apply(*(each for each in documents if each["kind"] in _FIRST))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")
    for name in namespaces(prefix):
        cluster.make_namespace(name, restricted=name.endswith("-app"))
    cluster.apply(*(each for each in documents if each["kind"] not in _FIRST))
    # Changed once, so that there is an object of generation 2; and with a status of its own.
    for subresource, patch in (((), {"spec": {"size": 2}}), (("--subresource=status",), {"status": {"phase": "Made"}})):
        cluster.kubectl(
            "patch", f"widgets.{prefix}.example.com", "small", f"--namespace={prefix}-app", "--type=merge",
            f"--patch={json.dumps(patch)}", *subresource,
        )  # fmt: skip
    wait_until_settled(cluster, prefix)


def delete(cluster: NodeCluster, prefix: str) -> None:
    """Remove all of it, and wait until it is gone."""
    cluster_scoped = {key: item for key, item in look(cluster, prefix).items() if not key[1]}
    cluster.kubectl("delete", "namespaces", *namespaces(prefix), "--timeout=180s")
    for (group_resource, _, name), item in cluster_scoped.items():
        kind = Kind(item["apiVersion"], group_resource.split(".")[0])
        Objects(cluster.client, kind).delete(name)
    _wait(lambda: sorted(look(cluster, prefix)))


def look(cluster: NodeCluster, prefix: str) -> State:
    """Every object of every kind that is in its namespaces, or has its prefix in the name."""
    found: State = {}
    for resource in cluster.patiently(lambda: discover(cluster.client)).resources:
        if resource.group_resource != _EVENTS_AGAIN:
            found.update(_of_kind(cluster, resource, prefix))
    return found


def wait_until_settled(cluster: NodeCluster, prefix: str) -> None:
    """Until every controller has what it wants."""
    _wait(lambda: ["/".join(key) for key, item in look(cluster, prefix).items() if not _is_settled(key[0], item)])


def _is_settled(kind: str, item: Document) -> bool:
    status = item.get("status") or {}
    if kind in _REPLICATED:
        return bool(item["spec"]["replicas"] == status.get("availableReplicas", 0))
    match kind:
        case "pods" if status.get("phase") not in ("Succeeded", "Failed"):
            return all(one["ready"] for one in status.get("containerStatuses") or [{"ready": False}])
        case "jobs.batch":
            return bool(item["spec"].get("suspend") or status.get("ready") or status.get("completionTime"))
        case "daemonsets.apps":
            return bool(status.get("numberAvailable"))
        case "horizontalpodautoscalers.autoscaling":
            return len(status.get("conditions") or ()) > 1
        case "clusterroles.rbac.authorization.k8s.io":
            return bool(item["rules"])
    return True


def _wait(unsettled: Callable[[], Sequence[object]]) -> None:
    """Until nothing is left, twice in a row: one controller's last write may be another's cue."""
    deadline = time.monotonic() + _SECONDS
    quiet = 0
    while quiet < 2:
        left = unsettled()
        quiet = 0 if left else quiet + 1
        assert time.monotonic() < deadline, left
        time.sleep(0.5)


def _of_kind(cluster: NodeCluster, resource: ApiResource, prefix: str) -> State:
    try:
        items = cluster.patiently(lambda: cluster.client.get(resource.path()))["items"]
    except KubeError as error:
        if error.status == 404:  # its definition went between
            return {}
        raise
    found: State = {}
    for item in items:
        namespace, name = item["metadata"].get("namespace", ""), item["metadata"]["name"]
        if namespace in namespaces(prefix) if namespace else prefix in name:
            document = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
            found[resource.group_resource, namespace, name] = document
    return found


def _text(cluster: NodeCluster, prefix: str) -> str:
    def pod(command: list[str], **spec: Any) -> Document:
        always = {"restartPolicy": "Always", "terminationGracePeriodSeconds": 0}
        return restricted_pod(cluster.image, command=command, memory="16Mi", **{**always, **spec})

    lasting = ["sleep", "36000"]
    database = pod(lasting)
    database["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    web = pod(
        lasting,
        priorityClassName=f"{prefix}-critical",
        serviceAccountName="web",
        volumes=[
            {"name": "work", "emptyDir": {"sizeLimit": "100Mi"}},
            {"name": "secret", "secret": {"secretName": "binary", "defaultMode": 0o444}},
        ],
    )
    web["containers"][0]["envFrom"] = [{"configMapRef": {"name": "fixed"}}]
    web["containers"][0]["volumeMounts"] = [
        {"name": "work", "mountPath": "/work"},
        {"name": "secret", "mountPath": "/secret"},
    ]
    pods = {
        "WEB_POD": web,
        "DB_POD": database,
        "LASTING_POD": pod(lasting),
        "LONG_POD": pod(lasting, restartPolicy="Never"),
        "SHORT_POD": pod(["true"], restartPolicy="Never"),
    }
    text = _FILE.read_text().replace("FOLDER", str(cluster.cluster.folder / "volumes" / prefix))
    for token, spec in pods.items():
        text = text.replace(f" {token}", f" {json.dumps(spec)}")
    return text.replace("PREFIX", prefix)
