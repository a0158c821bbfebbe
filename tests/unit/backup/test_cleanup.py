"""Left-over uploads are those that began long enough ago."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pinnace.backup.cleanup import abort, left_over
from pinnace.errors import UsageError
from pinnace.store.filesystem import FilesystemStore


def test_only_uploads_that_are_old_enough_are_listed_and_aborted(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    writer = store.open_writer("backups/b/b.tar.gz")
    writer.write(b"x")
    now = datetime.now(UTC)
    assert left_over(store, older_than_seconds=3600, now=now) == []
    old = left_over(store, older_than_seconds=3600, now=now + timedelta(hours=2))
    assert [upload.key for upload in old] == ["backups/b/b.tar.gz"]
    abort(store, old)
    assert list(store.uploads("backups/")) == []


def test_an_age_that_a_going_run_may_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1m"):
        left_over(FilesystemStore(tmp_path), older_than_seconds=1, now=datetime.now(UTC))
