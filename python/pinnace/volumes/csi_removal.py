"""Deletes the CSI snapshots that a backup keeps, by the drivers that took them, and what else stands for them here.

A driver deletes a snapshot when a VolumeSnapshotContent for it is deleted. One is made for each, since a backup leaves
none in the cluster. Its sidecar asks the driver only if `status.snapshotHandle` is there, and lets the content go else
(external-snapshotter, syncContent); so that is written before the content is deleted, and not left to the sidecar.
"""

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from pinnace.kube.client import Client
from pinnace.kube.kinds import VOLUME_SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS
from pinnace.kube.objects import Objects
from pinnace.velero.backup import Backup
from pinnace.velero.csi_items import content_to_delete
from pinnace.velero.kept_snapshots import CsiSnapshotKept, kept_by_content, snapshot_handle
from pinnace.velero.label import BACKUP_NAME_LABEL, BACKUP_UID_LABEL, RESTORE_NAME_LABEL, valid_name
from pinnace.volumes.csi_snapshots import CsiSnapshots

__all__ = ["CsiRemoval"]

_BEING_DELETED = {"snapshot.storage.kubernetes.io/volumesnapshot-being-deleted": "yes"}
"""What the snapshot controller writes on a content whose VolumeSnapshot goes; the sidecar waits for it."""

_MOST_NAMED = 100


class CsiRemoval:
    """The snapshots of one Backup; each verb may be repeated. KubeError where the API server refuses."""

    def __init__(self, client: Client, *, backup_name: str, backup_uid: str) -> None:
        self._client = client
        self._contents = Objects(client, VOLUME_SNAPSHOT_CONTENTS)
        self._begun = CsiSnapshots(client, Backup(backup_name, uid=backup_uid))
        self._backup_name = backup_name
        self._backup_uid = backup_uid

    def delete(self, snapshot: CsiSnapshotKept) -> None:
        """Have the driver delete one, without waiting; one that is gone is no error to a driver."""
        document = content_to_delete(
            driver=snapshot.driver,
            handle=snapshot.handle,
            secret=snapshot.secret,
            backup_name=self._backup_name,
            backup_uid=self._backup_uid,
        )
        name = document["metadata"]["name"]
        self._contents.create(document)
        self._contents.merge_patch(name, {"status": {"snapshotHandle": snapshot.handle}}, subresource="status")
        self._contents.delete(name)

    def release(self, deleted: Collection[tuple[str, str]]) -> int:
        """Remove the contents that still stand for snapshots of these keys, and VolumeSnapshots of unfinished runs.

        Contents are found by the backup's label; those of restores are left alone. Gives how many objects go.
        """
        count = 0
        selector = f"{BACKUP_NAME_LABEL}={valid_name(self._backup_name)},!{RESTORE_NAME_LABEL}"
        for content in self._contents.each(label_selector=selector):
            kept = kept_by_content(content, backup_name=self._backup_name)
            if kept is None or kept.key not in deleted or self._is_going(content):
                continue
            name, reference = content["metadata"]["name"], content["spec"]["volumeSnapshotRef"]
            metadata = {"labels": {BACKUP_UID_LABEL: self._backup_uid}, "annotations": _BEING_DELETED}
            self._contents.merge_patch(name, {"metadata": metadata})
            if uid := str(reference.get("uid") or ""):
                snapshots = Objects(self._client, VOLUME_SNAPSHOTS, namespace=str(reference["namespace"]))
                snapshots.delete(str(reference["name"]), uid=uid)
            count += self._contents.delete(name)
        return count + self._begun.discard_all()

    def left(self) -> list[str]:
        """Name what is not deleted yet, with what the driver says of it; at most a hundred."""
        sentences = []
        contents = self._contents.each(label_selector=f"{BACKUP_UID_LABEL}={self._backup_uid}")
        for content in islice(contents, _MOST_NAMED):
            name = content["metadata"]["name"]
            said = str(((content.get("status") or {}).get("error") or {}).get("message") or "")
            sentences.append(
                f"CSI snapshot {snapshot_handle(content)} of driver {content['spec']['driver']}: VolumeSnapshotContent "
                f"{name} is not deleted yet{f': {said}' if said else ''}; `kubectl describe volumesnapshotcontent "
                f"{name}` and the log of the driver's csi-snapshotter say why"
            )
        for snapshot in islice(self._begun.look().values(), _MOST_NAMED - len(sentences)):
            metadata = snapshot["metadata"]
            sentences.append(f"VolumeSnapshot {metadata['namespace']}/{metadata['name']} is not deleted yet")
        return sentences

    def _is_going(self, content: Mapping[str, Any]) -> bool:
        metadata = content["metadata"]
        is_ours = (metadata.get("labels") or {}).get(BACKUP_UID_LABEL) == self._backup_uid
        return is_ours and bool(metadata.get("deletionTimestamp"))
