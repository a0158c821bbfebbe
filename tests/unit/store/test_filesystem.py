"""A folder that is private, and that says what is wrong with it."""

import os
import resource
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pinnace.errors import ConditionUnsupportedError, ObjectNotFoundError, StoreError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore

_NOBODY = 65534
_READS: tuple[Callable[[FilesystemStore], object], ...] = (
    lambda store: store.get("backups/b/x"),
    lambda store: store.size("backups/b/x"),
    lambda store: store.exists("backups/b/x"),
    lambda store: list(store.chunks("backups/b/x")),
    lambda store: list(store.list_keys("")),
    lambda store: list(store.list_directories("backups/")),
    lambda store: list(store.uploads("")),
    lambda store: store.validate(),
)


def modes(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root.parent).as_posix(): oct(stat.S_IMODE(path.stat().st_mode))
        for path in (root, *root.rglob("*"))
    }


def write_large(store: FilesystemStore, *, mebibytes: int) -> None:
    with store.open_writer("backups/b/large") as writer:
        for _ in range(mebibytes):
            writer.write(bytes(1 << 20))
        writer.commit()


def fill(folder: Path) -> None:
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights, where the tests run as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def foreign_folder() -> Iterator[Path]:
    """A folder that whoever runs `as_nobody` may enter and read, but not write to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "backups").mkdir()
        for path in (folder / "backups", folder):
            path.chmod(0o555)
        yield folder
        folder.chmod(0o755)


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a file system can't be mounted here: no root")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_new_folders_and_files_are_for_this_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = FilesystemStore(tmp_path / "srv" / "store")
        store.prepare()
        store.put("backups/b/x", b"x", create_only=True)
        write_large(store, mebibytes=1)
        left = store.open_writer("backups/b/y")
    finally:
        os.umask(before)
    found = modes(tmp_path / "srv")
    (hidden,) = [path for path in found if path.endswith(".upload")]
    left.abort()
    assert found == {
        "srv": "0o700",
        "srv/store": "0o700",
        "srv/store/backups": "0o700",
        "srv/store/backups/b": "0o700",
        "srv/store/backups/b/x": "0o600",
        "srv/store/backups/b/large": "0o600",
        hidden: "0o600",
    }


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    FilesystemStore(tmp_path).prepare()
    assert modes(tmp_path) == {tmp_path.name: "0o755"}


@pytest.mark.parametrize("read", _READS)
def test_reading_makes_no_folder_and_says_that_there_is_none(tmp_path: Path, read: Callable[..., object]) -> None:
    root = tmp_path / "none"
    with pytest.raises(StoreError) as missing:
        read(FilesystemStore(root))
    assert str(missing.value) == f"folder {root}: look: not there; correct its path in --store"
    assert not isinstance(missing.value, ObjectNotFoundError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read", _READS)
def test_a_file_in_place_of_the_folder_is_told_to_readers(tmp_path: Path, read: Callable[..., object]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"folder .*/file: look: not a folder; correct its path"):
        read(FilesystemStore(tmp_path / "file"))


def test_a_file_in_the_way_is_told_to_writers(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FilesystemStore(tmp_path / "file")
    writes: tuple[Callable[[], object], ...] = (
        store.prepare,
        lambda: store.put("backups/b/x", b""),
        lambda: FilesystemStore(tmp_path / "file" / "deeper").prepare(),
        lambda: FilesystemStore(tmp_path).put("file/x", b""),
    )
    for write in writes:
        with pytest.raises(StoreError, match="a file is in the place of a folder; move the file away"):
            write()


def test_a_full_disk_is_told_and_leaves_nothing(tiny_folder: Path) -> None:
    store = FilesystemStore(tiny_folder)
    with pytest.raises(StoreError) as full:
        write_large(store, mebibytes=8)
    assert str(full.value) == (
        f"folder {tiny_folder}: write backups/b/large: No space left on device; "
        "make room, or choose another folder with --store"
    )
    assert (list(store.uploads("")), list(store.list_keys(""))) == ([], [])
    write_large(store, mebibytes=2)


def test_a_full_disk_that_is_noticed_only_at_the_end_leaves_nothing_either(tiny_folder: Path) -> None:
    """The last bytes wait in a buffer, and writing them fails once more when the file is closed."""
    store = FilesystemStore(tiny_folder)
    writer = store.open_writer("backups/b/x")
    writer.write(b"x")
    fill(tiny_folder)
    with pytest.raises(StoreError, match="No space left on device"):
        writer.commit()
    writer.abort()
    assert list(store.uploads("")) == []


def test_a_file_beyond_the_limit_of_the_process_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, limits[1]))
    try:
        with pytest.raises(StoreError) as refused:
            write_large(store, mebibytes=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(refused.value) == (
        f"folder {tmp_path}: write backups/b/large: File too large; "
        "raise this process's limit for files (ulimit -f), or choose another folder with --store"
    )
    assert (list(store.uploads("")), list(store.list_keys(""))) == ([], [])


def test_a_folder_without_the_right_to_write_is_told(foreign_folder: Path) -> None:
    store = FilesystemStore(foreign_folder)
    writes: tuple[Callable[[], object], ...] = (
        lambda: store.put("backups/x", b""),
        lambda: store.open_writer("backups/b/x"),
        lambda: FilesystemStore(foreign_folder / "new").prepare(),
    )
    for write in writes:
        with as_nobody(), pytest.raises(StoreError) as refused:
            write()
        assert str(refused.value).endswith(
            ": Permission denied; grant this user the right, or choose another folder with --store"
        )


def test_what_may_not_be_read_is_an_error_and_not_an_empty_list(foreign_folder: Path) -> None:
    store = FilesystemStore(foreign_folder)
    (foreign_folder / "backups").chmod(0o755)
    store.put("backups/b/x", b"x")
    for list_it in (store.list_keys, store.uploads):
        with as_nobody(), pytest.raises(StoreError, match=r"folder .*: list: Permission denied; grant this user"):
            list(list_it(""))
    for read in (store.get, store.exists, store.delete):
        with as_nobody(), pytest.raises(StoreError, match="Permission denied; grant this user the right"):
            read("backups/b/x")


def test_a_file_system_without_links_has_no_conditional_create_and_the_metadata_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    store = FilesystemStore(tmp_path)
    with pytest.raises(ConditionUnsupportedError):
        store.put("backups/b/x", b"", create_only=True)
    assert "has no conditional create" in BackupStore(store, "b").commit_metadata(b"{}")
    assert store.get("backups/b/velero-backup.json") == b"{}"
    assert list(store.uploads("")) == []


def test_a_deleted_object_takes_its_empty_folders_with_it(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    store.put("backups/b/x", b"")
    store.delete("backups/b/x")
    assert list(tmp_path.iterdir()) == []
