"""The backup's log object: logrus text lines as Velero's, gzipped as they are written."""

import hashlib
import logging
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pinnace.errors import AttemptLostError, BackupExistsError, PinnaceError
from pinnace.store.object_store import ObjectWriter
from pinnace.velero import results
from pinnace.velero.backup import Backup
from pinnace.velero.log_line import log_line

__all__ = ["LEVELS", "LOGGER", "VeleroLog", "left_on_failure"]

LOGGER = logging.getLogger("pinnace.run")
"""Every line goes to it too; what people see of it, if anything, is set up in `pinnace.logs`."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_GZIP_WINDOW = 31
_PACKAGES = Path(__file__).parents[2]
_NO_SOURCES = (__file__, results.__file__)
"""Files that only pass a line on; `logSource` is the first caller that is none of them."""


class VeleroLog:
    """Writes lines at `level` and above; every line has `backup` and `logSource`, the place of ours that wrote it."""

    def __init__(
        self, writer: ObjectWriter, *, backup: Backup, clock: Callable[[], datetime], level: str = "info"
    ) -> None:
        self._writer = writer
        self._backup = f"{backup.namespace}/{backup.name}"
        self._clock = clock
        self._least = LEVELS[level]
        self._deflate = zlib.compressobj(wbits=_GZIP_WINDOW)
        self._lock = threading.Lock()
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, traceback)

    @property
    def is_debug(self) -> bool:
        """Tell whether lines at debug are written; those of items cost time to make."""
        return self._least <= logging.DEBUG

    @property
    def digest(self) -> tuple[int, str]:
        """Bytes and SHA-256 of the object, after `commit()`."""
        return self._writer.bytes_written, self._hash.hexdigest()

    def debug(self, message: str, **fields: str | int) -> None:
        """Write a line at debug: what concerns one item."""
        self._line("debug", message, fields)

    def info(self, message: str, **fields: str | int) -> None:
        """Write a line at info: what concerns a kind or a page."""
        self._line("info", message, fields)

    def entry(self, entry: results.Entry) -> None:
        """Write a result at its severity."""
        fields = {"resource": entry.resource, "name": entry.name, "error": entry.error}
        kept: dict[str, str | int] = {**entry.fields, **{key: value for key, value in fields.items() if value}}
        if entry.namespace is not None:
            kept["namespace"] = entry.namespace
        self._line(entry.severity, entry.message, kept)

    def append(self, chunks: Iterable[bytes]) -> None:
        """Go on with the whole of another log, as it is stored: gzip members can follow each other."""
        with self._lock:
            self._write(self._deflate.flush())
            self._deflate = zlib.compressobj(wbits=_GZIP_WINDOW)
            for chunk in chunks:
                self._write(chunk)

    def commit(self) -> None:
        """End the gzip stream and the object."""
        with self._lock:
            self._write(self._deflate.flush())
            self._writer.commit()

    def _line(self, level: str, message: str, fields: Mapping[str, str | int]) -> None:
        LOGGER.log(LEVELS[level], "%s", message, extra={"fields": fields})
        if LEVELS[level] < self._least:
            return
        whole = {**fields, "backup": self._backup, "logSource": _source()}
        line = log_line(self._clock(), level, message, whole)
        with self._lock:
            self._write(self._deflate.compress(line.encode()))

    def _write(self, ready: bytes) -> None:
        if ready:
            self._hash.update(ready)
            self._writer.write(ready)


@contextmanager
def left_on_failure(log: VeleroLog, *, may_write: Callable[[], bool]) -> Iterator[None]:
    """Commit the log also when the run fails, with its reason as the last line; the first error is what is raised.

    Not where the log of that name may be another's: of a run that was first, or of another attempt.
    """
    try:
        yield
    except (AttemptLostError, BackupExistsError):
        raise
    except Exception as error:
        if not may_write():
            raise
        with suppress(PinnaceError, ValueError):  # ValueError: it was committed already
            log.entry(results.Entry("error", "backup failed", error=str(error)))
            log.commit()
        raise


def _source() -> str:
    """File and line of the caller outside of the files that only pass lines on: `pinnace/backup/run.py:123`."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename in _NO_SOURCES and frame.f_back is not None:
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    shown = path.relative_to(_PACKAGES).as_posix() if path.is_relative_to(_PACKAGES) else path.name
    return f"{shown}:{frame.f_lineno}"
