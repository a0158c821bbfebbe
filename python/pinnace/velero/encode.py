"""JSON as Velero's Go writes it, and gzip that is the same for the same input."""

import gzip
import json
from typing import Any

__all__ = ["compact", "gzipped", "indented"]

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
