"""Proves a stored backup: the archive's digest, and every item's place and SHA-256 against the index, streamed."""

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from pinnace.errors import ItemNotFoundError, VerificationError
from pinnace.store.backup_store import BackupStore

__all__ = ["Verified", "extract", "index_lines", "item_name", "manifest", "verify"]

_GZIP_WINDOW = 31


@dataclass(frozen=True)
class Verified:
    """What was checked."""

    backup_name: str
    item_count: int
    archive_bytes: int
    archive_sha256: str


def manifest(store: BackupStore) -> dict[str, Any]:
    """Read the manifest; ObjectNotFoundError for a backup that another tool wrote."""
    store.read_metadata()
    document: dict[str, Any] = orjson.loads(zlib.decompress(store.read(store.keys.manifest), _GZIP_WINDOW))
    return document


def index_lines(store: BackupStore) -> Iterator[dict[str, Any]]:
    """Stream the index: one line for each item."""
    rest = b""
    for piece in _gunzipped(store.chunks(store.keys.index)):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (orjson.loads(line) for line in lines if line)
    if rest:
        raise VerificationError(f"{store.location}: the index of backup {store.backup_name} ends early")


def item_name(line: Mapping[str, Any]) -> str:
    """Name an item as people write it: `deployments.apps/ns/name`, `nodes/name`."""
    return "/".join(filter(None, (line["groupResource"], line["namespace"], line["name"])))


def verify(store: BackupStore) -> Verified:
    """Read the archive once, member by member as the index says, and compare every digest with the manifest's.

    VerificationError names the first item or stream that differs.
    """
    document = manifest(store)
    expected = document["archive"]
    archive = _ArchiveReader(store)
    item_count = 0
    for line in index_lines(store):
        item_count += 1
        body = archive.item(line)
        if hashlib.sha256(body).hexdigest() != line["sha256"]:
            raise VerificationError(f"{store.location}: {item_name(line)} is not what the index says: SHA-256 differs")
    digest, size = archive.finish()
    for what, found, wanted in (
        ("archive SHA-256", digest, expected["sha256"]),
        ("archive bytes", size, expected["bytes"]),
        ("items", item_count, document["items"]),
    ):
        if found != wanted:
            raise VerificationError(f"{store.location}: backup {store.backup_name}: {what}: {found}, not {wanted}")
    return Verified(store.backup_name, item_count, size, digest)


def extract(store: BackupStore, item: str) -> bytes:
    """Fetch one item (`deployments.apps/ns/name`, `nodes/name`) by reading only its gzip member."""
    for line in index_lines(store):
        if item_name(line) == item:
            start, member_bytes = line["member"]
            member = store.read(store.keys.archive, offset=start, length=member_bytes)
            body = zlib.decompress(member, _GZIP_WINDOW)[line["offset"] : line["offset"] + line["length"]]
            if hashlib.sha256(body).hexdigest() != line["sha256"]:
                raise VerificationError(f"{store.location}: {item} is not what the index says: SHA-256 differs")
            return body
    raise ItemNotFoundError(
        f"{store.location}: backup {store.backup_name} has no item {item}; `pinnace backup contents` lists what it has"
    )


class _ArchiveReader:
    """Reads the archive from its first byte to its last, once, holding one member."""

    def __init__(self, store: BackupStore) -> None:
        self._chunks = store.chunks(store.keys.archive)
        self._held = b""
        self._position = 0
        self._hash = hashlib.sha256()
        self._member: tuple[int, bytes] = (-1, b"")

    def item(self, line: Mapping[str, Any]) -> bytes:
        """Give an item's bytes; members come in the order of the index."""
        start, member_bytes = line["member"]
        if self._member[0] != start:
            self._take(start - self._position)
            try:
                self._member = (start, zlib.decompress(self._take(member_bytes), _GZIP_WINDOW))
            except zlib.error as error:
                raise VerificationError(f"the archive's gzip member at byte {start} is damaged: {error}") from error
        return self._member[1][line["offset"] : line["offset"] + line["length"]]

    def finish(self) -> tuple[str, int]:
        """Read the rest; SHA-256 and length of the whole."""
        while self._take(1 << 20):
            pass
        return self._hash.hexdigest(), self._position

    def _take(self, count: int) -> bytes:
        pieces, wanted = [self._held], count - len(self._held)
        while wanted > 0 and (chunk := next(self._chunks, b"")):
            pieces.append(chunk)
            wanted -= len(chunk)
        held = b"".join(pieces)
        taken, self._held = held[: max(count, 0)], held[max(count, 0) :]
        self._hash.update(taken)
        self._position += len(taken)
        return taken


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unzip a stream of several members."""
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    for chunk in chunks:
        rest = chunk
        while rest:
            yield inflate.decompress(rest)
            rest = inflate.unused_data
            if inflate.eof:
                inflate = zlib.decompressobj(_GZIP_WINDOW)
