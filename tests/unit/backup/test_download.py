"""A download is whole or not there, and never takes the place of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pinnace.backup.download import download
from pinnace.errors import BackupNotFoundError, StoreError, UsageError
from pinnace.store.backup_store import BackupStore
from unit.backup.small_backup import golden_store


def test_an_archive_is_written_as_it_is(tmp_path: Path) -> None:
    store = BackupStore(golden_store(), "golden-all")
    assert download(store, tmp_path / "a.tar.gz").read_bytes() == store.read(store.keys.archive)


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(UsageError, match="a exists; give another file with --to"):
        download(BackupStore(golden_store(), "golden-all"), tmp_path / "a")
    assert (tmp_path / "a").read_text() == "mine"


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--to .*/none/a: No such file or directory"):
        download(BackupStore(golden_store(), "golden-all"), tmp_path / "none" / "a")


def test_a_store_that_fails_in_the_middle_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = BackupStore(golden_store(), "golden-all")

    def broken(_: str) -> Iterator[bytes]:
        yield b"first"
        raise StoreError(location="bucket b", action="s3:GetObject", reason="cut off")

    monkeypatch.setattr(store, "chunks", broken)
    with pytest.raises(StoreError, match="cut off"):
        download(store, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_is_not_there_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(BackupNotFoundError):
        download(BackupStore(golden_store(), "nowhere"), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
