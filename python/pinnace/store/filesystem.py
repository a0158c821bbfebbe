"""A folder as a store: an object appears whole under its name or not at all.

Backups hold Secrets: new folders are 0700 and files 0600, whatever the umask says.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from pinnace.errors import ConditionUnsupportedError, ObjectExistsError, ObjectNotFoundError, StoreError
from pinnace.store.object_store import (
    WRITER_BUDGET_BYTES,
    ObjectInfo,
    ObjectWriter,
    StretchPlace,
    StretchWriter,
    Upload,
    Writer,
    check_directory_prefix,
    check_key,
    refuse_foreign_directories,
)

__all__ = ["FilesystemStore"]

_SUFFIX = ".upload"
_COPY_BYTES = 1 << 20
_FILE_MODE = 0o600
_FOLDER_MODE = 0o700

_FULL = "make room, or choose another folder with --store"
_RIGHTS = "grant this user the right, or choose another folder with --store"
_FIXES: Mapping[int, str] = {
    errno.EACCES: _RIGHTS,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "raise this process's limit for files (ulimit -f), or choose another folder with --store",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOSPC: _FULL,
    errno.ENOTDIR: "move the file away that is in its place, or choose another folder with --store",
    errno.EPERM: _RIGHTS,
    errno.EROFS: "mount it for writing, or choose another folder with --store",
}


class FilesystemStore:
    """Objects below `root`; unfinished writes are hidden files (`.<name>.<hex>.upload`) beside their object."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def location(self) -> str:
        """`folder /srv/backups`."""
        return f"folder {self._root}"

    def put(self, key: str, body: bytes, *, create_only: bool = False) -> None:
        """Store a small object whole, by a link that fails where the name is taken if `create_only`."""
        with _FileWriter(self, key, self._path(key), create_only=create_only) as writer:
            writer.write(body)
            writer.commit()

    def open_writer(
        self, key: str, *, budget_bytes: int = WRITER_BUDGET_BYTES, create_only: bool = False
    ) -> ObjectWriter:
        """Begin an object in a hidden file beside its place; nothing of it is held in memory."""
        del budget_bytes
        return _FileWriter(self, key, self._path(key), create_only=create_only, is_strict=False)

    def open_stretch(self, key: str, place: StretchPlace) -> StretchWriter:
        """Begin a hidden file, which the object's own writer appends."""
        return _FileStretch(self, key, self._path(key), number=place.number)

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Read a range."""
        with self._open(key) as file, self.explained(f"read {key}"):
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def chunks(self, key: str, *, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Read in pieces."""
        with self._open(key) as file, self.explained(f"read {key}"):
            while chunk := file.read(chunk_bytes):
                yield chunk

    def size(self, key: str) -> int:
        """Tell an object's length."""
        with self._open(key) as file:
            return os.fstat(file.fileno()).st_size

    def exists(self, key: str) -> bool:
        """Tell whether there is an object of that key."""
        try:
            self.size(key)
        except ObjectNotFoundError:
            return False
        return True

    def list_directories(self, prefix: str) -> Iterator[str]:
        """Name the directories that hold an object."""
        self._check_root()
        folder = self._root / check_directory_prefix(prefix)
        with self.explained("list"):
            names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
        for name in names:
            if next(self.list_keys(f"{prefix}{name}/"), None) is not None:
                yield name

    def list_keys(self, prefix: str) -> Iterator[ObjectInfo]:
        """List finished objects."""
        for path, status in self._files(prefix):
            if not _is_upload(path):
                key = path.relative_to(self._root).as_posix()
                yield ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """Remove an object and a directory that it leaves empty."""
        self._remove(self._path(key), action=f"delete {key}")

    def check_unlocked(self, key: str) -> None:
        """Files are never locked in this sense; whether they may be removed shows when they are."""
        check_key(key)

    def presigned_get(self, key: str, *, expires_seconds: int) -> str:
        """Refuse: nobody serves a folder."""
        del expires_seconds
        raise StoreError(
            location=self.location,
            action=f"presign {check_key(key)}",
            reason="a folder has no URLs",
            fix="read it here: `pinnace backup logs` and `pinnace backup download` take --store",
        )

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """List hidden files of unfinished writes."""
        for path, status in self._files(prefix):
            if _is_upload(path):
                name, _, _ = path.name.removeprefix(".").removesuffix(_SUFFIX).rpartition(".")
                key = (path.parent.relative_to(self._root) / name).as_posix()
                yield Upload(key, path.name, datetime.fromtimestamp(status.st_mtime, UTC))

    def abort_upload(self, upload: Upload) -> None:
        """Remove a hidden file."""
        self._remove(self._path(upload.key).parent / upload.upload_id, action=f"abort {upload.key}")

    def validate(self) -> None:
        """Look whether the folder is there, and for directories that Velero refuses."""
        self._check_root()
        refuse_foreign_directories(self.list_directories(""), location=self.location)

    def prepare(self) -> None:
        """Make the folder if it is not there, and validate it."""
        with self.explained("create it"):
            self.make_folder(self._root)
        self.validate()

    def make_folder(self, folder: Path) -> None:
        """Make a folder, and those above it, for this user alone; raises OSError. One that is there keeps its mode."""
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)

    @contextmanager
    def explained(self, action: str) -> Iterator[None]:
        """Turn an OSError into a sentence that names folder, action, reason and fix."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno == errno.EEXIST:
                reason, fix = "a file is in the place of a folder", _FIXES[errno.ENOTDIR]
            else:
                fix = _FIXES.get(error.errno or 0, "look at its file system")
            raise StoreError(location=self.location, action=action, reason=reason, fix=fix) from error

    def _check_root(self) -> None:
        if not self._root.is_dir():
            reason = "not a folder" if self._root.exists() else "not there"
            raise StoreError(location=self.location, action="look", reason=reason, fix="correct its path in --store")

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _open(self, key: str) -> BinaryIO:
        with self.explained(f"read {key}"):
            try:
                return self._path(key).open("rb")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
                self._check_root()
                raise ObjectNotFoundError(
                    location=self.location, action=f"read {key}", reason="no such object"
                ) from error

    def _files(self, prefix: str) -> Iterator[tuple[Path, os.stat_result]]:
        """Walk the files below a prefix; what vanishes meanwhile is gone, a folder that can't be read is an error."""
        self._check_root()
        with self.explained("list"):
            for folder, folders, names in os.walk(
                self._root / check_directory_prefix(prefix), onerror=_raise_unless_gone
            ):
                folders.sort()
                for name in sorted(names):
                    path = Path(folder, name)
                    with suppress(FileNotFoundError):
                        yield path, path.stat()

    def _remove(self, path: Path, *, action: str) -> None:
        with self.explained(action):
            with suppress(NotADirectoryError, IsADirectoryError):
                path.unlink(missing_ok=True)
            folder = path.parent
            while folder != self._root and folder.is_dir() and not any(folder.iterdir()):
                # Another run may be faster, or just now put something into it.
                with suppress(FileNotFoundError):
                    folder.rmdir()
                folder = folder.parent


class _HiddenFile(Writer):
    """A file that no listing shows; `flags` say what becomes of one that is there."""

    def __init__(self, store: FilesystemStore, key: str, hidden: Path, *, flags: int) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._hidden = hidden
        with store.explained(f"write {key}"):
            store.make_folder(hidden.parent)
            self._file = os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | flags, _FILE_MODE), "wb")

    def write(self, chunk: bytes) -> None:
        self._check_open()
        with self._store.explained(f"write {self._key}"):
            self._file.write(chunk)
        self.bytes_written += len(chunk)

    def abort(self) -> None:
        if self._ended:
            return
        self._ended = True
        # Closing writes what is buffered, which fails again on a full disk; the file must go all the same.
        with suppress(OSError):
            self._file.close()
        with self._store.explained(f"abort {self._key}"):
            self._hidden.unlink(missing_ok=True)


class _FileWriter(_HiddenFile, ObjectWriter):
    """With `create_only` but not `is_strict`, a file system without links is looked at first and then written to."""

    def __init__(
        self, store: FilesystemStore, key: str, path: Path, *, create_only: bool, is_strict: bool = True
    ) -> None:
        super().__init__(store, key, path.parent / f".{path.name}.{secrets.token_hex(8)}{_SUFFIX}", flags=os.O_EXCL)
        self._is_strict = is_strict
        self._path = path
        self._create_only = create_only

    def commit(self) -> None:
        self._check_open()
        with self._store.explained(f"write {self._key}"):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if self._create_only:
                self._link()
            else:
                self._hidden.rename(self._path)
            _sync_folder(self._path.parent)
        self._ended = True

    def _link(self) -> None:
        """Give the file its name, which fails where the name is taken; not every file system has links."""
        location, action = self._store.location, f"create {self._key}"
        try:
            os.link(self._hidden, self._path)
        except FileExistsError as error:
            raise ObjectExistsError(location=location, action=action, reason="it exists") from error
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                if not self._is_strict and not self._path.exists():
                    self._hidden.rename(self._path)
                    return
                raise ConditionUnsupportedError(location=location, action=action, reason="no links here") from error
            raise
        self._hidden.unlink()

    def share(self, *, stretch_count: int) -> str:
        del stretch_count
        return ""

    def append(self, stretch: Mapping[str, Any]) -> None:
        self._check_open()
        hidden = _stretch_file(self._path, number=stretch["number"])
        with self._store.explained(f"write {self._key}"):
            with hidden.open("rb") as source:
                shutil.copyfileobj(source, self._file, _COPY_BYTES)
                appended_bytes = source.tell()
            hidden.unlink()
        if appended_bytes != stretch["bytes"]:
            reason = f"stretch {stretch['number']} has {appended_bytes:,} bytes, not {stretch['bytes']:,}"
            raise StoreError(location=self._store.location, action=f"write {self._key}", reason=reason)
        self.bytes_written += appended_bytes


class _FileStretch(_HiddenFile, StretchWriter):
    """A hidden file of a name that its number gives, so that who writes it again writes over it."""

    def __init__(self, store: FilesystemStore, key: str, path: Path, *, number: int) -> None:
        super().__init__(store, key, _stretch_file(path, number=number), flags=os.O_TRUNC)
        self._number = number

    def finish(self) -> dict[str, Any]:
        self._check_open()
        with self._store.explained(f"write {self._key}"):
            self._file.close()
        self._ended = True
        return {"number": self._number, "bytes": self.bytes_written}


def _stretch_file(path: Path, *, number: int) -> Path:
    return path.parent / f".{path.name}.stretch-{number}{_SUFFIX}"


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, up to two levels: the backup's folder may be new."""
    for path in (folder, folder.parent):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_upload(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error
