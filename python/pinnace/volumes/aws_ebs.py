"""Native snapshots of AWS EBS volumes: the built-in snapshotter of provider `aws` (velero-plugin-for-aws)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinnace import aws
from pinnace.errors import VolumeError
from pinnace.volumes.snapshotter import VolumeKind

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

__all__ = ["CONFIG_KEYS", "EbsSnapshotter"]

CONFIG_KEYS = frozenset({"region", "profile", "enableSharedConfig"})
"""What a VolumeSnapshotLocation of this provider may say."""

_CSI_DRIVER = "ebs.csi.aws.com"
_WITH_IOPS = frozenset({"gp3", "io1", "io2"})
"""Volume types whose IOPS are chosen, and must be told again for a new volume."""

_VOLUME_ID = re.compile(r"vol-[0-9a-f]+")


class EbsSnapshotter:
    """One location; requests are made when a volume asks for them, credentials are found as those of the bucket."""

    def __init__(self, config: Mapping[str, str], *, location_name: str, credentials_file: Path | None = None) -> None:
        place = f"VolumeSnapshotLocation {location_name}"
        if unknown := sorted(set(config) - CONFIG_KEYS):
            known = ", ".join(sorted(CONFIG_KEYS))
            raise VolumeError(reason=f"{place}: config {unknown[0]} is not known; known are {known}")
        if not config.get("region"):
            raise VolumeError(reason=f"{place}: config has no region", fix="give the one that the volumes are in")
        self._client: EC2Client = aws.connect_ec2(
            aws.open_session(
                profile=config.get("profile", ""),
                shared_config=config.get("enableSharedConfig", "true") == "true",
                credentials_file=str(credentials_file or ""),
            ),
            region=config["region"],
        )

    def volume_id(self, volume: Mapping[str, Any]) -> str:
        """Give `vol-...` of a volume of EBS, by the in-tree driver or the CSI one; "" for any other."""
        spec = volume.get("spec") or {}
        csi = spec.get("csi") or {}
        if csi.get("driver") == _CSI_DRIVER:
            return str(csi.get("volumeHandle") or "")
        # In-tree volumes may be spelled aws://zone/vol-...
        found = _VOLUME_ID.search(str((spec.get("awsElasticBlockStore") or {}).get("volumeID") or ""))
        return found[0] if found else ""

    def volume_kind(self, volume_id: str, *, zone: str) -> VolumeKind:
        """Read type and, where they were chosen, IOPS."""
        del zone
        volume = self._describe(volume_id)
        kind = str(volume.get("VolumeType") or "")
        iops = int(volume.get("Iops") or 0)
        return VolumeKind(kind, iops if kind in _WITH_IOPS and iops else None)

    def create_snapshot(self, volume_id: str, *, zone: str, tags: Mapping[str, str]) -> str:
        """Begin a snapshot that has the volume's own tags too, and ours where both have a key."""
        del zone
        own = {str(tag["Key"]): str(tag["Value"]) for tag in self._describe(volume_id).get("Tags") or ()}
        merged = {key: value for key, value in own.items() if not key.startswith("aws:")} | dict(tags)
        with aws.ec2_errors("ec2:CreateSnapshot", volume_id):
            answer = self._client.create_snapshot(
                VolumeId=volume_id,
                TagSpecifications=[
                    {"ResourceType": "snapshot", "Tags": [{"Key": key, "Value": merged[key]} for key in sorted(merged)]}
                ],
            )
        return str(answer["SnapshotId"])

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Remove it; one that is gone is no error."""
        with aws.ec2_errors("ec2:DeleteSnapshot", snapshot_id, gone="InvalidSnapshot.NotFound"):
            self._client.delete_snapshot(SnapshotId=snapshot_id)

    def _describe(self, volume_id: str) -> Mapping[str, Any]:
        with aws.ec2_errors("ec2:DescribeVolumes", volume_id):
            volumes = self._client.describe_volumes(VolumeIds=[volume_id])["Volumes"]
        return volumes[0]
