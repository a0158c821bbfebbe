"""Opens the store that a URL names."""

from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pinnace.errors import UsageError
from pinnace.store.filesystem import FilesystemStore
from pinnace.store.object_store import ObjectStore

__all__ = ["open_store"]

_FORMS = "give s3://bucket/prefix, file:///path or a path"


def open_store(url: str) -> ObjectStore:
    """`s3://bucket/prefix?region=...`, `file:///srv/backups` or a path; options are those of a location.

    UsageError for anything else; none repeats the URL, since somebody may have put a password into it.
    """
    if not url:
        raise UsageError("no store: give --store or PINNACE_STORE, for example file:///srv/backups")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"--store: not a URL; {_FORMS}") from error
    if parts.scheme == "file":
        return _open_folder(parts)
    if parts.scheme == "s3":
        return _open_bucket(parts)
    if "://" in url:
        raise UsageError(f"--store: {parts.scheme} is not a kind of store; {_FORMS}")
    return FilesystemStore(Path(url))


def _open_folder(parts: SplitResult) -> ObjectStore:
    if parts.netloc not in ("", "localhost"):
        raise UsageError(f"--store: file:// takes an absolute path with three slashes; {_FORMS}")
    if parts.query or parts.fragment:
        raise UsageError("--store: a folder has no options; write ? and # of its path as %3F and %23")
    return FilesystemStore(Path(unquote(parts.path)))


def _open_bucket(parts: SplitResult) -> ObjectStore:
    from pinnace.store import s3_config
    from pinnace.store.s3 import S3Store

    if "@" in parts.netloc:
        raise UsageError("--store: credentials in it are not used; give them as AWS tools find them")
    if not parts.netloc:
        raise UsageError("--store: no bucket; give s3://bucket/prefix")
    if parts.fragment:
        raise UsageError("--store: write # as %23")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) < len(pairs):
        raise UsageError("--store: an option is given twice; write & inside of a value as %26")
    return S3Store(bucket=parts.netloc, prefix=unquote(parts.path), config=s3_config.from_url(options))
