"""What a store can do of what backups need, by trying each; what fails names the right that is missing."""

import secrets
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pinnace.errors import ConditionUnsupportedError, ObjectExistsError, StoreError
from pinnace.store.object_store import ObjectStore
from pinnace.store.part_sizes import part_bytes

__all__ = ["Capability", "Result", "capabilities"]

_BODY = bytes(range(256))
_URL_SECONDS = 60
_ANSWER_SECONDS = 30.0
_CHUNK = bytes(1 << 20)


class Result(StrEnum):
    """How a try ended; LACKS is what a backup can do without."""

    WORKS = "works"
    LACKS = "lacks"
    FAILS = "fails"


@dataclass(frozen=True)
class Capability:
    """One thing that was tried: the right it needs, as S3 policies call it, and a sentence where it did not work."""

    name: str
    right: str
    result: Result
    detail: str = ""


def capabilities(store: ObjectStore, *, is_read_only: bool = False) -> Iterator[Capability]:
    """Try everything that pinnace does to a store; nothing is left there, and of a read-only one only a list is asked.

    What is written lies under `metadata/`, which Velero permits at a prefix and never reads.
    """
    yield _tried(store, "list", "s3:ListBucket", store.validate)
    if is_read_only:
        return
    folder = f"metadata/pinnace-check-{secrets.token_hex(8)}/"
    key, large = f"{folder}small", f"{folder}large"
    written = _tried(store, "put", "s3:PutObject", lambda: store.put(key, _BODY))
    yield written
    if written.result is Result.WORKS:
        yield _tried(store, "conditional create", "s3:PutObject", lambda: _create_again(store, key))
        yield _tried(store, "ranged read", "s3:GetObject", lambda: _read_range(store, key))
        yield _tried(store, "presigned URL", "s3:GetObject", lambda: _read_by_url(store, key))
        yield _tried(store, "multipart upload", "s3:PutObject", lambda: _upload(store, large, commits=True))
        yield _tried(store, "abort an upload", "s3:AbortMultipartUpload", lambda: _upload(store, large, commits=False))
        yield _tried(store, "list uploads", "s3:ListBucketMultipartUploads", lambda: list(store.uploads(folder)))
    yield _tried(store, "delete", "s3:DeleteObject", lambda: _delete(store, key, large))


class _LacksError(Exception):
    """It is not there, and backups go on without it; the sentence says what that means."""


class _WrongError(Exception):
    """The server took it and did something else; no right mends that."""

    def __init__(self, action: str, reason: str) -> None:
        self.action = action
        self.reason = reason
        super().__init__(action, reason)


def _tried(store: ObjectStore, name: str, right: str, act: Callable[[], Any]) -> Capability:
    try:
        act()
    except _LacksError as lack:
        return Capability(name, right, Result.LACKS, str(lack))
    except _WrongError as wrong:
        told = StoreError(
            location=store.location, action=wrong.action, reason=wrong.reason, fix="use another S3 server"
        )
        return Capability(name, right, Result.FAILS, str(told))
    except StoreError as error:
        return Capability(name, right, Result.FAILS, str(error))
    return Capability(name, right, Result.WORKS)


def _create_again(store: ObjectStore, key: str) -> None:
    unnoticed = "two runs of one name at once would not be noticed"
    try:
        store.put(key, _BODY, create_only=True)
    except ObjectExistsError:
        return
    except ConditionUnsupportedError as error:
        raise _LacksError(f"it has no conditional create: {unnoticed}") from error
    raise _LacksError(f"it ignores If-None-Match and replaced an object: {unnoticed}")


def _read_range(store: ObjectStore, key: str) -> None:
    if store.get(key, offset=100, length=10) != _BODY[100:110]:
        raise _WrongError(f"s3:GetObject {key}", "a range is not what was asked for")


def _read_by_url(store: ObjectStore, key: str) -> None:
    try:
        url = store.presigned_get(key, expires_seconds=_URL_SECONDS)
    except StoreError as error:
        raise _LacksError(f"{error}; `velero backup logs` and `download` need such URLs") from error
    try:
        # A location's own URL, of http or https: its options are checked when it is opened.
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS, context=_trust(store)) as answer:  # noqa: S310
            body = answer.read()
    except OSError as error:
        reason = f"a signed URL does not answer from here: {error}"
        raise StoreError(
            location=store.location, action="presigned GET", reason=reason,
            fix="grant s3:GetObject; behind another public name give publicUrl",
        ) from error  # fmt: skip
    if body != _BODY:
        raise _WrongError("presigned GET", "the body is not what was stored")


def _trust(store: ObjectStore) -> ssl.SSLContext:
    """As the store's own requests: its certificates, or none asked for."""
    verify = getattr(getattr(store, "config", None), "verify_tls", None)
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _upload(store: ObjectStore, key: str, *, commits: bool) -> None:
    """Write more than one part."""
    size = part_bytes(1) + len(_CHUNK)
    with store.open_writer(key) as writer:
        for _ in range(size // len(_CHUNK)):
            writer.write(_CHUNK)
        if commits:
            writer.commit()
        else:
            writer.abort()
    if not commits:
        return
    with suppress(StoreError):  # not to be allowed to look is told where it is read
        if (found := store.size(key)) != size:
            raise _WrongError(f"s3:PutObject {key}", f"it has {found} bytes of {size}")


def _delete(store: ObjectStore, *keys: str) -> None:
    for key in keys:
        store.delete(key)
    with suppress(StoreError):
        for key in keys:
            if store.exists(key):
                raise _WrongError(f"s3:DeleteObject {key}", "it is still there")
