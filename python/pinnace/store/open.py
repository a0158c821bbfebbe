"""Opens the store that a URL names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pinnace.errors import UsageError
from pinnace.store.filesystem import FilesystemStore
from pinnace.store.object_store import ObjectStore

__all__ = ["open_store"]


def open_store(url: str) -> ObjectStore:
    """`file:///srv/backups` or a path. Buckets are not there yet and are refused by name."""
    parts = urlsplit(url)
    if not url:
        raise UsageError("no store: give --store or PINNACE_STORE, for example file:///srv/backups")
    if parts.scheme == "file":
        return FilesystemStore(Path(unquote(parts.netloc + parts.path)))
    if parts.scheme == "s3":
        raise UsageError(f"--store {url}: object storage is not there yet; give file:///path")
    if "://" in url:
        raise UsageError(f"--store {url}: {parts.scheme} is not a kind of store; give file:///path")
    return FilesystemStore(Path(url))
