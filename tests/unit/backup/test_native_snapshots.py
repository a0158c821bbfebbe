"""A whole backup of a recorded cluster with native snapshots, against moto's EC2: what is taken, stored and counted."""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from pinnace.backup import run
from pinnace.backup.attempt import SOLE_ATTEMPT
from pinnace.errors import AttemptLostError, ValidationFailedError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.timestamps import timestamp
from unit.backup.recorded_cluster import RecordedCluster
from unit.backup.small_backup import GOLDEN, NOW

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

_VOLUMES = "/api/v1/persistentvolumes"
_PREFIX = "/apis/velero.io/v1/namespaces/velero/volumesnapshotlocations"
_OURS: Any = [{"Name": "tag-key", "Values": ["velero.io/backup"]}]
_NO_KEY = "VolumeSnapshotLocation lost: there is no key other in a Secret login; create it, or correct spec.credential"
_NO_SNAPSHOTTER = (
    "VolumeSnapshotLocation disks: provider example.com/disks has no snapshotter here; known are velero.io/aws; "
    "install a package that registers it, or leave the location out"
)
_POLICY = "version: v1\nvolumePolicies: [{conditions: {storageClass: [scratch]}, action: {type: skip}}]"


class ClusterWithLocations(RecordedCluster):
    """Has single objects too, by path."""

    def __init__(self, objects: Mapping[str, dict[str, Any]], **more: Any) -> None:
        super().__init__(GOLDEN / "cluster", **more)
        self.objects: dict[str, Any] = dict(objects)

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> Any:
        return self.objects[path] if path in self.objects else super().get(path, query, accept=accept)


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Iterator[EC2Client]":
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with mock_aws():
        client = boto3.client("ec2", region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s")
        yield client


def volume(name: str, volume_id: str, *, storage_class: str = "fast") -> dict[str, Any]:
    source = {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": volume_id}} if volume_id else {"local": {}}
    reference = {"namespace": "golden-a", "name": f"claim-of-{name}"}
    return {
        "metadata": {"name": name, "uid": name, "labels": {"topology.kubernetes.io/zone": "eu-west-1a"}},
        "spec": {**source, "storageClassName": storage_class, "claimRef": reference},
    }


def cluster(*volumes: dict[str, Any]) -> ClusterWithLocations:
    """Its locations are two of EBS, one of which names a Secret, and one of nobody."""
    secret = {"data": {"cloud": "W2RlZmF1bHRdCmF3c19hY2Nlc3Nfa2V5X2lkID0gawphd3Nfc2VjcmV0X2FjY2Vzc19rZXkgPSBzCg=="}}
    spec: dict[str, Any] = {"provider": "aws", "config": {"region": "eu-west-1"}}
    objects = {
        f"{_PREFIX}/ebs": {"spec": {**spec, "credential": {"name": "login", "key": "cloud"}}},
        f"{_PREFIX}/lost": {"spec": {**spec, "credential": {"name": "login", "key": "other"}}},
        f"{_PREFIX}/disks": {"spec": {"provider": "example.com/disks"}},
        "/api/v1/namespaces/velero/secrets/login": secret,
    }
    policy = {"metadata": {"name": "rules"}, "data": {"policy": _POLICY}}
    more = {_VOLUMES: list(volumes), "/api/v1/namespaces/velero/configmaps": [policy]}
    return ClusterWithLocations(objects, more=more)


def backup(**others: Any) -> Backup:
    spec = BackupSpec(included_cluster_scoped_resources=("persistentvolumes",), others=others)
    return Backup(name="b", uid="u", labels={"kind": "nightly"}, spec=spec).with_status(start_timestamp=timestamp(NOW))


def made(folder: Path, cluster: RecordedCluster, attempt: Any = SOLE_ATTEMPT, **others: Any) -> run.Outcome:
    store = BackupStore(FilesystemStore(folder), "b")
    return run.make(backup(**others), client=cluster.client, store=store, clock=lambda: NOW, attempt=attempt)


def document(folder: Path, suffix: str) -> Any:
    return json.loads(gzip.decompress(Path(folder, "backups", "b", f"b{suffix}.json.gz").read_bytes()))


def texts(outcome: run.Outcome) -> list[str]:
    return [entry.text for entry in outcome.results.entries()]


def test_volumes_of_ebs_are_snapshotted_with_the_locations_own_credentials(ec2: "EC2Client", tmp_path: Path) -> None:
    made_volume = ec2.create_volume(AvailabilityZone="eu-west-1a", Size=1, VolumeType="gp3", Iops=4000)
    volume_id = made_volume["VolumeId"]
    world = cluster(
        volume("ebs", volume_id),
        volume("gone", "vol-0a"),
        volume("local", ""),
        volume("x", "", storage_class="scratch"),
    )
    policy = {"kind": "configmap", "name": "rules"}
    outcome = made(tmp_path, world, volumeSnapshotLocations=["ebs"], resourcePolicy=policy)
    [snapshot] = ec2.describe_snapshots(Filters=_OURS)["Snapshots"]
    assert {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]} == {
        "kind": "nightly",
        "velero.io/backup": "b",
        "velero.io/pv": "ebs",
    }
    taken, failed = document(tmp_path, "-volumesnapshots")
    assert taken == {
        "spec": {
            "backupName": "b",
            "backupUID": "u",
            "location": "ebs",
            "persistentVolumeName": "ebs",
            "providerVolumeID": volume_id,
            "volumeType": "gp3",
            "volumeAZ": "eu-west-1a",
            "volumeIOPS": 4000,
        },
        "status": {"providerSnapshotID": snapshot["SnapshotId"], "phase": "Completed"},
    }
    assert (failed["spec"]["persistentVolumeName"], failed["status"]) == ("gone", {"phase": "Failed"})
    [error] = texts(outcome)
    prefix = (
        " resource: /persistentvolumes name: /gone message: /Error backing up item error: /error taking snapshot of"
    )
    assert error.startswith(f"{prefix} volume: ec2:DescribeVolumes vol-0a: ")
    infos = {info["pvName"]: info for info in document(tmp_path, "-volumeinfo")}
    assert infos["ebs"]["nativeSnapshotInfo"]["snapshotHandle"] == snapshot["SnapshotId"]
    assert (infos["ebs"]["pvcName"], infos["ebs"]["result"]) == ("claim-of-ebs", "succeeded")
    assert infos["local"]["skippedReason"] == "no VolumeSnapshotLocation of the Backup knows the volume"
    assert infos["x"]["skippedReason"] == "the resource policy says so"
    status = outcome.backup.status.to_document()
    assert (status["phase"], status["volumeSnapshotsAttempted"], status["volumeSnapshotsCompleted"]) == (
        "PartiallyFailed",
        2,
        1,
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none", "VolumeSnapshotLocation none does not exist; create it, or correct its name"),
        ("lost", _NO_KEY),
        ("disks", _NO_SNAPSHOTTER),
    ],
)
@pytest.mark.usefixtures("ec2")
def test_a_location_that_can_not_be_used_is_an_error_and_the_backup_is_made(
    name: str, reason: str, tmp_path: Path
) -> None:
    world = cluster(volume("ebs", "vol-0a"))
    world.objects[f"{_PREFIX}/none"] = None
    outcome = made(tmp_path, world, volumeSnapshotLocations=[name])
    assert texts(outcome) == [
        f" message: /Error getting volume snapshotter for volume snapshot location error: /{reason}"
    ]
    assert document(tmp_path, "-volumesnapshots") is None


def test_without_snapshots_no_location_is_asked(tmp_path: Path) -> None:
    outcome = made(tmp_path, cluster(volume("ebs", "vol-0a")), volumeSnapshotLocations=["none"], snapshotVolumes=False)
    assert (texts(outcome), document(tmp_path, "-volumesnapshots")) == ([], None)


class _LostAttempt:
    """Another one has taken over by the time that the backup would become visible."""

    def is_current(self) -> bool:
        return False

    def check(self) -> None:
        raise AttemptLostError(backup_name="b")


def test_a_run_that_fails_removes_what_it_took(ec2: "EC2Client", tmp_path: Path) -> None:
    volume_id = ec2.create_volume(AvailabilityZone="eu-west-1a", Size=1)["VolumeId"]
    with pytest.raises(AttemptLostError):
        made(tmp_path, cluster(volume("ebs", volume_id)), _LostAttempt(), volumeSnapshotLocations=["ebs"])
    assert ec2.describe_snapshots(Filters=_OURS)["Snapshots"] == []


def test_the_filters_of_a_policy_are_put_under_the_specs(tmp_path: Path) -> None:
    world = cluster(volume("local", ""))
    filters = "{excludedNamespaceScopedResources: [cm], excludedClusterScopedResources: [pv]}"
    policy = f"version: v1\nincludeExcludePolicy: {filters}"
    world._more["/api/v1/namespaces/velero/configmaps"][0]["data"]["policy"] = policy
    for kind in ("configmaps", "secrets"):
        world._more[f"/api/v1/{kind}"] = [{"metadata": {"name": "one", "namespace": "golden-a", "uid": kind}}]
    outcome = made(tmp_path, world, resourcePolicy={"kind": "configmap", "name": "rules"})
    kinds = {collected.request.resource.group_resource for collected in outcome.lists}
    assert ("configmaps" in kinds, "persistentvolumes" in kinds, "secrets" in kinds) == (False, True, True)


@pytest.mark.parametrize("name", ["rules", "none"])
def test_a_policy_that_can_not_be_used_ends_the_run_before_anything_is_written(name: str, tmp_path: Path) -> None:
    world = cluster()
    world._more["/api/v1/namespaces/velero/configmaps"][0]["data"] = {}
    with pytest.raises(ValidationFailedError, match="ResourcePolicies"):
        made(tmp_path, world, resourcePolicy={"kind": "configmap", "name": name})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
