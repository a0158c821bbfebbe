"""What is written into the items of a CSI snapshot, whole."""

from typing import Any

from pinnace.velero.csi_items import deletion_secret, restore_bytes, stored_claim, stored_snapshot

_CLAIM: dict[str, Any] = {
    "metadata": {"name": "data", "namespace": "shop", "labels": {"app": "db"}},
    "spec": {"volumeName": "pv", "resources": {"requests": {"storage": "1Gi"}}},
}
_LABELS = {"app": "db", "velero.io/volume-snapshot-name": "velero-data-x", "velero.io/backup-name": "b"}


def claim(*, least_bytes: int) -> dict[str, Any]:
    return stored_claim(_CLAIM, snapshot_name="velero-data-x", backup_name="b", least_bytes=least_bytes)


def test_a_claim_names_its_snapshot() -> None:
    annotations = {"velero.io/volume-snapshot-name": "velero-data-x"}
    metadata = {"name": "data", "namespace": "shop", "labels": _LABELS, "annotations": annotations}
    assert claim(least_bytes=0) == {"metadata": metadata, "spec": _CLAIM["spec"]}
    assert claim(least_bytes=1 << 30)["spec"] == _CLAIM["spec"]
    assert _CLAIM["metadata"]["labels"] == {"app": "db"}


def test_a_claim_asks_for_no_less_than_its_restored_volume_will_have() -> None:
    expected = {"volumeName": "pv", "resources": {"requests": {"storage": "2Gi"}}}
    assert claim(least_bytes=2 << 30)["spec"] == expected


def test_a_snapshot_holds_what_its_content_is_made_from() -> None:
    snapshot = {"kind": "VolumeSnapshot", "metadata": {"name": "s", "annotations": {"a": "b"}}}
    content = {
        "spec": {"driver": "d", "deletionPolicy": "Delete"},
        "status": {"snapshotHandle": "h", "restoreSize": 3 << 30},
    }
    annotations = {
        "a": "b",
        "velero.io/csi-volumesnapshot-handle": "h",
        "velero.io/csi-driver-name": "d",
        "velero.io/csi-vsc-deletion-policy": "Delete",
        "velero.io/csi-volumesnapshot-restore-size": "3Gi",
    }
    stored = {"kind": "VolumeSnapshot", "metadata": {"name": "s", "annotations": annotations}}
    assert stored_snapshot(snapshot, content) == stored
    assert restore_bytes({"status": None}) == 0


def test_the_deletion_secret_is_named_by_two_annotations() -> None:
    prefix = "snapshot.storage.kubernetes.io/deletion-secret"
    annotations = {f"{prefix}-name": "s", f"{prefix}-namespace": "n"}
    assert deletion_secret({"metadata": {"annotations": annotations}}) == ("n", "s")
    assert deletion_secret({"metadata": {"annotations": {f"{prefix}-name": "s"}}}) is None
    assert deletion_secret({"metadata": {}}) is None
