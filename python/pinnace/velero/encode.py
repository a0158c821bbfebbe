"""JSON as Velero's Go writes it, and gzip that is the same for the same input."""

import gzip
import json
import zlib
from typing import Any

__all__ = ["GzippedArray", "compact", "gzipped", "indented"]

_GZIP_WINDOW = 31

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_TABLE = str.maketrans(_ESCAPES)
"""Go's json escapes these for HTML; inside JSON they can only stand in strings."""


def compact(document: Any) -> bytes:
    """One document as `json.Encoder` writes it: no spaces, escaped for HTML, a newline at the end."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return (text.translate(_TABLE) + "\n").encode()


def indented(document: Any) -> bytes:
    """`velero-backup.json`: two spaces, escaped for HTML, no newline at the end."""
    return json.dumps(document, ensure_ascii=False, indent=2).translate(_TABLE).encode()


def gzipped(body: bytes) -> bytes:
    """Gzip without a name or time."""
    return gzip.compress(body, mtime=0)


class GzippedArray:
    """A JSON array of which only the compressed bytes are kept: `compact` and `gzipped`, item by item."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(wbits=_GZIP_WINDOW)
        self._parts: list[bytes] = []
        self.count = 0

    def add(self, document: Any) -> None:
        """Append one item."""
        self._write((b"," if self.count else b"[") + compact(document).rstrip(b"\n"))
        self.count += 1

    def finish(self) -> bytes:
        """Give the whole document, once."""
        self._write(b"]\n" if self.count else b"[]\n")
        self._parts.append(self._deflate.flush())
        return b"".join(self._parts)

    def _write(self, text: bytes) -> None:
        if part := self._deflate.compress(text):
            self._parts.append(part)
