"""CSI snapshots of a backup with the real snapshot kinds and controller: what is taken, stored, kept and removed."""

import gzip
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from command import pinnace
from integration.snapshot_cluster import SnapshotCluster, claim_and_volume, snapshot_cluster
from pinnace.backup.run import RunOptions, make
from pinnace.errors import AttemptLostError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup, BackupSpec

_DRIVER, _STUCK, _NONE = "disk.example", "stuck.example", "none.example"
_GI = 1 << 30
_CLASS = "velero.io/csi-volumesnapshot-class"
_POLICY = """
version: v1
volumePolicies:
- {conditions: {pvcLabels: {keep: "no"}}, action: {type: skip}}
- {conditions: {pvcLabels: {keep: files}}, action: {type: fs-backup}}
"""


def made_class(name: str, driver: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": name, **metadata},
        "driver": driver,
        "deletionPolicy": "Delete",
    }


def csi(driver: str, handle: str) -> dict[str, Any]:
    return {"csi": {"driver": driver, "volumeHandle": handle}}


def world() -> Iterator[dict[str, Any]]:
    for name in ("shop", "vault", "velero", "calm", "groups"):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    secret = {"name": "storage-login", "namespace": "vault"}
    yield {"apiVersion": "v1", "kind": "Secret", "metadata": secret}
    yield made_class("plain", _DRIVER)
    parameters = {f"csi.storage.k8s.io/snapshotter-secret-{key}": value for key, value in secret.items()}
    yield {**made_class("chosen", _DRIVER, labels={_CLASS: "true"}), "parameters": parameters}
    yield made_class("stuck", _STUCK)
    config_map = {"name": "policy", "namespace": "velero"}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": config_map, "data": {"policy.yaml": _POLICY}}
    for name, source, labels in (
        ("data", csi(_DRIVER, "v-data"), {"app": "db"}),
        ("logs", csi(_DRIVER, "v-logs"), {}),
        ("stuck", csi(_STUCK, "v-stuck"), {}),
        ("orphan", csi(_NONE, "v-orphan"), {}),
        ("share", {"nfs": {"server": "nfs.example", "path": "/"}}, {}),
        ("scratch", csi(_DRIVER, "v-scratch"), {"keep": "no"}),
        ("files", csi(_DRIVER, "v-files"), {"keep": "files"}),
    ):
        annotations = {_CLASS: "plain"} if name == "logs" else {}
        yield from claim_and_volume(name, namespace="shop", source=source, labels=labels, **annotations)
    yield from claim_and_volume("calm", namespace="calm", source=csi(_DRIVER, "v-calm"))
    for name, labels in (
        ("wal", {"velero.io/volume-group": "db"}),
        ("rows", {"velero.io/volume-group": "db"}),
        ("alone", {"velero.io/volume-group": "web"}),
        ("left", {"own/group": "x"}),
        ("right", {"own/group": "x"}),
    ):
        yield from claim_and_volume(name, namespace="groups", source=csi(_DRIVER, f"v-{name}"), labels=labels)


@pytest.fixture(scope="module")
def cluster() -> Iterator[SnapshotCluster]:
    with snapshot_cluster(driver=_DRIVER, restore_bytes=2 * _GI) as started:
        started.apply(*world())
        for namespace in ("shop", "calm", "groups"):
            started.wait_until_bound(namespace)
        yield started


def run(cluster: SnapshotCluster, store: Path, name: str, **spec: Any) -> tuple[int, str]:
    manifest = store.parent / f"{name}.yaml"
    spec = {"snapshotVolumes": True, **spec}
    document = {"kind": "Backup", "apiVersion": "velero.io/v1", "metadata": {"namespace": "velero"}, "spec": spec}
    manifest.write_text(yaml.safe_dump(document))
    arguments = ("--store", str(store), "--kubeconfig", str(cluster.tested.kubeconfig), "--from-file", str(manifest))
    ended = pinnace("backup", "run", name, *arguments)
    return ended.returncode, ended.stderr


def document(store: Path, suffix: str) -> Any:
    return json.loads(gzip.decompress(Path(store, "backups", "volumes", f"volumes{suffix}").read_bytes()))


def item(store: Path, path: str) -> dict[str, Any]:
    with tarfile.open(Path(store, "backups", "volumes", "volumes.tar.gz")) as archive:
        member = archive.extractfile(path)
        assert member is not None
        loaded: dict[str, Any] = json.loads(member.read())
        return loaded


@pytest.fixture(scope="module")
def store(cluster: SnapshotCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the shop, whose snapshots by one driver are never taken."""
    folder = tmp_path_factory.mktemp("volumes") / "store"
    policy = {"kind": "ConfigMap", "name": "policy"}
    code, stderr = run(
        cluster, folder, "volumes", includedNamespaces=["shop"], resourcePolicy=policy, csiSnapshotTimeout="3s"
    )
    assert code == 4, stderr
    return folder


@pytest.fixture(scope="module")
def data(store: Path) -> dict[str, Any]:
    """The VolumeSnapshot of the claim `data`, as it is stored."""
    snapshots = document(store, "-csi-volumesnapshots.json.gz")
    by_claim = {one["spec"]["source"]["persistentVolumeClaimName"]: one for one in snapshots}
    assert {name: one["spec"]["volumeSnapshotClassName"] for name, one in by_claim.items()} == {
        "data": "chosen",
        "logs": "plain",
    }
    found: dict[str, Any] = by_claim["data"]
    return found


def test_claim_snapshot_content_class_and_secret_are_stored(store: Path, data: dict[str, Any]) -> None:
    stored = pinnace("backup", "contents", "volumes", "--store", str(store)).stdout.split()
    claims = [name.rpartition("/")[2] for name in stored if name.startswith("persistentvolumeclaims/")]
    assert sorted(claims) == ["data", "files", "logs", "scratch", "share"]
    content = data["status"]["boundVolumeSnapshotContentName"]
    assert {
        "secrets/vault/storage-login",
        f"volumesnapshots.snapshot.storage.k8s.io/shop/{data['metadata']['name']}",
        f"volumesnapshotcontents.snapshot.storage.k8s.io/{content}",
        "volumesnapshotclasses.snapshot.storage.k8s.io/chosen",
    } <= set(stored)
    verified = pinnace("backup", "verify", "volumes", "--store", str(store))
    assert verified.returncode == 0, verified.stderr


def test_a_stored_claim_names_its_snapshot_and_asks_for_its_size(store: Path, data: dict[str, Any]) -> None:
    claim = item(store, "resources/persistentvolumeclaims/namespaces/shop/data.json")
    name = data["metadata"]["name"]
    labels = {"app": "db", "velero.io/volume-snapshot-name": name, "velero.io/backup-name": "volumes"}
    assert (claim["metadata"]["labels"], claim["spec"]["resources"]) == (labels, {"requests": {"storage": "2Gi"}})
    assert claim["metadata"]["annotations"]["velero.io/volume-snapshot-name"] == name
    snapshot = item(store, f"resources/volumesnapshots.snapshot.storage.k8s.io/namespaces/shop/{name}.json")
    assert snapshot == data


def test_a_stored_snapshot_says_what_its_content_is_made_from(store: Path, data: dict[str, Any]) -> None:
    annotations = data["metadata"]["annotations"]
    assert {key: value for key, value in annotations.items() if key.startswith("velero.io/")} == {
        "velero.io/csi-volumesnapshot-handle": "snap-of-v-data",
        "velero.io/csi-driver-name": _DRIVER,
        "velero.io/csi-vsc-deletion-policy": "Delete",
        "velero.io/csi-volumesnapshot-restore-size": "2Gi",
    }
    contents = document(store, "-csi-volumesnapshotcontents.json.gz")
    assert {one["metadata"]["labels"]["velero.io/backup-name"] for one in contents} == {"volumes"}
    assert all(one["status"]["readyToUse"] and one["spec"]["deletionPolicy"] == "Delete" for one in contents)
    classes = document(store, "-csi-volumesnapshotclasses.json.gz")
    assert sorted(one["metadata"]["name"] for one in classes) == ["chosen", "plain", "stuck"]


def test_each_claim_without_a_snapshot_is_named_with_the_reason(store: Path) -> None:
    claim = " resource: /persistentvolumeclaims name: /{} message: /Error backing up item error: /{}"
    unsupported = "file-system backup of volumes is not there yet; the resource policy asks for it"
    no_class = f"driver {_NONE} has no VolumeSnapshotClass; make one, labelled {_CLASS}=true"
    errors = document(store, "-results.gz")["errors"]
    assert set(errors) == {"namespaces"}
    assert sorted(errors["namespaces"]["shop"]) == [
        claim.format("files", unsupported),
        claim.format("orphan", no_class),
        claim.format("stuck", "the snapshot was not taken within csiSnapshotTimeout 3s"),
    ]


def test_the_files_and_the_status_count_them(store: Path, data: dict[str, Any]) -> None:
    infos = {one["pvcName"]: one for one in document(store, "-volumeinfo.json.gz")}
    operations = {one["spec"]["resourceIdentifier"]["Name"]: one for one in document(store, "-itemoperations.json.gz")}
    operation = operations[data["metadata"]["name"]]
    assert infos["data"]["csiSnapshotInfo"] == {
        "snapshotHandle": "snap-of-v-data",
        "size": 2 * _GI,
        "driver": _DRIVER,
        "vscName": data["status"]["boundVolumeSnapshotContentName"],
        "operationID": operation["spec"]["operationID"],
        "ReadyToUse": True,
    }
    assert operation["status"]["phase"] == "Completed"
    assert {name: info.get("result", info.get("skippedReason")) for name, info in infos.items()} == {
        "data": "succeeded",
        "logs": "succeeded",
        "stuck": "failed",
        "share": "volumes of type nfs have no snapshots by CSI, and no location is used",
        "scratch": "the resource policy skips it",
        "files": "file-system backup of volumes is not there yet",
    }
    status = json.loads(Path(store, "backups", "volumes", "velero-backup.json").read_text())["status"]
    assert {key: status[key] for key in status if "Snapshot" in key or "Operation" in key} == {
        "csiVolumeSnapshotsAttempted": 3,
        "csiVolumeSnapshotsCompleted": 2,
        "backupItemOperationsAttempted": 2,
        "backupItemOperationsCompleted": 2,
    }


@pytest.mark.usefixtures("store")
def test_afterwards_the_storage_keeps_the_snapshots_and_the_cluster_has_none(cluster: SnapshotCluster) -> None:
    assert cluster.left("volumesnapshots") == []
    assert cluster.left("volumesnapshotcontents") == []
    assert cluster.driver.deleted == set()


class _LostAttempt:
    """Another one has taken over by the time that the backup would become visible."""

    def is_current(self) -> bool:
        return False

    def check(self) -> None:
        raise AttemptLostError(backup_name="lost")


def test_a_run_that_fails_leaves_no_snapshot(cluster: SnapshotCluster, tmp_path: Path) -> None:
    spec = BackupSpec(included_namespaces=("calm",))
    backup = Backup("lost", uid="u-1", spec=spec).with_status(start_timestamp="2026-11-25T03:00:00Z")
    store = BackupStore(FilesystemStore(tmp_path), "lost")
    with pytest.raises(AttemptLostError) as raised:
        make(backup, client=cluster.client, store=store, options=RunOptions(), attempt=_LostAttempt())
    assert getattr(raised.value, "__notes__", []) == []
    assert cluster.left("volumesnapshots") == []
    assert cluster.left("volumesnapshotcontents") == []
    assert cluster.driver.deleted == {"snap-of-v-calm"}


def test_without_snapshots_nothing_is_made_in_the_cluster(cluster: SnapshotCluster, tmp_path: Path) -> None:
    store = tmp_path / "store"
    code, stderr = run(cluster, store, "none", includedNamespaces=["calm"], snapshotVolumes=False)
    assert code == 0, stderr
    assert "persistentvolumeclaims/calm/calm" in pinnace("backup", "contents", "none", "--store", str(store)).stdout
    assert list(Path(store, "backups", "none").glob("*-csi-*")) == []


@pytest.mark.parametrize(
    ("spec", "group", "claims"),
    [
        ({}, "velero.io/volume-group=db", "rows, wal"),
        ({"volumeGroupSnapshotLabelKey": "own/group"}, "own/group=x", "left, right"),
        ({"volumeGroupSnapshotLabelKey": "nobody/has"}, "", ""),
        ({"snapshotVolumes": False}, "", ""),
    ],
)
def test_a_volume_group_that_is_not_taken_as_one_is_a_warning(
    spec: dict[str, Any], group: str, claims: str, cluster: SnapshotCluster, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    code, stderr = run(cluster, store, "volumes", includedNamespaces=["groups"], **spec)
    assert code == 0, stderr
    sentence = (
        f" resource: /persistentvolumeclaims message: /the volume group {group} was not taken as one, since "
        f"VolumeGroupSnapshots are not there yet: {claims} have a snapshot each, of different moments and not "
        "consistent with each other"
    )
    warnings = document(store, "-results.gz")["warnings"]
    assert warnings == ({"namespaces": {"groups": [sentence]}} if group else {})


def test_a_run_that_was_not_told_to_takes_no_snapshot_and_says_of_how_many_claims(
    cluster: SnapshotCluster, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    where = ("--include-namespaces=groups", "--kubeconfig", str(cluster.tested.kubeconfig))
    warning = (
        "5 claims are stored without a snapshot of what is in the volumes: a run from a shell takes none unless told, "
        "since they are made in the cluster and stay in its storage; add --snapshot-volumes"
    )
    planned = pinnace("backup", "plan", *where)
    assert (planned.returncode, planned.stdout.count(warning), planned.stderr.count(warning)) == (0, 1, 1)
    ran = pinnace("backup", "run", "volumes", "--store", str(store), *where)
    assert (ran.returncode, ran.stderr.count(warning)) == (0, 1)
    assert document(store, "-results.gz")["warnings"] == {"velero": [f" message: /{warning}"]}
    stored = json.loads(Path(store, "backups", "volumes", "velero-backup.json").read_text())
    assert (stored["spec"]["snapshotVolumes"], stored["status"]["warnings"]) == (False, 1)
    assert list(Path(store, "backups", "volumes").glob("*-csi-*")) == []
    told = pinnace("backup", "plan", "--snapshot-volumes", *where)
    assert "Volumes: snapshots of the volumes of about 5 claims are made in the cluster" in told.stdout
    assert "claims are stored without" not in told.stdout + told.stderr


def test_a_job_whose_installation_has_them_off_says_so(cluster: SnapshotCluster, tmp_path: Path) -> None:
    backup = Backup("off", uid="u-2", spec=BackupSpec(included_namespaces=("groups",)))
    store = BackupStore(FilesystemStore(tmp_path), "off")
    reason = "CSI snapshots are off in this installation (--csi-snapshots off)"
    started = backup.with_status(start_timestamp="2026-11-25T03:00:00Z")
    outcome = make(started, client=cluster.client, store=store, options=RunOptions(takes_csi_snapshots=False))
    assert [entry.message for entry in outcome.results.entries()] == [
        f"5 claims are stored without a snapshot of what is in the volumes: {reason}"
    ]
