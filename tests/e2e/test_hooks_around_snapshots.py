"""A pod that is frozen while its volume is snapshotted: hooks, Job, rights and snapshot controller are the real ones.

The sidecar of the CSI driver is a fake (`FakeCsiDriver`). So is nothing else: no kubelet mounts a volume of such a
driver, so the pod names the claim among its volumes, which is what counts, and no container mounts it.
"""

import re
from collections.abc import Iterator

import pytest

from command import pinnace
from e2e.installation import Installation
from e2e.node_cluster import Document, NodeCluster, restricted_pod
from integration.snapshot_cluster import FakeCsiDriver, claim_and_volume, snapshots_served
from pinnace.kube.kinds import PODS, VOLUME_SNAPSHOT_CLASSES, VOLUME_SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS
from pinnace.kube.objects import Kind, Objects

pytestmark = pytest.mark.usefixtures("credentials")

_NAMESPACE = "frozen"
_DRIVER = "frozen.example"
_CLAIMS = Kind("v1", "persistentvolumeclaims")
_SNAPSHOTS = "/apis/snapshot.storage.k8s.io/v1"
_LOOK = f"""
import json, os, ssl, urllib.request
account = "/var/run/secrets/kubernetes.io/serviceaccount/"
trust = ssl.create_default_context(cafile=account + "ca.crt")
login = {{"Authorization": "Bearer " + open(account + "token").read()}}
server = "https://{{KUBERNETES_SERVICE_HOST}}:{{KUBERNETES_SERVICE_PORT}}".format(**os.environ)
def look(path):
    request = urllib.request.Request(server + "{_SNAPSHOTS}" + path, headers=login)
    return json.load(urllib.request.urlopen(request, context=trust, timeout=50))["items"]
snapshots = look("/namespaces/{_NAMESPACE}/volumesnapshots")
handles = [content.get("status", {{}}).get("snapshotHandle") for content in look("/volumesnapshotcontents")]
"""
"""What a hook sees of the cluster at its moment: that is the proof of the order, and needs no clock."""

_PRE = _LOOK + 'open("/work/state", "w").write("frozen"); print("pre:", len(snapshots), handles)'
_POST = _LOOK + 'print("post:", open("/work/state").read(), len(snapshots), handles)'


def hooked_pod(image: str) -> Document:
    spec = restricted_pod(image, command=["sleep", "3600"], memory="64Mi", terminationGracePeriodSeconds=0)
    spec["volumes"] = [
        {"name": "work", "emptyDir": {}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
    ]
    [main] = spec["containers"]
    main["volumeMounts"] = [{"name": "work", "mountPath": "/work"}]
    metadata = {"name": "db", "namespace": _NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def world(image: str) -> Iterator[Document]:
    """The pod with its claim, and its right to see snapshots."""
    rights = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": _NAMESPACE}}
    kinds = ["volumesnapshots", "volumesnapshotcontents"]
    rules = [{"apiGroups": ["snapshot.storage.k8s.io"], "resources": kinds, "verbs": ["list"]}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _NAMESPACE}
    account = {"kind": "ServiceAccount", "name": "default", "namespace": _NAMESPACE}
    yield {**rights, "kind": "ClusterRole", "rules": rules}
    yield {**rights, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [account]}
    driver = {"attachRequired": False}
    yield {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": _DRIVER}, "spec": driver}
    yield {
        "apiVersion": VOLUME_SNAPSHOT_CLASSES.api_version,
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": _NAMESPACE},
        "driver": _DRIVER,
        "deletionPolicy": "Delete",
    }
    source = {"csi": {"driver": _DRIVER, "volumeHandle": "v-data"}}
    yield from claim_and_volume("data", namespace=_NAMESPACE, source=source)
    yield hooked_pod(image)


@pytest.fixture(scope="module")
def driver(node_cluster: NodeCluster) -> Iterator[FakeCsiDriver]:
    """The pod runs, its claim is bound, snapshots can be taken; afterwards the cluster has no such kinds again."""
    with snapshots_served(node_cluster.cluster, driver=_DRIVER, restore_bytes=1 << 30) as served:
        node_cluster.make_namespace(_NAMESPACE)
        made = list(world(node_cluster.image))
        node_cluster.apply(*made)
        node_cluster.wait_for(
            _CLAIMS, "data", namespace=_NAMESPACE, what="to be bound", timeout_seconds=120,
            until=lambda claim: (claim.get("status") or {}).get("phase") == "Bound",
        )  # fmt: skip
        node_cluster.wait_for(
            PODS, "db", namespace=_NAMESPACE, what="to run", timeout_seconds=120,
            until=lambda pod: all(one["ready"] for one in pod["status"].get("containerStatuses") or [{"ready": False}]),
        )  # fmt: skip
        yield served
        # The pod first, since a claim that is in use stays; and waited for, as the next backup of everything wants it.
        node_cluster.kubectl("delete", "pods", "--all", f"--namespace={_NAMESPACE}", "--timeout=120s")
        node_cluster.kubectl("delete", "namespace", _NAMESPACE, "--timeout=120s")
        for kind, name in (("pv", "pv-data"), ("csidriver", _DRIVER)):
            node_cluster.kubectl("delete", kind, name, "--timeout=120s")
        node_cluster.kubectl("delete", "clusterrole,clusterrolebinding", _NAMESPACE)
    crds = node_cluster.kubectl("get", "crds", "--output=name").split()
    node_cluster.kubectl("delete", *(crd for crd in crds if "snapshot.storage.k8s.io" in crd), "--timeout=120s")


def hook(script: str) -> Document:
    return {"exec": {"command": ["python", "-c", script], "onError": "Fail", "timeout": "2m"}}


def snapshots_in(installation: Installation) -> list[Document]:
    return Objects(installation.cluster.client, VOLUME_SNAPSHOTS, namespace=_NAMESPACE).list()


def assert_snapshot_is_stored(installation: Installation, driver: FakeCsiDriver, name: str) -> None:
    """Proven, with claim, snapshot, content and class; kept by the storage, and gone from the cluster."""
    verified = pinnace("backup", "verify", name, "--store", installation.store_url)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    contents = pinnace("backup", "contents", name, "--store", installation.store_url).stdout.split()
    kinds = [item.split("/")[0] for item in contents if "snapshot.storage.k8s.io/" in item]
    assert sorted(kinds) == [
        f"{plural}.snapshot.storage.k8s.io"
        for plural in ("volumesnapshotclasses", "volumesnapshotcontents", "volumesnapshots")
    ]
    assert {f"persistentvolumeclaims/{_NAMESPACE}/data", f"pods/{_NAMESPACE}/db"} <= set(contents)
    assert driver.deleted == set()
    assert snapshots_in(installation) == []
    assert Objects(installation.cluster.client, VOLUME_SNAPSHOT_CONTENTS).list() == []


def test_the_volume_is_snapshotted_between_the_hooks_of_its_pod(
    installation: Installation, driver: FakeCsiDriver
) -> None:
    driver.is_busy.set()
    frozen = {"name": "frozen", "includedNamespaces": [_NAMESPACE], "pre": [hook(_PRE)], "post": [hook(_POST)]}
    installation.create("frozen", includedNamespaces=[_NAMESPACE], hooks={"resources": [frozen]})
    installation.wait("frozen", until=lambda _: bool(snapshots_in(installation)), timeout_seconds=300)
    state = installation.cluster.kubectl("exec", "db", f"--namespace={_NAMESPACE}", "--", "cat", "/work/state")
    driver.is_busy.clear()
    status = installation.wait("frozen", timeout_seconds=300)["status"]
    log = installation.log_of("frozen")
    assert status["phase"] == "Completed", log
    assert state == "frozen"
    # At the pre hook there was no snapshot; at the post hook the storage had it.
    said = re.findall(r'msg="stdout: (.*?)"', log)
    assert said == ["pre: 0 []", "post: frozen 1 ['snap-of-v-data']"]
    assert status["hookStatus"] == {"hooksAttempted": 2}
    assert (status["csiVolumeSnapshotsAttempted"], status["csiVolumeSnapshotsCompleted"]) == (1, 1)
    [pod] = installation.pods_of("frozen")
    assert pod["spec"]["serviceAccountName"] == "pinnace-backup-hooks-snapshots"
    assert_snapshot_is_stored(installation, driver, "frozen")


def test_without_hooks_a_job_that_may_only_take_snapshots_takes_it(
    installation: Installation, driver: FakeCsiDriver
) -> None:
    installation.create("unfrozen", includedNamespaces=[_NAMESPACE])
    status = installation.wait("unfrozen", timeout_seconds=300)["status"]
    assert status["phase"] == "Completed", installation.log_of("unfrozen")
    assert (status["csiVolumeSnapshotsCompleted"], status.get("hookStatus") or {}) == (1, {})
    [pod] = installation.pods_of("unfrozen")
    assert pod["spec"]["serviceAccountName"] == "pinnace-backup-snapshots"
    assert_snapshot_is_stored(installation, driver, "unfrozen")
