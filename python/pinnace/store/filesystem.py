"""A folder as a store: an object appears whole under its name or not at all."""

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pinnace.errors import ObjectExistsError, ObjectNotFoundError, StoreError
from pinnace.store.object_store import (
    WRITER_BUDGET_BYTES,
    ObjectInfo,
    ObjectWriter,
    Upload,
    check_directory_prefix,
    check_key,
    refuse_foreign_directories,
)

__all__ = ["FilesystemStore"]

_SUFFIX = ".upload"


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
        with _FileWriter(self, self._path(key), create_only=create_only) as writer:
            writer.write(body)
            writer.commit()

    def open_writer(self, key: str, *, budget_bytes: int = WRITER_BUDGET_BYTES) -> ObjectWriter:
        """Begin an object in a hidden file beside its place; nothing of it is held in memory."""
        del budget_bytes
        return _FileWriter(self, self._path(key), create_only=False)

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Read a range."""
        with self._open(key) as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def chunks(self, key: str, *, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Read in pieces."""
        with self._open(key) as file:
            while chunk := file.read(chunk_bytes):
                yield chunk

    def size(self, key: str) -> int:
        """Tell an object's length."""
        with self._open(key) as file:
            return os.fstat(file.fileno()).st_size

    def exists(self, key: str) -> bool:
        """Tell whether there is an object of that key."""
        return self._path(key).is_file()

    def list_directories(self, prefix: str) -> Iterator[str]:
        """Name the directories that hold an object."""
        folder = self._root / check_directory_prefix(prefix)
        if folder.is_dir():
            yield from sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and _holds_object(entry))

    def list_keys(self, prefix: str) -> Iterator[ObjectInfo]:
        """List finished objects."""
        for path in self._files(prefix):
            if not _is_upload(path):
                status = path.stat()
                key = path.relative_to(self._root).as_posix()
                yield ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """Remove an object and a directory that it leaves empty."""
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
            self._remove_if_empty(path.parent)
        except OSError as error:
            raise self.error("delete", error) from error

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """List hidden files of unfinished writes."""
        for path in self._files(prefix):
            if _is_upload(path):
                name, _, _ = path.name.removeprefix(".").removesuffix(_SUFFIX).rpartition(".")
                key = (path.parent.relative_to(self._root) / name).as_posix()
                yield Upload(key, path.name, datetime.fromtimestamp(path.stat().st_mtime, UTC))

    def abort_upload(self, upload: Upload) -> None:
        """Remove a hidden file."""
        path = self._path(upload.key).parent / upload.upload_id
        try:
            path.unlink(missing_ok=True)
            self._remove_if_empty(path.parent)
        except OSError as error:
            raise self.error("abort", error) from error

    def validate(self) -> None:
        """Make the folder if it is not there, and look for directories that Velero refuses."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.error("create", error) from error
        refuse_foreign_directories(self.list_directories(""), location=self.location)

    def error(self, action: str, error: OSError) -> StoreError:
        """Name the folder, what was done and why it failed."""
        reason = error.strerror or str(error)
        return StoreError(location=self.location, action=action, reason=reason, fix="look at its rights and free space")

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise ObjectNotFoundError(location=self.location, action=f"read {key}", reason="no such object") from error
        except OSError as error:
            raise self.error(f"read {key}", error) from error

    def _files(self, prefix: str) -> Iterator[Path]:
        folder = self._root / check_directory_prefix(prefix)
        return (path for path in sorted(folder.rglob("*")) if path.is_file()) if folder.is_dir() else iter(())

    def _remove_if_empty(self, folder: Path) -> None:
        while folder != self._root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


class _FileWriter(ObjectWriter):
    def __init__(self, store: FilesystemStore, path: Path, *, create_only: bool) -> None:
        super().__init__()
        self._store = store
        self._path = path
        self._create_only = create_only
        self._hidden = path.parent / f".{path.name}.{secrets.token_hex(8)}{_SUFFIX}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._hidden.open("xb")
        except OSError as error:
            raise store.error(f"write {path.name}", error) from error

    def write(self, chunk: bytes) -> None:
        self._check_open()
        try:
            self._file.write(chunk)
        except OSError as error:
            raise self._store.error(f"write {self._path.name}", error) from error
        self.bytes_written += len(chunk)

    def commit(self) -> None:
        self._check_open()
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if self._create_only:
                os.link(self._hidden, self._path)
                self._hidden.unlink()
            else:
                self._hidden.rename(self._path)
            _sync_folder(self._path.parent)
        except FileExistsError as error:
            raise ObjectExistsError(
                location=self._store.location, action=f"create {self._path.name}", reason="it exists"
            ) from error
        except OSError as error:
            raise self._store.error(f"write {self._path.name}", error) from error
        self._ended = True

    def abort(self) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            self._file.close()
            self._hidden.unlink(missing_ok=True)
        except OSError as error:
            raise self._store.error(f"abort {self._path.name}", error) from error


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


def _holds_object(folder: Path) -> bool:
    return any(path.is_file() and not _is_upload(path) for path in folder.rglob("*"))
