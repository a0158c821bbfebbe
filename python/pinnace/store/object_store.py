"""What a store is: the few verbs that a bucket and a folder share, so that nothing above knows which it has.

Keys are relative to the store's prefix (`backups/<B>/velero-backup.json`) and never begin with a slash; a `prefix`
argument is "" or a directory with its slash. Every failure is a `StoreError`. No verb sets a Content-Encoding: Go
clients would unzip in transit and fail at their own gunzip.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

from pinnace import errors
from pinnace.velero import object_store_layout

__all__ = [
    "WRITER_BUDGET_BYTES",
    "ObjectInfo",
    "ObjectStore",
    "ObjectWriter",
    "StretchPlace",
    "StretchWriter",
    "Upload",
    "Writer",
    "check_directory_prefix",
    "check_key",
    "is_key",
    "refuse_foreign_directories",
]

WRITER_BUDGET_BYTES = 24 << 20
"""What one writer may hold in memory, its filling buffer included."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object as a listing shows it."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Upload:
    """A write that began and was neither committed nor aborted.

    `started` is when a bucket opened it; a folder knows only when it was last written to, which is later.
    """

    key: str
    upload_id: str
    started: datetime


@dataclass(frozen=True)
class StretchPlace:
    """Which stretch of a large object another process writes: `number` from 1, of `stretch_count` with the beginning.

    `upload_id` is what the object's own writer gave (`ObjectWriter.share`). What is stored beside the object lies in
    `folder`, a directory with its slash; without one it is the object's own.
    """

    upload_id: str
    number: int
    stretch_count: int
    folder: str = ""

    def beside(self, key: str, ending: str) -> str:
        """Name what belongs to the object `key` and is stored beside it."""
        folder, slash, name = key.rpartition("/")
        return f"{self.folder or folder + slash}{name}.{ending}"


class Writer(ABC):
    """Takes a stream of bytes; leaving the `with` block aborts what was not ended."""

    def __init__(self) -> None:
        self.bytes_written = 0
        self._ended = False

    @abstractmethod
    def write(self, chunk: bytes) -> None:
        """Take the next bytes, of any number; blocks while the store is slower than the writer."""

    @abstractmethod
    def abort(self) -> None:
        """Remove what was stored so far; does nothing once it was ended or aborted."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.abort()
        except errors.StoreError as abort_error:
            if error is None:
                raise
            error.add_note(f"and its upload could not be aborted: {abort_error}")

    def _check_open(self) -> None:
        if self._ended:
            raise ValueError("this writer was committed or aborted")


class ObjectWriter(Writer):
    """One object being written, which appears whole at `commit()`."""

    @abstractmethod
    def commit(self) -> None:
        """Make the object visible; after it the writer takes nothing more."""

    @abstractmethod
    def share(self, *, stretch_count: int) -> str:
        """Before the first byte: let other processes write stretches of it; gives the id by which they find it."""

    @abstractmethod
    def append(self, stretch: Mapping[str, Any]) -> None:
        """Go on with the next stretch, as its writer's `finish()` gave it."""


class StretchWriter(Writer):
    """A stretch of an object that another process writes and commits."""

    @abstractmethod
    def finish(self) -> dict[str, Any]:
        """Store the rest; gives what `ObjectWriter.append` wants, which can be written as JSON."""


class ObjectStore(Protocol):
    """A bucket or a folder."""

    @property
    def location(self) -> str:
        """What sentences call this store; holds no secret."""

    def put(self, key: str, body: bytes, *, create_only: bool = False) -> None:
        """Store a small object whole.

        With `create_only` an existing object is never replaced: ObjectExistsError, or ConditionUnsupportedError
        from a store that can't promise it.
        """

    def open_writer(
        self, key: str, *, budget_bytes: int = WRITER_BUDGET_BYTES, create_only: bool = False
    ) -> ObjectWriter:
        """Begin a large object; the writer holds at most `budget_bytes` in memory.

        With `create_only` its `commit()` replaces no object: ObjectExistsError. A store that can't promise it does
        what it can, since the bytes are gone by then.
        """

    def open_stretch(self, key: str, place: StretchPlace) -> StretchWriter:
        """Begin a stretch of a large object; one that was begun before, and given up, is replaced."""

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Read a range; past the end there is nothing, as in a file. ObjectNotFoundError."""

    def chunks(self, key: str, *, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Read an object of any size in pieces of at most `chunk_bytes`. ObjectNotFoundError."""

    def size(self, key: str) -> int:
        """Tell an object's length. ObjectNotFoundError."""

    def exists(self, key: str) -> bool:
        """Tell whether there is an object of that key."""

    def list_directories(self, prefix: str) -> Iterator[str]:
        """Name the directories right below a prefix that hold an object, sorted, without slashes."""

    def list_keys(self, prefix: str) -> Iterator[ObjectInfo]:
        """List the objects at any depth below a prefix, in no promised order."""

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is removed already."""

    def check_unlocked(self, key: str) -> None:
        """Refuse an object that may not be removed yet; ObjectLockedError. One that is not there may be."""

    def presigned_get(self, key: str, *, expires_seconds: int) -> str:
        """Make a URL that reads one object for so long, whether it is there or not; StoreError where there is none."""

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """List the unfinished writes below a prefix."""

    def abort_upload(self, upload: Upload) -> None:
        """Remove an unfinished write; one that is not there is removed already."""

    def validate(self) -> None:
        """Check that the store can be reached and that Velero accepts what lies at its prefix; changes nothing.

        Costs a listing: for those who will write. A reader finds out with its first read.
        """

    def prepare(self) -> None:
        """Make the store ready to be written to, then validate it; a folder is made, a bucket must be there."""


def is_key(key: str) -> bool:
    """Tell whether it is a key that a folder could hold inside itself and a bucket spells in one way."""
    return bool(key) and "\0" not in key and not any(part in ("", ".", "..") for part in key.split("/"))


def check_key(key: str) -> str:
    """Refuse what is no key; ValueError, since keys are made here and not by users."""
    if not is_key(key):
        raise ValueError(f"not an object key: {key!r}")
    return key


def check_directory_prefix(prefix: str) -> str:
    """Refuse a prefix that is not "" or a directory with its slash: `backups/a` would also list `backups/ab`."""
    if prefix:
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix ends with a slash: {prefix!r}")
        check_key(prefix[:-1])
    return prefix


def refuse_foreign_directories(directories: Iterator[str], *, location: str) -> None:
    """Apply Velero's rule for the prefix's top level, in Velero's words (object_store.go)."""
    foreign = sorted(name for name in directories if name not in object_store_layout.PERMITTED_DIRECTORIES)
    if not foreign:
        return
    if len(foreign) > 3:
        listed = f"{len(foreign)} invalid top-level directories: [{' '.join(foreign[:3])} ...]"
    else:
        listed = f"invalid top-level directories: [{' '.join(foreign)}]"
    raise errors.StoreError(
        location=location,
        action="validate",
        reason=f"Backup store contains {listed}",
        fix="point the location at a prefix of its own, or move these directories away",
    )
