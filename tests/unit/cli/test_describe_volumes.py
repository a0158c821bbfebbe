"""Volumes, operations and hooks of a backup are described with the words of `velero backup describe`."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pinnace.backup.description import Description, describe
from pinnace.backup.stored import read_entries
from pinnace.cli.describe_hooks import hook_lines
from pinnace.cli.describe_text import description_lines
from pinnace.cli.describe_volumes import operation_lines, volume_lines
from pinnace.errors import MalformedObjectError
from pinnace.store.backup_store import BackupStore
from pinnace.velero.volume_documents import CsiSnapshot, NativeSnapshot, VolumeInfo, volume_infos
from unit.backup.small_backup import write_backup

_STARTED, _ENDED = "2026-11-25T03:00:00Z", "2026-11-25T03:00:09Z"
_CSI = CsiSnapshot("shop", "velero-data-x", "snapcontent-1", "handle-1", "disk.example", 2 << 30, _STARTED, _ENDED)
_NATIVE = NativeSnapshot("ebs", "pv-2", "vol-2", "gp3", "eu-central-1a", 3000, "snap-2", _STARTED)
_INFOS = volume_infos(
    [
        _CSI.info_of(VolumeInfo("data", "shop", "pv-1")),
        _NATIVE.info_of(VolumeInfo(pv_name="pv-2")),
        VolumeInfo("cache", "shop", "pv-3", skipped_reason="the resource policy skips it"),
    ]
)
_POD_VOLUME = {
    "spec": {"pod": {"namespace": "shop", "name": "web-0"}, "volume": "files", "uploaderType": "kopia"},
    "status": {"phase": "Completed"},
}
_LEGACY = _NATIVE.to_document(backup_name="b", backup_uid="u")


def description(status: dict[str, Any] | None = None, **more: Any) -> Description:
    backup = {"metadata": {"name": "b"}, "spec": {}, "status": status or {}}
    return Description(backup, manifest=None, results=None, kind_counts={}, archive_bytes=1, **more)


def test_each_volume_is_named_with_what_became_of_it() -> None:
    told = description(volume_infos=_INFOS, pod_volume_backups=[_POD_VOLUME])
    more = "specify --details for more information"
    assert list(volume_lines(told, details=False)) == [
        "Backup Volumes:",
        "  Velero-Native Snapshots:",
        f"    pv-2: succeeded, {more}",
        "",
        "  CSI Snapshots:",
        f"    shop/data: succeeded, {more}",
        "",
        f"  Pod Volume Backups - kopia ({more}):",
        "    Completed:  1",
        "",
        f"  Without a snapshot: 1 volume, {more}",
    ]
    assert list(volume_lines(told, details=True)) == [
        "Backup Volumes:",
        "  Velero-Native Snapshots:",
        "    pv-2:",
        "      Snapshot ID: snap-2",
        "      Type: gp3",
        "      Availability Zone: eu-central-1a",
        "      IOPS: 3000",
        "      Result: succeeded",
        "",
        "  CSI Snapshots:",
        "    shop/data:",
        f"      Operation ID: shop/velero-data-x/{_STARTED}",
        "      Snapshot Content Name: snapcontent-1",
        "      Storage Snapshot ID: handle-1",
        "      Snapshot Size (bytes): 2147483648",
        "      CSI Driver: disk.example",
        "      Result: succeeded",
        "",
        "  Pod Volume Backups - kopia:",
        "    Completed:",
        "      shop/web-0: files",
        "",
        "  Without a snapshot: 1 volume",
        "    shop/cache: the resource policy skips it",
    ]


def test_of_a_backup_without_volume_infos_the_native_snapshots_are_known() -> None:
    text = "\n".join(volume_lines(description(volume_snapshots=[_LEGACY]), details=True))
    assert "    pv-2:\n      Snapshot ID: snap-2\n      Type: gp3" in text
    assert "  CSI Snapshots: <none included or not detectable>" in text


def test_moved_data_is_told() -> None:
    moved = {
        "backupMethod": "CSISnapshot", "snapshotDataMoved": True, "pvcName": "c", "pvcNamespace": "n",
        "snapshotDataMovementInfo": {"size": 7},
    }  # fmt: skip
    lines = list(volume_lines(description(volume_infos=[moved]), details=True))
    assert lines[4:7] == ["    n/c:", "      Data Mover: velero", "      Moved data Size (bytes): 7"]


def test_operations_are_counted_and_with_details_named() -> None:
    status = {"backupItemOperationsAttempted": 2, "backupItemOperationsCompleted": 1, "backupItemOperationsFailed": 1}
    told = description(status, item_operations=[_CSI.operation_document(backup_name="b", backup_uid="u")])
    assert list(operation_lines(told, details=False)) == [
        "Backup Item Operations:  1 of 2 completed successfully, 1 failed (specify --details for more information)",
        "",
    ]
    snapshot = "volumesnapshots.snapshot.storage.k8s.io shop/velero-data-x"
    assert list(operation_lines(told, details=True)) == [
        "Backup Item Operations:",
        f"  Operation for {snapshot}:",
        "    Backup Item Action Plugin:  velero.io/csi-volumesnapshot-backupper",
        f"    Operation ID:               shop/velero-data-x/{_STARTED}",
        "    Items to Update:",
        f"      {snapshot}",
        "      volumesnapshotcontents.snapshot.storage.k8s.io /snapcontent-1",
        "    Phase:                      Completed",
        "    Created:                    2026-11-25 03:00:00 +0000 UTC",
        "    Started:                    2026-11-25 03:00:00 +0000 UTC",
        "    Updated:                    2026-11-25 03:00:09 +0000 UTC",
        "",
    ]
    assert list(operation_lines(description(), details=True)) == []
    assert next(iter(operation_lines(description(status), details=True))) == "Backup Item Operations:  <not there>"


def test_hooks_of_the_spec_are_told_whole() -> None:
    hook = {"exec": {"container": "db", "command": ["/bin/sh", "-c", "sync"], "onError": "Fail", "timeout": "1m0s"}}
    entry = {
        "name": "freeze",
        "includedNamespaces": ["shop", "bank"],
        "excludedResources": ["secrets"],
        "labelSelector": {"matchLabels": {"app": "db"}},
        "pre": [hook],
        "post": [{"exec": {"command": ["true"]}}],
    }
    assert list(hook_lines({"hooks": {"resources": [entry]}})) == [
        "Hooks:",
        "  Resources:",
        "    freeze:",
        "      Namespaces:",
        "        Included:  shop, bank",
        "        Excluded:  <none>",
        "",
        "      Resources:",
        "        Included:  *",
        "        Excluded:  secrets",
        "",
        "      Label selector:  app=db",
        "",
        "      Pre Exec Hook:",
        "        Container:  db",
        "        Command:    /bin/sh -c sync",
        "        On Error:   Fail",
        "        Timeout:    1m0s",
        "",
        "      Post Exec Hook:",
        "        Container:  <first>",
        "        Command:    true",
        "        On Error:   <none>",
        "        Timeout:    30s",
    ]


@pytest.mark.parametrize("hooks", [None, {}, {"resources": []}, {"resources": None}, "odd", {"resources": "odd"}])
def test_no_hooks_are_said_in_a_word(hooks: Any) -> None:
    assert list(hook_lines({"hooks": hooks})) == ["Hooks:  <none>"]


def test_a_resource_policy_is_named() -> None:
    told = description()
    spec = {"resourcePolicy": {"kind": "configmap", "name": "rules"}, "snapshotVolumes": False, "datamover": "own"}
    text = "\n".join(description_lines(Description(**{**vars(told), "backup": {**told.backup, "spec": spec}})))
    assert "Resource policies:\n  Type:  configmap\n  Name:  rules\n" in text
    assert (
        "Velero-Native Snapshot PVs:    false\nSnapshot Move Data:            auto\nData Mover:                    own"
        in text
    )


def test_a_backup_is_described_from_what_is_stored_of_its_volumes(tmp_path: Path) -> None:
    store = write_backup(tmp_path)
    store.put(store.keys.volume_info, gzip.compress(json.dumps(_INFOS).encode()))
    assert describe(store).volume_infos == _INFOS
    assert "    shop/cache: the resource policy skips it" in description_lines(describe(store), listed_items=[])


@pytest.mark.parametrize("body", [b"{}7", b'{"a": 1}', b"[1]"])
def test_what_is_no_list_of_documents_is_named(body: bytes, tmp_path: Path) -> None:
    store: BackupStore = write_backup(tmp_path)
    store.put(store.keys.volume_info, gzip.compress(body))
    with pytest.raises(MalformedObjectError, match=r"small-volumeinfo\.json\.gz: it is no"):
        read_entries(store, store.keys.volume_info)
