"""The backup's log object: logrus text lines, gzipped as they are written."""

import re
import threading
import zlib
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

from pinnace.store.object_store import ObjectWriter
from pinnace.velero.backup import Backup
from pinnace.velero.results import Entry
from pinnace.velero.timestamps import timestamp

__all__ = ["VeleroLog"]

_BARE = re.compile(r"[A-Za-z0-9\-._/@^+]+")
_LOG_SOURCE = "pinnace/backup"
_GZIP_WINDOW = 31


def _quoted(value: str) -> str:
    """Quote as logrus does: only values with other characters than these."""
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


class VeleroLog:
    """Writes lines with Velero's keys: time, level, msg, then the other fields sorted (section 7 of the facts)."""

    def __init__(self, writer: ObjectWriter, *, backup: Backup, clock: Callable[[], datetime]) -> None:
        self._writer = writer
        self._backup = f"{backup.namespace}/{backup.name}"
        self._clock = clock
        self._deflate = zlib.compressobj(wbits=_GZIP_WINDOW)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, traceback)

    def info(self, message: str, **fields: str) -> None:
        """Write a line at info."""
        self._line("info", message, fields)

    def entry(self, entry: Entry) -> None:
        """Write a result at its severity."""
        fields = {"resource": entry.resource, "name": entry.name, "error": entry.error}
        fields = {key: value for key, value in fields.items() if value}
        if entry.namespace is not None:
            fields["namespace"] = entry.namespace
        self._line(entry.severity, entry.message, fields)

    def commit(self) -> None:
        """End the gzip stream and the object."""
        with self._lock:
            self._writer.write(self._deflate.flush())
            self._writer.commit()

    def _line(self, level: str, message: str, fields: dict[str, str]) -> None:
        fields = {**fields, "backup": self._backup, "logSource": _LOG_SOURCE}
        rest = " ".join(f"{key}={_quoted(value)}" for key, value in sorted(fields.items()))
        line = f'time="{timestamp(self._clock())}" level={level} msg={_quoted(message)} {rest}\n'
        with self._lock:
            if ready := self._deflate.compress(line.encode()):
                self._writer.write(ready)
