"""Each kind of a DownloadRequest has the key of section 1 of Velero's layout."""

from pathlib import Path

import yaml

from pinnace.velero.download_target import RESTORE_TARGETS, TARGETS, target_key

_CRD = Path(__file__).parents[3] / "k8s" / "crds" / "downloadrequests.yaml"


def test_every_kind_has_its_key() -> None:
    assert {kind: target_key(kind, "n") for kind in TARGETS} == {
        "BackupLog": "backups/n/n-logs.gz",
        "BackupContents": "backups/n/n.tar.gz",
        "BackupVolumeSnapshots": "backups/n/n-volumesnapshots.json.gz",
        "BackupItemOperations": "backups/n/n-itemoperations.json.gz",
        "BackupResourceList": "backups/n/n-resource-list.json.gz",
        "BackupResults": "backups/n/n-results.gz",
        "BackupVolumeInfos": "backups/n/n-volumeinfo.json.gz",
        "CSIBackupVolumeSnapshots": "backups/n/n-csi-volumesnapshots.json.gz",
        "CSIBackupVolumeSnapshotContents": "backups/n/n-csi-volumesnapshotcontents.json.gz",
        "RestoreLog": "restores/n/restore-n-logs.gz",
        "RestoreResults": "restores/n/restore-n-results.gz",
        "RestoreResourceList": "restores/n/restore-n-resource-list.json.gz",
        "RestoreItemOperations": "restores/n/restore-n-itemoperations.json.gz",
        "RestoreVolumeInfo": "restores/n/n-volumeinfo.json.gz",
    }


def test_the_kinds_are_those_of_the_crd() -> None:
    [version] = yaml.safe_load(_CRD.read_text())["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert set(spec["properties"]["target"]["properties"]["kind"]["enum"]) == TARGETS


def test_those_of_restores_are_looked_up_through_a_restore() -> None:
    assert {kind for kind in TARGETS if target_key(kind, "n").startswith("restores/")} == RESTORE_TARGETS
