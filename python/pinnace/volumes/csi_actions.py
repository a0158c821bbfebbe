"""Backup item actions on what a CSI snapshot left in the cluster: VolumeSnapshots and their contents."""

from typing import Any

from pinnace.actions.protocol import ActionResult, ResourceIdentifier, ResourceSelector
from pinnace.errors import VolumeError
from pinnace.velero.backup import Backup
from pinnace.velero.csi_items import deletion_secret, stored_snapshot
from pinnace.volumes.csi_snapshots import CsiSnapshots, bound_content
from pinnace.volumes.outcome import VolumeOutcome

__all__ = ["CLASSES", "CONTENTS", "SNAPSHOTS", "VolumeSnapshotAction", "VolumeSnapshotContentAction"]

SNAPSHOTS = "volumesnapshots.snapshot.storage.k8s.io"
CONTENTS = "volumesnapshotcontents.snapshot.storage.k8s.io"
CLASSES = "volumesnapshotclasses.snapshot.storage.k8s.io"


class VolumeSnapshotAction:
    """A VolumeSnapshot names what its content is made from in another cluster, and brings class and content."""

    name = "velero.io/csi-volumesnapshot-backupper"
    applies_to = ResourceSelector(included_resources=(SNAPSHOTS,))

    def __init__(self, snapshots: CsiSnapshots, outcome: VolumeOutcome) -> None:
        self._snapshots = snapshots
        self._outcome = outcome

    def execute(self, item: dict[str, Any], backup: Backup) -> ActionResult:
        """Annotate it from its content; VolumeError where that is gone."""
        del backup
        content_name = bound_content(item)
        content = self._snapshots.content(content_name) if content_name else None
        if content is None:
            raise VolumeError(reason="it has no VolumeSnapshotContent", fix="was it removed while the backup ran?")
        stored = stored_snapshot(item, content)
        self._outcome.snapshots.add(stored)
        class_name = str((item.get("spec") or {}).get("volumeSnapshotClassName") or "")
        named = [ResourceIdentifier(CLASSES, "", class_name)] if class_name else []
        additional = [*named, ResourceIdentifier(CONTENTS, "", content_name)]
        return ActionResult(stored, additional, must_include=True, at_newest=True, item_changed=True)


class VolumeSnapshotContentAction:
    """A content brings the Secret by which its snapshot can be deleted."""

    name = "velero.io/csi-volumesnapshotcontent-backupper"
    applies_to = ResourceSelector(included_resources=(CONTENTS,))

    def __init__(self, outcome: VolumeOutcome) -> None:
        self._outcome = outcome

    def execute(self, item: dict[str, Any], backup: Backup) -> ActionResult:
        """Name the Secret, whatever the Backup's filters say of it."""
        del backup
        self._outcome.contents.add(item)
        secret = deletion_secret(item)
        additional = [ResourceIdentifier("secrets", *secret)] if secret else []
        return ActionResult(item, additional, must_include=True)
