"""A backup whose volumes were kept outside of the bucket is not deleted, since that would stay unseen."""

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from pinnace.dispatcher.snapshot_removal import RefuseSnapshots
from pinnace.errors import MalformedObjectError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore


def store(folder: Path, **documents: Any) -> BackupStore:
    made = BackupStore(FilesystemStore(folder), "b")
    for suffix, document in documents.items():
        body = document if isinstance(document, bytes) else gzip.compress(orjson.dumps(document))
        made.put(f"backups/b/b-{suffix.replace('_', '-')}.json.gz", body)
    return made


@pytest.mark.parametrize(
    ("documents", "sentences"),
    [
        ({}, []),
        ({"volumesnapshots": None, "podvolumebackups": None, "volumeinfo": []}, []),
        ({"volumeinfo": [{"skipped": True}, {"backupMethod": "NativeSnapshot"}]}, []),
        ({"volumesnapshots": [{}, {}]}, ["2 native volume snapshots"]),
        ({"volumeinfo": [{"backupMethod": "CSISnapshot"}], "podvolumebackups": [{}]},
         ["1 pod volume backups", "1 CSI snapshots"]),
        ({"csi_volumesnapshots": [{}]}, ["1 CSI snapshots"]),
    ],
)  # fmt: skip
def test_each_way_of_keeping_volumes_is_named(tmp_path: Path, documents: dict[str, Any], sentences: list[str]) -> None:
    rest = "which pinnace can't remove; delete it with the Velero that made it"
    expected = [f"backup b has {sentence}, {rest}" for sentence in sentences]
    assert RefuseSnapshots().remove(store(tmp_path, **documents)) == expected


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"{"), gzip.compress(b"{}"), gzip.compress(b"[1]")])
def test_a_list_that_cant_be_read_is_not_taken_for_none(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(MalformedObjectError, match=r"backups/b/b-volumesnapshots"):
        RefuseSnapshots().remove(store(tmp_path, volumesnapshots=body))
