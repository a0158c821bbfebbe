"""What the bucket says of one Backup, which is found by its uid and not by its name."""

from pathlib import Path
from typing import Any

import pytest

from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        (None, None),
        (b'{"metadata": {"uid": "ours"}, "status": {"phase": "Completed"}}', {"phase": "Completed"}),
        (b'{"metadata": {"uid": "another"}, "status": {"phase": "Completed"}}', None),
        (b'{"metadata": {}, "status": {"phase": "Completed"}}', None),
        (b"[]", None),
        (b"no JSON", None),
    ],
)
def test_only_the_backup_of_the_uid_counts_as_committed(
    tmp_path: Path, metadata: bytes | None, status: dict[str, Any] | None
) -> None:
    store = BackupStore(FilesystemStore(tmp_path), "nightly")
    if metadata is not None:
        store.commit_metadata(metadata)
    assert store.committed_status(uid="ours") == status
