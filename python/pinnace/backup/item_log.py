"""A log line for each item, at debug: made from the index as its bytes pass, since nothing else knows each item."""

import zlib

import orjson

from pinnace.backup.log import VeleroLog

__all__ = ["ItemLog"]

_GZIP_WINDOW = 31


class ItemLog:
    """Gunzips the index again, which costs a few microseconds an item; it does nothing unless the log is at debug."""

    def __init__(self, log: VeleroLog) -> None:
        self._log = log
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._rest = b""

    def feed(self, index_bytes: bytes) -> None:
        """Take the next bytes of the index and write a line for each item that they complete."""
        if not self._log.is_debug:
            return
        while index_bytes:
            *lines, self._rest = (self._rest + self._inflate.decompress(index_bytes)).split(b"\n")
            for line in lines:
                self._write(line)
            index_bytes = self._inflate.unused_data
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(_GZIP_WINDOW)

    def _write(self, line: bytes) -> None:
        item = orjson.loads(line)
        self._log.debug(
            "Backed up item", resource=item["groupResource"], namespace=item["namespace"], name=item["name"]
        )
