"""What is written into the items of a CSI snapshot, whole."""

from typing import Any

from pinnace.velero.csi_items import content_to_delete, deletion_secret, restore_bytes, stored_claim, stored_snapshot

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


def test_a_content_that_is_made_to_be_deleted_has_policy_finalizer_and_secret() -> None:
    made = content_to_delete(driver="d", handle="h", secret=("vault", "login"), backup_name="b", backup_uid="u")
    digest = "d36cc5b741b1433bae5cfc70a0535f91"
    assert made == {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {
            "name": f"pinnace-delete-{digest}",
            "labels": {"velero.io/backup-name": "b", "velero.io/backup-uid": "u"},
            "annotations": {
                "snapshot.storage.kubernetes.io/deletion-secret-name": "login",
                "snapshot.storage.kubernetes.io/deletion-secret-namespace": "vault",
            },
            "finalizers": ["snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"],
        },
        "spec": {
            "deletionPolicy": "Delete",
            "driver": "d",
            "source": {"snapshotHandle": "h"},
            "volumeSnapshotRef": {
                "apiVersion": "snapshot.storage.k8s.io/v1",
                "kind": "VolumeSnapshot",
                "namespace": f"ns-{digest}",
                "name": f"name-{digest}",
            },
        },
    }
    assert deletion_secret(made) == ("vault", "login")


def test_its_name_is_the_same_for_the_same_snapshot_of_the_same_backup_only() -> None:
    def name(**changed: str) -> str:
        given = {"driver": "d", "handle": "h", "backup_name": "b", "backup_uid": "u", **changed}
        made = content_to_delete(secret=None, **given)
        assert "annotations" not in made["metadata"]
        return str(made["metadata"]["name"])

    assert name() == name()
    assert len({name(), name(handle="i"), name(driver="e"), name(backup_uid="v")}) == 4
