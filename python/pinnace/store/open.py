"""Opens the store that a URL names."""

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from pinnace.errors import UsageError
from pinnace.store.filesystem import FilesystemStore
from pinnace.store.object_store import ObjectStore

__all__ = ["open_store"]


def open_store(url: str) -> ObjectStore:
    """`s3://bucket/prefix?region=...`, `file:///srv/backups` or a path; options are those of a location."""
    parts = urlsplit(url)
    if not url:
        raise UsageError("no store: give --store or PINNACE_STORE, for example file:///srv/backups")
    if parts.scheme == "file":
        return FilesystemStore(Path(unquote(parts.netloc + parts.path)))
    if parts.scheme == "s3":
        from pinnace.store.s3 import S3Store

        if not parts.netloc:
            raise UsageError(f"--store {url}: no bucket; give s3://bucket/prefix")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        return S3Store(bucket=parts.netloc, prefix=unquote(parts.path), config=options)
    if "://" in url:
        raise UsageError(
            f"--store {url}: {parts.scheme} is not a kind of store; give s3://bucket/prefix or file:///path"
        )
    return FilesystemStore(Path(url))
