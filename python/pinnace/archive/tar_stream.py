"""Reads an archive's tar entries from a stream, one at a time: those that Go's `archive/tar` and pinnace write."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from pinnace.archive.gzip_stream import GzipStream

__all__ = ["TarEntry", "tar_entries"]

_BLOCK_BYTES = 512
_LARGEST_BYTES = 64 << 20
"""The engine's bound of one item; an API server takes no more than a few MiB."""

_LARGEST_PAX_BYTES = 1 << 20
_REGULAR = (b"0", b"\0")
_PASSED_OVER = (b"5", b"1", b"2", b"3", b"4", b"6")
"""Folders are tolerated and links ignored by Velero's extractor; none of them holds an item (extractor.go)."""

_OCTAL = re.compile(rb"[0-7]+")
_PAX_RECORD = re.compile(rb"([0-9]+) ([^=\n]+)=")


@dataclass(frozen=True)
class TarEntry:
    """One regular file; `plain_offset` is where its body begins in the gunzipped archive."""

    path: str
    mode: int
    body: bytes
    plain_offset: int


def tar_entries(stream: GzipStream) -> Iterator[TarEntry]:
    """Give every regular file, in order, holding one; MalformedObjectError at the first block that is no tar.

    The tar must end with two empty blocks, and only zeros may follow, so that a cut one is never taken for whole.
    """
    pax: dict[str, str] = {}
    while header := _header(stream):
        size = int(pax.get("size", "")) if pax.get("size", "").isdecimal() else _number(stream, header[124:136])
        if header[156:157] in (b"x", b"g"):
            records = _pax(stream, _body(stream, size, largest_bytes=_LARGEST_PAX_BYTES))
            pax = records if header[156:157] == b"x" else pax
            continue
        path = pax.get("path") or _path(stream, header)
        start = stream.position
        body = _body(stream, size, largest_bytes=_LARGEST_BYTES)
        pax = {}
        if header[156:157] in _REGULAR:
            yield TarEntry(path, _number(stream, header[100:108]), body, start)
        elif header[156:157] not in _PASSED_OVER:
            stream.fail(f"tar entry {path} has the unknown type {header[156:157]!r}")


def _header(stream: GzipStream) -> bytes:
    """Read the next header; empty at the end of the tar."""
    at = stream.position
    header = stream.read(_BLOCK_BYTES)
    if len(header) < _BLOCK_BYTES:
        stream.fail(f"the tar ends early, at byte {at} of it")
    if not any(header):
        _check_end(stream)
        return b""
    stated = _number(stream, header[148:156])
    if sum(header[:148]) + 8 * ord(" ") + sum(header[156:]) != stated:
        stream.fail(f"the tar header at byte {at} of the tar has a wrong checksum")
    return header


def _check_end(stream: GzipStream) -> None:
    last = stream.read(_BLOCK_BYTES)
    if len(last) < _BLOCK_BYTES:
        stream.fail("the tar ends early: one of its two last blocks is missing")
    # The first of them was empty; whatever comes after it must be so too.
    for piece in chain((last,), stream.pieces()):
        if piece.strip(b"\0"):
            stream.fail("something follows the tar's end")


def _body(stream: GzipStream, size: int, *, largest_bytes: int) -> bytes:
    if size > largest_bytes:
        stream.fail(f"a tar entry at byte {stream.position} of the tar has {size:,} bytes; no item is so large")
    body = stream.read(size)
    padding = stream.read(-size % _BLOCK_BYTES)
    if len(body) + len(padding) != size + -size % _BLOCK_BYTES:
        stream.fail("the tar ends in the middle of an entry")
    return body


def _path(stream: GzipStream, header: bytes) -> str:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    has_prefix = prefix and header[257:263] == b"ustar\0"
    try:
        return (prefix + b"/" + name if has_prefix else name).decode()
    except UnicodeDecodeError as error:
        stream.fail("a path of the tar is not UTF-8", cause=error)


def _number(stream: GzipStream, field: bytes) -> int:
    digits = field.strip(b" \0")
    if not _OCTAL.fullmatch(digits):
        stream.fail(f"the tar header before byte {stream.position} of the tar holds {field!r} where a number belongs")
    return int(digits, 8)


def _pax(stream: GzipStream, body: bytes) -> dict[str, str]:
    """Read PAX records: `length key=value\\n`, where the length counts the whole record."""
    records: dict[str, str] = {}
    at = 0
    while at < len(body):
        record = _PAX_RECORD.match(body, at)
        end = at + int(record[1]) if record and len(record[1]) < 8 else 0
        if record is None or end <= record.end() or body[end - 1 : end] != b"\n":
            stream.fail(f"a PAX record before byte {stream.position} of the tar is malformed")
        try:
            records[record[2].decode()] = body[record.end() : end - 1].decode()
        except UnicodeDecodeError as error:
            stream.fail("a PAX record of the tar is not UTF-8", cause=error)
        at = end
    return records
