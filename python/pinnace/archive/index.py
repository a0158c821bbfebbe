"""Reads a backup's index as a stream: a line for each item, with its place in the archive and its SHA-256."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from pinnace.archive.gzip_stream import GzipStream
from pinnace.archive.item_path import item_name
from pinnace.store.backup_store import BackupStore

__all__ = ["IndexLine", "index_lines", "open_index"]

_LONGEST_LINE_BYTES = 1 << 20
"""A line is 300 bytes or so; names and kinds are bounded by the API server at 253 characters each."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class IndexLine:
    """One item; `offset` and `length` are of its JSON in the gunzipped member, which is a range of the archive."""

    group_resource: str
    api_version: str
    kind: str
    namespace: str
    name: str
    member_offset: int
    member_bytes: int
    offset: int
    length: int
    sha256: str

    @property
    def item_name(self) -> str:
        """The item as people write it."""
        return item_name(self.group_resource, namespace=self.namespace, name=self.name)


def open_index(store: BackupStore) -> GzipStream:
    """Open the index; ObjectNotFoundError for a backup that another tool wrote."""
    return GzipStream(store.chunks(store.keys.index), location=store.location, key=store.keys.index)


def index_lines(stream: GzipStream) -> Iterator[IndexLine]:
    """Give the lines; MalformedObjectError at the first that is none."""
    for number, line in enumerate(stream.lines(longest_bytes=_LONGEST_LINE_BYTES), start=1):
        try:
            parsed = _parse(orjson.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            stream.fail(f"line {number} is no line of an index: {error!r}", cause=error)
        yield parsed


def _parse(line: Any) -> IndexLine:
    member_offset, member_bytes = line["member"]
    parsed = IndexLine(
        group_resource=line["groupResource"],
        api_version=line["apiVersion"],
        kind=line["kind"],
        namespace=line["namespace"],
        name=line["name"],
        member_offset=member_offset,
        member_bytes=member_bytes,
        offset=line["offset"],
        length=line["length"],
        sha256=line["sha256"],
    )
    texts = (parsed.group_resource, parsed.api_version, parsed.kind, parsed.namespace, parsed.name, parsed.sha256)
    if not all(isinstance(text, str) for text in texts) or not _SHA256.fullmatch(parsed.sha256):
        raise ValueError("a text is wanted where there is none")
    numbers = (member_offset, member_bytes, parsed.offset, parsed.length)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("a number is wanted where there is none")
    return parsed
