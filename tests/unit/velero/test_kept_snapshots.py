"""Each document of a backup that stands for a snapshot says which; those of others are told apart."""

from typing import Any

import pytest

from pinnace.velero.kept_snapshots import (
    CsiSnapshotKept,
    NativeSnapshotKept,
    kept_by_content,
    kept_by_info,
    kept_by_native_entry,
    kept_by_snapshot,
)
from pinnace.velero.label import valid_name

_SECRET = {
    "snapshot.storage.kubernetes.io/deletion-secret-name": "login",
    "snapshot.storage.kubernetes.io/deletion-secret-namespace": "vault",
}
_OURS = {"velero.io/backup-name": "b"}
_KEPT = CsiSnapshotKept("d", "h")


def content(*, labels: Any = _OURS, annotations: Any = None, status: Any = None, **source: str) -> dict[str, Any]:
    metadata = {"name": "c", "labels": labels, "annotations": annotations}
    return {"metadata": metadata, "spec": {"driver": "d", "source": source}, "status": status}


@pytest.mark.parametrize(
    ("document", "listed", "archived"),
    [
        (content(status={"snapshotHandle": "h"}), _KEPT, _KEPT),
        (content(volumeHandle="v", status={"snapshotHandle": "h"}), _KEPT, _KEPT),
        (content(snapshotHandle="h"), _KEPT, _KEPT),
        (content(snapshotHandle="h", annotations=_SECRET), CsiSnapshotKept("d", "h", ("vault", "login")), ...),
        (content(snapshotHandle="h", labels=None), _KEPT, None),
        (content(snapshotHandle="h", labels={"velero.io/backup-name": "another"}), None, None),
        (content(volumeHandle="v"), None, None),
        ({"metadata": {"labels": _OURS}, "status": {"snapshotHandle": "h"}}, None, None),
    ],
)
def test_a_content_needs_the_backups_label_in_an_archive(document: dict[str, Any], listed: Any, archived: Any) -> None:
    assert kept_by_content(document, backup_name="b", needs_label=False) == listed
    assert kept_by_content(document, backup_name="b") == (listed if archived is ... else archived)


def test_the_label_of_a_long_name_is_cut_as_velero_does() -> None:
    name = "b" * 70
    document = content(snapshotHandle="h", labels={"velero.io/backup-name": valid_name(name)})
    assert kept_by_content(document, backup_name=name) == _KEPT
    assert kept_by_content(document, backup_name=name[:57]) is None


@pytest.mark.parametrize(
    ("labels", "handle", "kept"),
    [(_OURS, "h", _KEPT), ({}, "h", None), (_OURS, "", None), ({"velero.io/backup-name": "another"}, "h", None)],
)
def test_a_snapshot_names_its_handle_in_annotations(labels: Any, handle: str, kept: Any) -> None:
    annotations = {"velero.io/csi-driver-name": "d", "velero.io/csi-volumesnapshot-handle": handle}
    document = {"metadata": {"name": "s", "labels": labels, "annotations": annotations}}
    assert kept_by_snapshot(document, backup_name="b") == kept


@pytest.mark.parametrize(
    ("info", "kept"),
    [
        ({"backupMethod": "CSISnapshot", "csiSnapshotInfo": {"driver": "d", "snapshotHandle": "h"}}, _KEPT),
        ({"backupMethod": "CSISnapshot"}, None),
        ({"backupMethod": "CSISnapshot", "csiSnapshotInfo": {"driver": "d"}}, None),
        ({"skipped": True}, None),
        (
            {"backupMethod": "CSISnapshot", "snapshotDataMoved": True,
             "csiSnapshotInfo": {"driver": "d", "snapshotHandle": "h"}},
            None,
        ),
    ],
)  # fmt: skip
def test_an_info_counts_where_its_snapshot_was_kept(info: dict[str, Any], kept: Any) -> None:
    assert kept_by_info(info) == kept


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        (
            {"spec": {"location": "ebs"}, "status": {"providerSnapshotID": "snap-1", "phase": "Completed"}},
            NativeSnapshotKept("ebs", "snap-1"),
        ),
        ({"spec": {"location": "ebs"}, "status": {"phase": "Failed"}}, None),
        ({}, None),
    ],
)
def test_a_native_snapshot_that_failed_is_none(entry: dict[str, Any], kept: Any) -> None:
    assert kept_by_native_entry(entry) == kept


def test_sentences_name_them() -> None:
    assert [str(_KEPT), str(NativeSnapshotKept("ebs", "snap-1"))] == [
        "CSI snapshot h of driver d",
        "snapshot snap-1 in VolumeSnapshotLocation ebs",
    ]
