"""Deleting a backup leaves no snapshot: real kinds and controller, a named fake of the driver's sidecar, moto's EC2.

The dispatcher's steps are done with the rights of its own service account.
"""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from moto import mock_aws

from integration.account import log_in
from integration.deletion_walk import Deletion
from integration.dispatcher_process import Document, Stage, phase
from integration.s3_fixtures import new_prefix, open_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.snapshot_cluster import SnapshotCluster, claim_and_volume, snapshot_cluster
from integration.velero_kinds import apply_crds
from pinnace.backup.run import RunOptions, make
from pinnace.kube.client import Client, connect
from pinnace.kube.kinds import (
    BACKUP_STORAGE_LOCATIONS,
    VOLUME_SNAPSHOT_CONTENTS,
    VOLUME_SNAPSHOT_LOCATIONS,
    VOLUME_SNAPSHOTS,
)
from pinnace.kube.objects import Objects
from pinnace.store.backup_store import BackupStore
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.timestamps import timestamp
from pinnace.volumes.csi_snapshots import CsiSnapshots

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

pytestmark = pytest.mark.usefixtures("credentials")

_ROOT = Path(__file__).parents[2]
_DRIVER, _ABSENT = "disk.example", "absent.example"
_NAMESPACE = "velero"
_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_CLASS = "velero.io/csi-volumesnapshot-class"
_STARTED = "2026-11-25T03:00:00Z"


def world() -> Iterator[dict[str, Any]]:
    for name in ("shop", "vault"):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    secret = {"name": "storage-login", "namespace": "vault"}
    yield {"apiVersion": "v1", "kind": "Secret", "metadata": secret}
    kind = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "driver": _DRIVER}
    yield {**kind, "metadata": {"name": "plain"}, "deletionPolicy": "Delete"}
    parameters = {f"csi.storage.k8s.io/snapshotter-secret-{key}": value for key, value in secret.items()}
    metadata = {"name": "chosen", "labels": {_CLASS: "true"}}
    yield {**kind, "metadata": metadata, "deletionPolicy": "Retain", "parameters": parameters}
    data, logs = ({"csi": {"driver": _DRIVER, "volumeHandle": f"v-{name}"}} for name in ("data", "logs"))
    yield from claim_and_volume("data", namespace="shop", source=data)
    claim, volume = claim_and_volume("logs", namespace="shop", source=logs)
    claim["metadata"]["annotations"][_CLASS] = "plain"
    yield from (claim, volume)


@pytest.fixture(scope="module")
def cluster() -> Iterator[SnapshotCluster]:
    with snapshot_cluster(driver=_DRIVER, restore_bytes=1 << 30) as started:
        apply_crds(started.tested)
        started.tested.kubectl("apply", "-k", str(_ROOT / "k8s" / "base"))
        started.apply(*world())
        started.wait_until_bound("shop")
        # The Secret that the class of `data` names must be the one that the sidecar is told.
        started.driver.secrets["snap-of-v-data"] = ("vault", "storage-login")
        yield started


@pytest.fixture(scope="module")
def stage(
    cluster: SnapshotCluster, s3_server: SeaweedServer, shared_bucket: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    made = Stage(
        kubeconfig=cluster.tested.kubeconfig,
        namespace=_NAMESPACE,
        folder=tmp_path_factory.mktemp("removal"),
        s3_url=s3_server.url,
        bucket=shared_bucket,
        credentials=_CREDENTIALS,
    )
    try:
        made.make()
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def dispatchers_client(cluster: SnapshotCluster, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """The rights of k8s/base, and no others."""
    account = log_in(cluster.tested, "pinnace-dispatcher", namespace=_NAMESPACE)
    config = yaml.safe_load(cluster.tested.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": account.token}
    file = tmp_path_factory.mktemp("dispatcher") / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return connect(kubeconfig=file)


@pytest.fixture
def driver(cluster: SnapshotCluster) -> Iterator[Any]:
    """The storage, empty before and after."""
    yield cluster.driver
    for names in (cluster.driver.refused, cluster.driver.absent):
        names.clear()
    cluster.left("volumesnapshotcontents")
    assert (cluster.left("volumesnapshots"), cluster.left("volumesnapshotcontents")) == ([], [])
    assert cluster.driver.stored == set()
    cluster.driver.deleted.clear()


Prepare = Callable[..., Deletion]


@pytest.fixture
def prepare(
    stage: Stage, dispatchers_client: Client, cluster: SnapshotCluster, s3_server: SeaweedServer,
    request: pytest.FixtureRequest,
) -> Prepare:  # fmt: skip
    """Make a location, in it a backup with documents or with real snapshots of the shop, and a Backup of it."""

    def prepared(*, takes_shop: bool = False, documents: Mapping[str, Any] | None = None, **status: Any) -> Deletion:
        name = f"b-{abs(hash(request.node.name)) % 10**8}"
        prefix = new_prefix()
        stage.make_location(name, prefix=prefix)
        stage.objects(BACKUP_STORAGE_LOCATIONS).merge_patch(name, {"status": {"phase": "Available"}})
        stage_store = open_bucket(s3_server.store_url(stage.bucket, prefix))
        store = BackupStore(stage_store, name)
        stage.create(
            name, storageLocation=name,
            status={"phase": "Completed", "startTimestamp": _STARTED, **status},
        )  # fmt: skip
        if takes_shop:
            backup = Backup(
                name, uid=stage.backup(name)["metadata"]["uid"], spec=BackupSpec(included_namespaces=("shop",))
            )
            make(backup.with_status(start_timestamp=_STARTED), client=cluster.client, store=store, options=RunOptions())
            assert cluster.driver.stored == {"snap-of-v-data", "snap-of-v-logs"}
        for suffix, document in (documents or {}).items():
            store.put(f"backups/{name}/{name}-{suffix}.json.gz", gzip.compress(json.dumps(document).encode()))
        return Deletion(stage, dispatchers_client, stage_store, store, name)

    return prepared


def info(handle: str, driver: str = _DRIVER) -> Document:
    details = {"driver": driver, "snapshotHandle": handle}
    return {"pvcName": handle, "backupMethod": "CSISnapshot", "csiSnapshotInfo": details}


def content(name: str, handle: str, *, labels: Document) -> Document:
    """One that somebody has left."""
    reference = {"kind": "VolumeSnapshot", "namespace": "gone", "name": name}
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "deletionPolicy": "Retain", "driver": _DRIVER, "source": {"snapshotHandle": handle},
            "volumeSnapshotRef": reference,
        },
    }  # fmt: skip


def csi_only(*handles: str) -> Document:
    return {"resource-list": {}, "volumeinfo": [info(handle) for handle in handles]}


def test_dispatchers_that_die_after_each_write_leave_no_snapshot(prepare: Prepare, driver: Any) -> None:
    deletion = prepare(takes_shop=True)
    deletion.ask()
    writes = deletion.walk_killed_after_each_write()
    assert deletion.is_gone()
    assert (driver.stored, driver.deleted) == (set(), {"snap-of-v-data", "snap-of-v-logs"})
    contents = [write.split('"')[1] for write in writes if "volumesnapshotcontents" in write]
    assert sorted(contents) == ["DELETE", "DELETE", "PATCH", "PATCH", "POST", "POST"]


def test_a_backup_of_a_later_velero_is_read_from_its_archive(prepare: Prepare, driver: Any) -> None:
    """Without the lists that it no longer writes, and without our index; its claims' namespace need not be there."""
    deletion = prepare(takes_shop=True)
    keys = deletion.store.keys
    for suffix in ("-csi-volumesnapshots", "-csi-volumesnapshotcontents", "-csi-volumesnapshotclasses", "-volumeinfo"):
        deletion.stage_store.delete(f"{keys.prefix}{deletion.name}{suffix}.json.gz")
    for key in (keys.index, keys.manifest):
        deletion.stage_store.delete(key)
    deletion.ask()
    assert deletion.walk() == []
    assert deletion.is_gone()
    assert (driver.stored, driver.deleted) == (set(), {"snap-of-v-data", "snap-of-v-logs"})
    events = deletion.stage.events_of(deletion.name)
    assert ("Normal", "SnapshotsRemoved", "asked drivers to delete 2 CSI snapshots") in events


def test_a_snapshot_that_is_gone_is_no_error(prepare: Prepare, driver: Any) -> None:
    deletion = prepare(documents=csi_only("never-was"))
    deletion.ask()
    assert deletion.walk() == []
    assert (deletion.is_gone(), driver.deleted) == (True, {"never-was"})


def test_what_a_driver_refuses_is_waited_for_then_named_and_asked_for_again(
    prepare: Prepare, driver: Any, cluster: SnapshotCluster
) -> None:
    """The backup stays whole; one that its driver has deleted meanwhile is asked for again, which is no error."""
    driver.stored |= {"busy", "free"}
    driver.refused.add("busy")
    deletion = prepare(documents=csi_only("busy", "free"))
    deletion.ask()
    assert deletion.walk(until=lambda: driver.stored == {"busy"} and len(contents(cluster)) == 1) == []
    assert deletion.controller().reconcile(deletion.name) == 5.0
    [name] = contents(cluster)
    deletion.passed = timedelta(minutes=10)
    [error] = deletion.walk()
    assert error == (
        f"CSI snapshot busy of driver {_DRIVER}: VolumeSnapshotContent {name} is not deleted yet; "
        f"`kubectl describe volumesnapshotcontent {name}` and the log of the driver's csi-snapshotter say why"
    )
    assert phase(deletion.stage.backup(deletion.name)) == "Deleting"
    assert deletion.store.has(deletion.store.keys.volume_info)
    assert 'velero_backup_deletion_failure_total{schedule=""} 1.0' in deletion.metric_lines()

    deletion.ask(f"{deletion.name}-again")
    assert deletion.walk(f"{deletion.name}-again", until=lambda: deletion.waits(f"{deletion.name}-again")) == []
    driver.refused.clear()
    assert deletion.walk(f"{deletion.name}-again") == []
    assert (deletion.is_gone(), driver.deleted) == (True, {"busy", "free"})


def test_one_that_the_api_server_refuses_is_named_and_the_others_go(prepare: Prepare, driver: Any) -> None:
    """A name of a Secret that fits into no annotation, as only a damaged list has it."""
    driver.stored.add("good")
    annotations = {
        "snapshot.storage.kubernetes.io/deletion-secret-name": "x" * 300_000,
        "snapshot.storage.kubernetes.io/deletion-secret-namespace": "vault",
    }
    listed = [content(handle, handle, labels={}) for handle in ("bad", "good")]
    listed[0]["metadata"]["annotations"] = annotations
    deletion = prepare(documents={"csi-volumesnapshotcontents": listed})
    deletion.ask()
    [error] = deletion.walk()
    assert error.startswith(f"CSI snapshot bad of driver {_DRIVER}: VolumeSnapshotContent.snapshot.storage.k8s.io")
    assert "metadata.annotations: Too long" in error
    deletion.stage.wait(lambda: driver.stored == set())
    assert deletion.store.has_objects()


def test_a_driver_that_nobody_runs_is_named_after_its_time(
    prepare: Prepare, driver: Any, cluster: SnapshotCluster
) -> None:
    driver.absent.add(_ABSENT)
    documents = {"resource-list": {}, "volumeinfo": [info("h", _ABSENT)]}
    deletion = prepare(documents=documents)
    deletion.ask()
    deletion.walk(until=lambda: deletion.waits(deletion.name))
    deletion.passed = timedelta(minutes=10)
    [error] = deletion.walk()
    assert error.startswith(f"CSI snapshot h of driver {_ABSENT}: VolumeSnapshotContent pinnace-delete-")
    # What an operator does who knows that the storage is gone.
    [name] = contents(cluster)
    Objects(cluster.client, VOLUME_SNAPSHOT_CONTENTS).merge_patch(name, {"metadata": {"finalizers": None}})


def test_what_a_run_that_died_has_left_goes_too(prepare: Prepare, driver: Any, cluster: SnapshotCluster) -> None:
    deletion = prepare(phase="Failed")
    backup = Backup(deletion.name, uid=deletion.stage.backup(deletion.name)["metadata"]["uid"])
    claim = cluster.client.get("/api/v1/namespaces/shop/persistentvolumeclaims/logs")
    CsiSnapshots(cluster.client, backup).create(claim, class_name="plain")
    restored = {**claim, "metadata": {**claim["metadata"], "labels": {"velero.io/restore-name": "r"}}}
    kept = CsiSnapshots(cluster.client, backup).create(restored, class_name="plain")
    deletion.stage.wait(lambda: driver.stored == {"snap-of-v-logs"} and len(contents(cluster)) == 2)
    deletion.ask()
    assert deletion.walk() == []
    assert deletion.is_gone()
    assert cluster.left("volumesnapshots") == [kept["metadata"]["name"]]
    Objects(cluster.client, VOLUME_SNAPSHOTS, namespace="shop").delete(kept["metadata"]["name"])


def test_contents_that_still_stand_for_its_snapshots_go_and_no_others(
    prepare: Prepare, driver: Any, cluster: SnapshotCluster
) -> None:
    """As Veleros before 1.15 leave them; one with another handle, and what a restore has made, stay."""
    driver.stored |= {"h1", "foreign"}
    deletion = prepare(documents=csi_only("h1"))
    ours = {"velero.io/backup-name": deletion.name}
    cluster.apply(
        content("left-over", "h1", labels=ours),
        content("of-another-handle", "foreign", labels=ours),
        content("restored", "h1", labels={**ours, "velero.io/restore-name": "r"}),
    )
    deletion.ask()
    assert deletion.walk() == []
    assert (deletion.is_gone(), driver.stored) == (True, {"foreign"})
    left = cluster.left("volumesnapshotcontents")
    assert sorted(left) == ["of-another-handle", "restored"]
    for name in left:
        Objects(cluster.client, VOLUME_SNAPSHOT_CONTENTS).delete(name)
    driver.stored.clear()


def test_without_the_rights_each_snapshot_is_named_and_the_backup_stays(
    prepare: Prepare, driver: Any, cluster: SnapshotCluster
) -> None:
    """As with the component csi-snapshots-off."""
    del driver
    deletion = prepare(documents=csi_only("h1", "h2"))
    binding = "clusterrolebinding/pinnace-dispatcher-snapshots"
    manifest = cluster.tested.kubectl("get", binding, "-ojson")
    cluster.tested.kubectl("delete", binding)
    deletion.ask()
    try:
        errors = deletion.walk()
    finally:
        cluster.tested.kubectl("apply", "--server-side", "--force-conflicts", "-f-", standard_input=bare(manifest))
    assert [error.partition(": ")[0] for error in errors] == [
        f"CSI snapshot {handle} of driver {_DRIVER}" for handle in ("h1", "h2")
    ]
    assert all(error.endswith("; apply k8s/base/snapshot-rights.yaml, which csi-snapshots-off leaves out")
               for error in errors)  # fmt: skip
    assert deletion.store.has_objects()


@pytest.fixture
def ec2() -> "Iterator[EC2Client]":
    """EC2 as moto has it; requests to the S3 server go there."""
    with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1:.*"]}}}):
        yield boto3.client("ec2", region_name="eu-central-1")


def test_native_snapshots_go_by_their_location_and_those_that_cant_are_named(
    prepare: Prepare, stage: Stage, ec2: "EC2Client"
) -> None:
    """All are tried. The second request finds the first ones gone, which is no error."""
    volume = ec2.create_volume(AvailabilityZone="eu-central-1a", Size=1)["VolumeId"]
    made = [ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(3)]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    image = ec2.create_image(InstanceId=instance, Name="in use")["ImageId"]
    [mapping] = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    in_use = mapping["Ebs"]["SnapshotId"]
    stage.write_secret("ebs-login", "[default]\naws_access_key_id=key\naws_secret_access_key=secret\n")
    location = {
        "apiVersion": "velero.io/v1",
        "kind": "VolumeSnapshotLocation",
        "metadata": {"name": "ebs", "namespace": _NAMESPACE},
        "spec": {
            "provider": "aws",
            "config": {"region": "eu-central-1"},
            "credential": {"name": "ebs-login", "key": "cloud"},
        },
    }
    locations = stage.objects(VOLUME_SNAPSHOT_LOCATIONS)
    assert locations.create(location)
    deletion = prepare(
        documents={
            "resource-list": {},
            "volumesnapshots": [
                native(made[0]),
                native(made[1], location="no-more"),
                native(in_use),
                native("snap-0123456789abcdef0"),
                {"spec": {"location": "ebs"}, "status": {"phase": "Failed"}},
                native(made[2]),
            ],
        }
    )
    deletion.ask()
    gone, refused = deletion.walk()
    assert gone == (
        f"snapshot {made[1]} in VolumeSnapshotLocation no-more: VolumeSnapshotLocation no-more does not exist; "
        "create it, or correct its name"
    )
    assert refused.startswith(f"snapshot {in_use} in VolumeSnapshotLocation ebs: ec2:DeleteSnapshot {in_use}: The snap")
    assert {made[0], made[2]} & existing(ec2) == set()
    assert {made[1], in_use} <= existing(ec2)
    assert deletion.store.has_objects()

    assert locations.create({**location, "metadata": {"name": "no-more", "namespace": _NAMESPACE}})
    ec2.deregister_image(ImageId=image)
    deletion.ask(f"{deletion.name}-again")
    assert deletion.walk(f"{deletion.name}-again") == []
    assert deletion.is_gone()
    assert {*made, in_use} & existing(ec2) == set()
    assert ("Normal", "SnapshotsRemoved", "removed 5 native snapshots") in stage.events_of(deletion.name)


def test_a_backup_with_snapshots_expires(prepare: Prepare, driver: Any) -> None:
    """By the dispatcher's own process, from the first look of its garbage collection."""
    expired = timestamp(datetime.now(UTC) - timedelta(days=1))
    deletion = prepare(takes_shop=True, expiration=expired)
    stage = deletion.stage
    stage.start("--no-leader-election", "--garbage-collection-frequency=1s")
    stage.wait(deletion.is_gone)
    stage.wait(lambda: not deletion.requests.list(label_selector=f"velero.io/backup-name={deletion.name}"))
    assert stage.dispatchers[-1].end() == 143
    assert driver.deleted == {"snap-of-v-data", "snap-of-v-logs"}


def contents(cluster: SnapshotCluster) -> list[str]:
    items = cluster.client.get(VOLUME_SNAPSHOT_CONTENTS.path())["items"]
    return [item["metadata"]["name"] for item in items]


def native(snapshot_id: str, *, location: str = "ebs") -> Document:
    return {"spec": {"location": location}, "status": {"providerSnapshotID": snapshot_id, "phase": "Completed"}}


def existing(ec2: "EC2Client") -> set[str]:
    return {snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots()["Snapshots"]}


def bare(manifest: str) -> str:
    """A document as it was applied."""
    document = json.loads(manifest)
    metadata = {key: document["metadata"][key] for key in ("name", "labels")}
    return json.dumps({**document, "metadata": metadata})
