"""Gunzips a stored object as its bytes arrive, however many members it has; the memory does not depend on its size."""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from pinnace.errors import MalformedObjectError

__all__ = ["GzipStream", "Member"]

_GZIP_WINDOW = 31
_STEP_BYTES = 1 << 20
"""What one call of zlib may give at most: a few bytes of gzip can hold a gigabyte of zeros."""


@dataclass(frozen=True)
class Member:
    """One gzip member: its place in the object, and where its contents begin in the gunzipped whole."""

    offset: int
    length: int
    plain_offset: int


class GzipStream:
    """A reader over an object's bytes; what is no gzip is a MalformedObjectError that names key and byte."""

    def __init__(self, chunks: Iterator[bytes], *, location: str, key: str) -> None:
        self._chunks = chunks
        self.location = location
        self.key = key
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._input = b""
        self._plain = bytearray()
        self._taken = 0
        self._hash = hashlib.sha256()
        self._member_offset = self._member_plain_offset = 0
        self._made = 0
        self._is_at_end = False
        self.compressed_bytes = 0
        self.ended_members: list[Member] = []
        """Members that ended since the list was last emptied, by the reader; it holds one for each MiB or so."""

    @property
    def position(self) -> int:
        """Where in the gunzipped whole the next `read` begins."""
        return self._taken

    @property
    def sha256(self) -> str:
        """Of the object's bytes read so far, in hex; of the whole object after its end."""
        return self._hash.hexdigest()

    def read(self, count: int) -> bytes:
        """Give the next `count` bytes, fewer only at the end of the object."""
        while len(self._plain) < count and not self._is_at_end:
            self._step()
        taken = bytes(self._plain[:count])
        del self._plain[:count]
        self._taken += len(taken)
        return taken

    def pieces(self) -> Iterator[bytes]:
        """Give the rest, in pieces of a bounded size."""
        while piece := self.read(_STEP_BYTES):
            yield piece

    def lines(self, *, longest_bytes: int) -> Iterator[bytes]:
        """Give the rest line by line; the last one has its newline too, or the object is cut."""
        rest = b""
        for piece in self.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
            if len(rest) > longest_bytes:
                self.fail(f"a line is longer than {longest_bytes:,} bytes")
        if rest:
            self.fail("its last line has no end")

    def fail(self, reason: str, *, cause: Exception | None = None) -> NoReturn:
        """Raise, naming the object."""
        raise MalformedObjectError(location=self.location, key=self.key, reason=reason) from cause

    def _step(self) -> None:
        """Take in a little more; at a member's end prepare for the next one."""
        if not self._input and not self._fill():
            self._end()
            return
        try:
            plain = self._inflate.decompress(self._input, _STEP_BYTES)
        except zlib.error as error:
            self.fail(f"the gzip member at byte {self._member_offset} is damaged: {error}", cause=error)
        self._plain += plain
        self._made += len(plain)
        if self._inflate.eof:
            self._input = self._inflate.unused_data
            end = self.compressed_bytes - len(self._input)
            self.ended_members.append(Member(self._member_offset, end - self._member_offset, self._member_plain_offset))
            self._member_offset, self._member_plain_offset = end, self._made
            self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        else:
            self._input = self._inflate.unconsumed_tail

    def _fill(self) -> bool:
        self._input = next(self._chunks, b"")
        self._hash.update(self._input)
        self.compressed_bytes += len(self._input)
        return bool(self._input)

    def _end(self) -> None:
        if self.compressed_bytes == 0:
            self.fail("it is empty")
        if self._member_offset != self.compressed_bytes:
            self.fail(f"the gzip member at byte {self._member_offset} ends early")
        self._is_at_end = True
