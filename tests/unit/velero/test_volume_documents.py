"""The files about volumes, literally: every key, and the case of each."""

from pinnace.velero.volume_documents import CsiSnapshot, NativeSnapshot, VolumeInfo, volume_infos

_STARTED, _COMPLETED = "2026-11-25T01:02:03Z", "2026-11-25T01:03:03Z"
_NATIVE = NativeSnapshot("vsl", "pv1", "vol-1", "gp3", "eu-1a", 3000, "snap-1", _STARTED)
_CSI = CsiSnapshot("shop", "velero-data-x", "snapcontent-1", "h-1", "d", 1 << 30, _STARTED, _COMPLETED)


def test_a_native_snapshot_is_an_entry_of_volumesnapshots() -> None:
    assert _NATIVE.to_document(backup_name="b", backup_uid="u") == {
        "spec": {
            "backupName": "b",
            "backupUID": "u",
            "location": "vsl",
            "persistentVolumeName": "pv1",
            "providerVolumeID": "vol-1",
            "volumeType": "gp3",
            "volumeAZ": "eu-1a",
            "volumeIOPS": 3000,
        },
        "status": {"providerSnapshotID": "snap-1", "phase": "Completed"},
    }


def test_one_that_failed_leaves_out_what_is_empty() -> None:
    failed = NativeSnapshot("vsl", "pv1", "vol-1").to_document(backup_name="b", backup_uid="")
    assert failed["status"] == {"phase": "Failed"}
    assert set(failed["spec"]) & {"volumeAZ", "volumeIOPS"} == set()


def test_a_csi_snapshot_is_an_asynchronous_operation() -> None:
    snapshot = {
        "Group": "snapshot.storage.k8s.io",
        "Resource": "volumesnapshots",
        "Namespace": "shop",
        "Name": "velero-data-x",
    }
    content = {**snapshot, "Resource": "volumesnapshotcontents", "Namespace": "", "Name": "snapcontent-1"}
    assert _CSI.operation_document(backup_name="b", backup_uid="u") == {
        "spec": {
            "backupName": "b",
            "backupUID": "u",
            "backupItemAction": "velero.io/csi-volumesnapshot-backupper",
            "resourceIdentifier": snapshot,
            "operationID": f"shop/velero-data-x/{_STARTED}",
            "postOperationItems": [snapshot, content],
        },
        "status": {
            "phase": "Completed",
            "error": "",
            "nCompleted": 0,
            "nTotal": 0,
            "operationUnits": "",
            "description": "",
            "created": _STARTED,
            "started": _STARTED,
            "updated": _COMPLETED,
        },
    }


def test_volume_infos_are_ordered_and_have_capitals_where_go_has_no_tag() -> None:
    csi = _CSI.info_of(VolumeInfo("data", "shop", "pv2", reclaim_policy="Delete"))
    native = _NATIVE.info_of(VolumeInfo(pv_name="pv1"))
    skipped = VolumeInfo("logs", "shop", "pv3", skipped_reason="a policy skips it", pv_labels={"a": "b"})
    assert volume_infos([csi, native, skipped]) == [
        {
            "pvcName": "logs",
            "pvcNamespace": "shop",
            "pvName": "pv3",
            "skippedReason": "a policy skips it",
            "snapshotDataMoved": False,
            "preserveLocalSnapshot": False,
            "skipped": True,
            "pvInfo": {"reclaimPolicy": "", "labels": {"a": "b"}},
        },
        {
            "pvName": "pv1",
            "backupMethod": "NativeSnapshot",
            "startTimestamp": _STARTED,
            "result": "succeeded",
            "snapshotDataMoved": False,
            "preserveLocalSnapshot": False,
            "skipped": False,
            "nativeSnapshotInfo": {
                "snapshotHandle": "snap-1",
                "volumeType": "gp3",
                "volumeAZ": "eu-1a",
                "iops": "3000",
                "Phase": "Completed",
            },
            "pvInfo": {"reclaimPolicy": "", "labels": {}},
        },
        {
            "pvcName": "data",
            "pvcNamespace": "shop",
            "pvName": "pv2",
            "backupMethod": "CSISnapshot",
            "startTimestamp": _STARTED,
            "completionTimestamp": _COMPLETED,
            "result": "succeeded",
            "snapshotDataMoved": False,
            "preserveLocalSnapshot": True,
            "skipped": False,
            "csiSnapshotInfo": {
                "snapshotHandle": "h-1",
                "size": 1 << 30,
                "driver": "d",
                "vscName": "snapcontent-1",
                "operationID": f"shop/velero-data-x/{_STARTED}",
                "ReadyToUse": True,
            },
            "pvInfo": {"reclaimPolicy": "Delete", "labels": {}},
        },
    ]
