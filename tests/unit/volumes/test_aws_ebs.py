"""Snapshots of EBS volumes, against moto's EC2: ids, kinds, tags, and refusals with their fix."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from pinnace.errors import VolumeError
from pinnace.velero.backup import Backup
from pinnace.volumes.aws_ebs import EbsSnapshotter
from pinnace.volumes.native import NativeSnapshots
from pinnace.volumes.registry import load_snapshotter
from pinnace.volumes.snapshotter import SnapshotterConfig, VolumeKind

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

_ZONE = "eu-central-1a"
_CONFIG = {"region": "eu-central-1"}


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Iterator[EC2Client]":
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with mock_aws():
        yield boto3.client("ec2", region_name="eu-central-1")


def made(ec2: "EC2Client", **options: Any) -> str:
    tags = [{"Key": "team", "Value": "shop"}, {"Key": "velero.io/pv", "Value": "old"}]
    specifications: Any = [{"ResourceType": "volume", "Tags": tags}]
    volume = ec2.create_volume(AvailabilityZone=_ZONE, Size=1, TagSpecifications=specifications, **options)
    return volume["VolumeId"]


def snapshots(ec2: "EC2Client") -> list[Any]:
    """Those of ours; moto has some of others."""
    filters: Any = [{"Name": "tag-key", "Values": ["velero.io/backup"]}]
    return list(ec2.describe_snapshots(Filters=filters)["Snapshots"])


def snapshotter(**config: str) -> EbsSnapshotter:
    return EbsSnapshotter({**_CONFIG, **config}, location_name="ebs")


def volume(volume_id: str, *, name: str = "pv1") -> dict[str, Any]:
    source = {"driver": "ebs.csi.aws.com", "volumeHandle": volume_id}
    labels = {"topology.kubernetes.io/zone": _ZONE}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"csi": source}}


@pytest.mark.parametrize(
    ("spec", "volume_id"),
    [
        ({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0a"}}, "vol-0a"),
        ({"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}}, ""),
        ({"awsElasticBlockStore": {"volumeID": "aws://eu-central-1a/vol-0b"}}, "vol-0b"),
        ({"awsElasticBlockStore": {"volumeID": "vol-0c"}}, "vol-0c"),
        ({"nfs": {"server": "s"}}, ""),
    ],
)
@pytest.mark.usefixtures("ec2")
def test_a_volume_of_ebs_is_known_by_either_driver(spec: dict[str, Any], volume_id: str) -> None:
    assert snapshotter().volume_id({"metadata": {"name": "pv"}, "spec": spec}) == volume_id


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"VolumeType": "gp2"}, VolumeKind("gp2")),
        ({"VolumeType": "io1", "Iops": 200}, VolumeKind("io1", 200)),
        ({"VolumeType": "gp3", "Iops": 4000}, VolumeKind("gp3", 4000)),
    ],
)
def test_iops_count_only_where_they_were_chosen(ec2: "EC2Client", options: dict[str, Any], kind: VolumeKind) -> None:
    assert snapshotter().volume_kind(made(ec2, **options), zone=_ZONE) == kind


def test_a_snapshot_has_the_tags_of_volume_backup_and_velero_and_goes_again(ec2: "EC2Client") -> None:
    volume_id = made(ec2, VolumeType="gp2")
    native = NativeSnapshots(Backup("b", labels={"kind": "nightly"}), [("ebs", snapshotter())], now=lambda: "now")
    taken = native.take(volume(volume_id))
    assert taken is not None
    assert (taken.location, taken.volume_id, taken.volume_type, taken.volume_zone) == ("ebs", volume_id, "gp2", _ZONE)
    [snapshot] = snapshots(ec2)
    assert (snapshot["SnapshotId"], snapshot["VolumeId"]) == (taken.snapshot_id, volume_id)
    assert {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]} == {
        "kind": "nightly",
        "team": "shop",
        "velero.io/backup": "b",
        "velero.io/pv": "pv1",
    }
    assert native.discard_all() == []
    assert snapshots(ec2) == []
    assert native.discard_all() == []


@pytest.mark.usefixtures("ec2")
def test_a_volume_that_is_not_there_is_an_error_with_the_fix_and_counts_as_failed() -> None:
    native = NativeSnapshots(Backup("b"), [("ebs", snapshotter())], now=lambda: "now")
    sentence = r"^ec2:DescribeVolumes vol-0a: The volume .*vol-0a.* does not exist.; is the region of the Volume"
    with pytest.raises(VolumeError, match=sentence):
        native.take(volume("vol-0a"))
    assert [snapshot.phase for snapshot in native.snapshots] == ["Failed"]
    assert native.take({"metadata": {"name": "other"}, "spec": {"local": {"path": "/"}}}) is None


def test_without_credentials_the_error_says_what_to_give(ec2: "EC2Client", monkeypatch: pytest.MonkeyPatch) -> None:
    del ec2
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(VolumeError, match=r"credentials; give the location a credential, or the pod a role$"):
        snapshotter().volume_kind("vol-0a", zone="")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({}, "VolumeSnapshotLocation ebs: config has no region; give the one that the volumes are in"),
        (
            {**_CONFIG, "zone": "a"},
            "VolumeSnapshotLocation ebs: config zone is not known; known are enableSharedConfig, profile, region",
        ),
    ],
)
def test_a_location_that_can_not_be_used_names_the_key(config: dict[str, str], sentence: str) -> None:
    with pytest.raises(VolumeError) as raised:
        EbsSnapshotter(config, location_name="ebs")
    assert str(raised.value) == sentence


@pytest.mark.parametrize("provider", ["aws", "velero.io/aws"])
@pytest.mark.usefixtures("ec2")
def test_ebs_is_the_built_in_snapshotter_of_aws(provider: str) -> None:
    assert isinstance(load_snapshotter(provider, SnapshotterConfig("ebs", _CONFIG)), EbsSnapshotter)
