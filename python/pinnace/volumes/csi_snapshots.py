"""VolumeSnapshots of one backup in the cluster: made, watched until they are ready, kept beyond the cluster, removed.

All are found by one list with the Backup's label, so that a thousand that are waited for cost one request a look. Those
that another attempt at the same Backup left are told by its uid.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from pinnace.kube.client import Client
from pinnace.kube.kinds import VOLUME_SNAPSHOT_CLASSES, VOLUME_SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS
from pinnace.kube.objects import Objects
from pinnace.velero.backup import Backup
from pinnace.velero.label import BACKUP_NAME_LABEL, RESTORE_NAME_LABEL, valid_name

__all__ = ["BACKUP_UID_ANNOTATION", "CsiSnapshots", "bound_content"]

BACKUP_UID_ANNOTATION = "pinnace.io/backup-uid"
_LONGEST_CLAIM_NAME = 200
"""The server cuts what it generates a name from; this only keeps a request from being refused."""


class CsiSnapshots:
    """The VolumeSnapshots and VolumeSnapshotContents of one Backup; KubeError where the API server refuses."""

    def __init__(self, client: Client, backup: Backup) -> None:
        self._client = client
        self._label = valid_name(backup.name)
        # A Backup of a local run has no uid; of two runs of one name each must find only its own.
        self._uid = backup.uid or str(uuid.uuid4())
        self._contents = Objects(client, VOLUME_SNAPSHOT_CONTENTS)

    def classes(self) -> list[dict[str, Any]]:
        """Every VolumeSnapshotClass; a cluster has a few."""
        return Objects(self._client, VOLUME_SNAPSHOT_CLASSES).list()

    def create(self, claim: Mapping[str, Any], *, class_name: str) -> dict[str, Any]:
        """Make the snapshot of one claim, with the claim's labels, as Velero does; its document."""
        metadata = claim["metadata"]
        namespace, name = str(metadata["namespace"]), str(metadata["name"])
        document = {
            "apiVersion": VOLUME_SNAPSHOTS.api_version,
            "kind": "VolumeSnapshot",
            "metadata": {
                "generateName": f"velero-{name[:_LONGEST_CLAIM_NAME]}-",
                "namespace": namespace,
                "labels": {**(metadata.get("labels") or {}), BACKUP_NAME_LABEL: self._label},
                "annotations": {BACKUP_UID_ANNOTATION: self._uid},
            },
            "spec": {
                "source": {"persistentVolumeClaimName": name},
                "volumeSnapshotClassName": class_name,
            },
        }
        made: dict[str, Any] = self._client.send("POST", VOLUME_SNAPSHOTS.path(namespace=namespace), body=document)
        return made

    def look(self) -> dict[str, dict[str, Any]]:
        """Read all of this backup's snapshots, by uid; those that a restore made bear all of its marks but one."""
        query = {"labelSelector": f"{BACKUP_NAME_LABEL}={self._label},!{RESTORE_NAME_LABEL}"}
        items = self._client.get(VOLUME_SNAPSHOTS.path(), query).get("items") or []
        ours = [item for item in items if _annotation(item, BACKUP_UID_ANNOTATION) == self._uid]
        return {str(item["metadata"]["uid"]): {**_KIND, **item} for item in ours}

    def content(self, name: str) -> dict[str, Any] | None:
        """Read one VolumeSnapshotContent by a list, which needs no other right than the backup's; None without one."""
        items = self._client.get(VOLUME_SNAPSHOT_CONTENTS.path(), {"fieldSelector": f"metadata.name={name}"})["items"]
        return {**_CONTENT_KIND, **items[0]} if items else None

    def label_content(self, name: str) -> None:
        """Put the Backup's label on a content, by which Velero finds it."""
        self._contents.merge_patch(name, {"metadata": {"labels": {BACKUP_NAME_LABEL: self._label}}})

    def keep_beyond_cluster(self, content_name: str) -> None:
        """Let the storage's snapshot outlive the objects that stand for it, and so the namespace too."""
        self._set_deletion_policy(content_name, "Retain")

    def release(self, snapshot: Mapping[str, Any], *, content_name: str) -> None:
        """Remove the two objects of a snapshot that is kept; what is gone already is no error."""
        self._delete_snapshot(snapshot)
        self._contents.delete(content_name)

    def discard(self, snapshot: Mapping[str, Any], *, content_name: str) -> None:
        """Remove a snapshot together with what the storage holds for it; `content_name` may be ""."""
        if content_name:
            self._set_deletion_policy(content_name, "Delete")
        self._delete_snapshot(snapshot)

    def discard_all(self, *, but: Iterable[str] = ()) -> int:
        """Remove all of this Backup's snapshots, of an earlier attempt or of a request whose answer was lost.

        `but` are uids that stay. Gives how many were removed.
        """
        left = {uid: snapshot for uid, snapshot in self.look().items() if uid not in set(but)}
        for snapshot in left.values():
            self.discard(snapshot, content_name=bound_content(snapshot))
        return len(left)

    def _set_deletion_policy(self, content_name: str, policy: str) -> None:
        self._contents.merge_patch(content_name, {"spec": {"deletionPolicy": policy}})

    def _delete_snapshot(self, snapshot: Mapping[str, Any]) -> None:
        metadata = snapshot["metadata"]
        snapshots = Objects(self._client, VOLUME_SNAPSHOTS, namespace=str(metadata["namespace"]))
        snapshots.delete(str(metadata["name"]), uid=str(metadata["uid"]))


_KIND = {"apiVersion": VOLUME_SNAPSHOTS.api_version, "kind": "VolumeSnapshot"}
_CONTENT_KIND = {"apiVersion": VOLUME_SNAPSHOT_CONTENTS.api_version, "kind": "VolumeSnapshotContent"}
"""Items of a list lack both."""


def bound_content(snapshot: Mapping[str, Any]) -> str:
    """Name the content that a snapshot is bound to, or ""."""
    return str((snapshot.get("status") or {}).get("boundVolumeSnapshotContentName") or "")


def _annotation(item: Mapping[str, Any], key: str) -> str:
    return str((item["metadata"].get("annotations") or {}).get(key) or "")
