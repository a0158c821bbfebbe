"""Reads a gzipped JSON array of objects one at a time: lists of volumes grow with the cluster, the memory does not."""

import codecs
import json
from collections.abc import Iterator
from typing import Any

from pinnace.archive.gzip_stream import GzipStream
from pinnace.store.backup_store import BackupStore

__all__ = ["array_elements", "stored_array"]

_PIECE_BYTES = 64 << 10
_LARGEST_ELEMENT_CHARACTERS = 8 << 20
"""An API server takes no object of more than a few MiB."""

_SPACE = " \t\r\n"


def stored_array(store: BackupStore, key: str) -> Iterator[dict[str, Any]]:
    """Give the elements of an object of a backup; none where there is no such object."""
    if store.has(key):
        yield from array_elements(GzipStream(store.chunks(key), location=store.location, key=key))


def array_elements(stream: GzipStream) -> Iterator[dict[str, Any]]:
    """Give the elements; none for `null`, as Go writes an empty list. MalformedObjectError for what is no list."""
    text = _Text(stream)
    if text.peek() == "n":
        text.take_null()
    else:
        yield from _elements(text)
    if text.peek():
        stream.fail("something follows its list")


def _elements(text: "_Text") -> Iterator[dict[str, Any]]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.take_object()
        if text.peek() != ",":
            break
        text.take(",")
    text.take("]")


class _Text:
    """What was read and not yet taken: a piece, or one element if that is larger."""

    def __init__(self, stream: GzipStream) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._parse = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._fill():
                return ""

    def take(self, wanted: str) -> None:
        """Take one character; whatever else is there is no list."""
        if self.peek() != wanted:
            self._stream.fail(f"it is no list of objects: {wanted} is wanted before {self._text[self._at :][:20]!r}")
        self._at += 1

    def take_null(self) -> None:
        """Take `null`."""
        for letter in "null":
            self.take(letter)

    def take_object(self) -> dict[str, Any]:
        """Take one JSON object."""
        if self.peek() != "{":
            self._stream.fail("it is no list of objects")
        while True:
            try:
                element, self._at = self._parse(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > _LARGEST_ELEMENT_CHARACTERS:
                    self._stream.fail(
                        f"an object of its list is longer than {_LARGEST_ELEMENT_CHARACTERS:,} characters"
                    )
                if not self._fill():
                    self._stream.fail(f"it is no JSON: {error.msg}", cause=error)
            except RecursionError as error:
                self._stream.fail("an object of its list is nested too deeply", cause=error)
            else:
                taken: dict[str, Any] = element
                return taken

    def _fill(self) -> bool:
        """Read more behind what is left; False at the end. It doubles, so that a long element is parsed a few times."""
        left = self._text[self._at :]
        piece = self._stream.read(max(_PIECE_BYTES, len(left)))
        try:
            self._text, self._at = left + self._decode(piece, final=not piece), 0
        except UnicodeDecodeError as error:
            self._stream.fail("it is no UTF-8", cause=error)
        return bool(piece)
