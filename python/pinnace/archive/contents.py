"""What a stored backup holds, and one item of it: through the index where there is one, else by reading the archive."""

import hashlib
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pinnace.archive import index
from pinnace.archive.gzip_stream import GzipStream
from pinnace.archive.index import IndexLine
from pinnace.archive.item_path import item_name, parse_path
from pinnace.archive.tar_stream import TarEntry, tar_entries
from pinnace.errors import ItemNotFoundError, VerificationError
from pinnace.store.backup_store import BackupStore

__all__ = ["Item", "bodies", "extract", "items"]

_GZIP_WINDOW = 31
_LARGEST_MEMBER_BYTES = 192 << 20
"""Gunzipped; a member is 1 MiB of tar or so, or one item with its two copies if that is larger."""


@dataclass(frozen=True)
class Item:
    """One item; `size_bytes` is that of its JSON."""

    group_resource: str
    namespace: str
    name: str
    size_bytes: int

    @property
    def item_name(self) -> str:
        """The item as `extract` takes it."""
        return item_name(self.group_resource, namespace=self.namespace, name=self.name)

    def to_document(self) -> dict[str, str | int]:
        """Give it as `--output json` has it."""
        return {
            "groupResource": self.group_resource,
            "namespace": self.namespace,
            "name": self.name,
            "bytes": self.size_bytes,
        }


def items(store: BackupStore) -> Iterator[Item]:
    """Give every item once, in the order of the archive; holds one of them."""
    store.read_metadata()
    if store.has(store.keys.index):
        for line in index.index_lines(index.open_index(store)):
            yield Item(line.group_resource, line.namespace, line.name, line.length)
    else:
        for item, _ in _archived(store):
            yield item


def extract(store: BackupStore, wanted: str) -> bytes:
    """Give one item's JSON (`deployments.apps/ns/name`, `nodes/name`); ItemNotFoundError where it is not there.

    With an index only the item's own gzip member is read of the archive; else the archive up to the item.
    """
    store.read_metadata()
    if store.has(store.keys.index):
        for line in index.index_lines(index.open_index(store)):
            if line.item_name == wanted:
                return _extract_member(store, line)
    else:
        for item, entry in _archived(store):
            if item.item_name == wanted:
                return entry.body
    raise ItemNotFoundError(
        f"{store.location}: backup {store.backup_name} has no item {wanted}; "
        f"`pinnace backup contents {store.backup_name}` lists what it has"
    )


def bodies(store: BackupStore, group_resources: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Give group resource and JSON of every item of some kinds, also of a backup that never became visible.

    With an index only the gzip members that hold one are read of the archive, else all of it; one item is held.
    """
    if store.has(store.keys.index):
        for line in index.index_lines(index.open_index(store)):
            if line.group_resource in group_resources:
                yield line.group_resource, _extract_member(store, line)
    else:
        for item, entry in _archived(store):
            if item.group_resource in group_resources:
                yield item.group_resource, entry.body


def _archived(store: BackupStore) -> Iterator[tuple[Item, TarEntry]]:
    """Read the archive, passing over the second copy of an item, which follows the first."""
    archive = GzipStream(store.chunks(store.keys.archive), location=store.location, key=store.keys.archive)
    last: Item | None = None
    for entry in tar_entries(archive):
        archive.ended_members.clear()
        path = parse_path(entry.path)
        if path is None:
            continue
        item = Item(path.group_resource, path.namespace, path.name, len(entry.body))
        if item != last:
            yield item, entry
        last = item


def _extract_member(store: BackupStore, line: IndexLine) -> bytes:
    where = f"{store.location}: {line.item_name}"
    if line.member_bytes > _LARGEST_MEMBER_BYTES:
        raise VerificationError(
            f"{where}: the index names a gzip member of {line.member_bytes:,} bytes; none is so large"
        )
    member = store.read(store.keys.archive, offset=line.member_offset, length=line.member_bytes)
    try:
        inflated = zlib.decompressobj(_GZIP_WINDOW).decompress(member, _LARGEST_MEMBER_BYTES)
    except zlib.error as error:
        what = f"the gzip member at byte {line.member_offset} of {store.keys.archive} is damaged: {error}"
        raise VerificationError(f"{where}: {what}") from error
    body = inflated[line.offset : line.offset + line.length]
    if hashlib.sha256(body).hexdigest() != line.sha256:
        raise VerificationError(f"{where} is not what the index says: SHA-256 differs")
    return body
