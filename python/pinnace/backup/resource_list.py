"""Reads a backup's resource list as a stream, and compares sets of names without holding them."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from pinnace.archive.gzip_stream import GzipStream
from pinnace.store.backup_store import BackupStore

__all__ = ["NameSum", "first_differences", "listed_names", "name_sums", "open_resource_list"]

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LONGEST_NAME_BYTES = 1 << 20
_MODULUS = 1 << 256


@dataclass
class NameSum:
    """A bag of names as one number: their count, and the sum of their SHA-256, whatever their order."""

    count: int = 0
    total: int = 0

    def add(self, name: str) -> None:
        """Put a name in."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        self.count += 1
        self.total = (self.total + int.from_bytes(digest)) % _MODULUS


def open_resource_list(store: BackupStore) -> GzipStream:
    """Open the resource list."""
    return GzipStream(store.chunks(store.keys.resource_list), location=store.location, key=store.keys.resource_list)


def name_sums(names: Iterable[tuple[str, str]]) -> dict[str, NameSum]:
    """Sum up the names of each kind (`apps/v1/Deployment`); a cluster has a few hundred kinds."""
    sums: dict[str, NameSum] = {}
    for kind, name in names:
        sums.setdefault(kind, NameSum()).add(name)
    return sums


def first_differences(listed: Iterable[str], archived: Iterable[str]) -> tuple[str, str]:
    """Find the first name that only the archive has, and the first that only the list has; "" where there is none.

    Holds the names of one kind, once.
    """
    counts: dict[str, int] = {}
    for name in archived:
        counts[name] = counts.get(name, 0) + 1
    for name in listed:
        counts[name] = counts.get(name, 0) - 1
    unlisted = min((name for name, surplus in counts.items() if surplus > 0), default="")
    return unlisted, min((name for name, surplus in counts.items() if surplus < 0), default="")


def listed_names(stream: GzipStream) -> Iterator[tuple[str, str]]:
    """Give kind and name of each entry, in order; MalformedObjectError at the first byte that is no resource list.

    Reads `{"apps/v1/Deployment":["ns/web"]}` and Go's `null` for either part, without building it.
    """
    tokens = _tokens(stream)
    if next(tokens) != b"{":
        stream.fail("it is no JSON object of lists")
    token = next(tokens)
    while token != b"}":
        kind = _text(stream, token)
        _expect(stream, tokens, b":")
        for name in _names(stream, tokens):
            yield kind, name
        token = next(tokens)
        if token == b",":
            token = next(tokens)
            _text(stream, token)
        elif token != b"}":
            stream.fail("a comma is missing between two kinds")
    if next(tokens):
        stream.fail("something follows its end")


def _names(stream: GzipStream, tokens: Iterator[bytes]) -> Iterator[str]:
    token = next(tokens)
    if token == b"null":
        return
    if token != b"[":
        stream.fail("a kind has no list of names")
    token = next(tokens)
    while token != b"]":
        yield _text(stream, token)
        token = next(tokens)
        if token == b",":
            token = next(tokens)
            _text(stream, token)
        elif token != b"]":
            stream.fail("a comma is missing between two names")


def _expect(stream: GzipStream, tokens: Iterator[bytes], wanted: bytes) -> None:
    if next(tokens) != wanted:
        stream.fail(f"{wanted.decode()} is missing")


def _text(stream: GzipStream, token: bytes) -> str:
    try:
        text = orjson.loads(token)
    except ValueError as error:
        stream.fail("a name is wanted where there is none", cause=error)
    if not isinstance(text, str):
        stream.fail("a name is wanted where there is none")
    return text


def _tokens(stream: GzipStream) -> Iterator[bytes]:
    """Cut into strings, `null` and single characters; an empty token, again and again, is the end."""
    held = b""
    for piece in stream.pieces():
        held += piece
        at = 0
        while at < len(held):
            string = _STRING.match(held, at) if held[at : at + 1] == b'"' else None
            if string is not None:
                yield string[0]
                at = string.end()
            elif held[at : at + 1] == b'"' or (held[at : at + 1] == b"n" and len(held) - at < 4):
                break
            elif held.startswith(b"null", at):
                yield b"null"
                at += 4
            else:
                if not held[at : at + 1].isspace():
                    yield held[at : at + 1]
                at += 1
        held = held[at:]
        if len(held) > _LONGEST_NAME_BYTES:
            stream.fail("a name has no end")
    if held:
        stream.fail("it ends early")
    while True:
        yield b""
