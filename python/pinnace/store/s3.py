"""A bucket as a store: large objects are multipart uploads that appear whole or not at all."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from pinnace import aws
from pinnace.errors import (
    ObjectExistsError,
    ObjectLockedError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
)
from pinnace.store.multipart import MultipartStretch, MultipartWriter
from pinnace.store.object_store import (
    WRITER_BUDGET_BYTES,
    ObjectInfo,
    ObjectWriter,
    StretchPlace,
    StretchWriter,
    Upload,
    check_directory_prefix,
    check_key,
    is_key,
    refuse_foreign_directories,
)
from pinnace.store.patience import PATIENT, Patience
from pinnace.store.s3_config import S3Config
from pinnace.velero.object_store_layout import normalize_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, ListObjectsV2OutputTypeDef

__all__ = ["S3Store"]

Answer = TypeVar("Answer")

_STALLS = 3
"""A download that breaks off this often in a row without a byte is given up."""


class S3Store:
    """Objects below `prefix` of a bucket.

    Writes and downloads are repeated while the bucket is away (store.patience); the other verbs only as often as the
    S3 client does it by itself, so that a wrong address is told in seconds.
    """

    def __init__(self, *, bucket: str, prefix: str, config: S3Config, patience: Patience = PATIENT) -> None:
        self.bucket = bucket
        self.config = config
        self._prefix = normalize_prefix(prefix)
        self._patience = patience
        self._session = aws.open_session(
            profile=config.profile, shared_config=config.shared_config, credentials_file=config.credentials_file
        )
        self._region = config.region
        if not (config.region or config.s3_url):
            self._region = self._find_region()
        self.client: S3Client = self._connect(config.s3_url)

    @property
    def location(self) -> str:
        """`bucket prod-backups`, with its prefix."""
        return f"bucket {self.bucket}" + (f" prefix {self._prefix[:-1]}" if self._prefix else "")

    @contextmanager
    def explained(self, action: str, key: str = "") -> Iterator[None]:
        """Turn what boto3 raises into a sentence that names bucket, action and fix."""
        try:
            yield
        except (BotoCoreError, ClientError, OSError) as error:
            raise aws.explain(error, location=self.location, action=action, key=key) from error

    def patiently(
        self, request: Callable[[], Answer], action: str, key: str, *, ended: threading.Event | None = None
    ) -> Answer:
        """Make a request that may be repeated while the bucket is away, until `ended` is set."""

        def explained() -> Answer:
            with self.explained(action, key):
                return request()

        return self._patience.call(explained, ended=ended or threading.Event())

    def put(self, key: str, body: bytes, *, create_only: bool = False) -> None:
        """Store a small object by one PutObject, with `If-None-Match: *` if `create_only`."""
        request = {**self.target(key), **self.config.request_put, **self.config.request_checksum(body), "Body": body}
        if create_only:
            request["IfNoneMatch"] = "*"
        attempts = 0

        def attempt() -> None:
            nonlocal attempts
            attempts += 1
            self.client.put_object(**request)

        try:
            self.patiently(attempt, "s3:PutObject", key)
        except ObjectExistsError as error:
            # An earlier attempt may have stored it and its answer got lost; then what is there is this very body.
            repeated = attempts > 1 or _client_repeated(error)
            if not repeated or self.get(key) != body:
                raise

    def open_writer(
        self, key: str, *, budget_bytes: int = WRITER_BUDGET_BYTES, create_only: bool = False
    ) -> ObjectWriter:
        """Begin an object; it becomes a multipart upload when it passes one part."""
        check_key(key)
        return MultipartWriter(self, key, budget_bytes=budget_bytes, create_only=create_only)

    def open_stretch(self, key: str, place: StretchPlace) -> StretchWriter:
        """Begin a range of parts of an upload that another process has begun."""
        check_key(key)
        return MultipartStretch(self, key, place)

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Read a range."""
        if length == 0:
            self.size(key)
            return b""
        return b"".join(self._pieces(key, offset=offset, length=length, chunk_bytes=1 << 20))

    def chunks(self, key: str, *, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Read in pieces; a download that breaks off goes on where it was, if the object is still the same one."""
        return self._pieces(key, offset=0, length=None, chunk_bytes=chunk_bytes)

    def size(self, key: str) -> int:
        """Tell an object's length."""
        with self.explained("s3:GetObject", key):
            return int(self.client.head_object(**self.target(key), **self.config.request_key)["ContentLength"])

    def exists(self, key: str) -> bool:
        """Tell whether there is an object of that key."""
        try:
            self.size(key)
        except ObjectNotFoundError:
            return False
        return True

    def list_directories(self, prefix: str) -> Iterator[str]:
        """Name the common prefixes below a prefix; held at once, since S3 sorts `a-b/` before `a/`."""
        root = self._prefix + check_directory_prefix(prefix)
        pages = self._pages(root, Delimiter="/")
        names = [common["Prefix"][len(root) : -1] for page in pages for common in page.get("CommonPrefixes", ())]
        return iter(sorted(names))

    def list_keys(self, prefix: str) -> Iterator[ObjectInfo]:
        """List objects; what consoles put there to show a folder (`backups/`) is none."""
        for page in self._pages(self._prefix + check_directory_prefix(prefix)):
            for entry in page.get("Contents", ()):
                if is_key(key := entry["Key"][len(self._prefix) :]):
                    yield ObjectInfo(key, entry["Size"], entry["LastModified"])

    def _pages(self, root: str, **options: Any) -> Iterator["ListObjectsV2OutputTypeDef"]:
        """List in pages; a listing that is cut off must not look like a short one: what is not in it counts as gone."""
        with self.explained("s3:ListBucket"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=root, **options)
            for page in pages:
                if page.get("IsTruncated") and not page.get("NextContinuationToken"):
                    raise StoreError(
                        location=self.location,
                        action="s3:ListBucket",
                        reason="the listing is cut off: the server says that there is more, and not where it goes on",
                        fix="use a server that pages its listings",
                    )
                yield page

    def delete(self, key: str) -> None:
        """Remove an object."""
        with self.explained("s3:DeleteObject", key), suppress(self.client.exceptions.NoSuchKey):
            self.client.delete_object(**self.target(key))

    def check_unlocked(self, key: str) -> None:
        """Ask for retention and legal hold: in a bucket with versions a delete would only hide what is locked."""
        try:
            with self.explained("s3:GetObject", key):
                head = self.client.head_object(**self.target(key), **self.config.request_key)
        except ObjectNotFoundError:
            return
        until, held = head.get("ObjectLockRetainUntilDate"), head.get("ObjectLockLegalHoldStatus") == "ON"
        if held or (until is not None and until > datetime.now(UTC)):
            lock = (
                "a legal hold" if held else f"object lock ({head.get('ObjectLockMode', 'mode unknown')}) until {until}"
            )
            raise ObjectLockedError(
                location=self.location,
                action=f"delete {key}",
                reason=f"it is protected by {lock}",
                fix="delete the backup when that has ended",
            )

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """List unfinished multipart uploads."""
        root = self._prefix + check_directory_prefix(prefix)
        with self.explained("s3:ListBucketMultipartUploads"):
            for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=root):
                for entry in page.get("Uploads", ()):
                    if is_key(key := entry["Key"][len(self._prefix) :]):
                        yield Upload(key, entry["UploadId"], entry["Initiated"])

    def abort_upload(self, upload: Upload) -> None:
        """Abort a multipart upload."""
        with suppress(ObjectNotFoundError), self.explained("s3:AbortMultipartUpload", upload.key):
            self.client.abort_multipart_upload(**self.target(upload.key), UploadId=upload.upload_id)

    def validate(self) -> None:
        """List the prefix's top level, as Velero validates a location."""
        refuse_foreign_directories(self.list_directories(""), location=self.location)

    def prepare(self) -> None:
        """Validate; a bucket is its owner's to make."""
        self.validate()

    def presigned_get(self, key: str, *, expires_seconds: int) -> str:
        """Make a URL that reads one object without credentials, at `publicUrl` if there is one; no request is made.

        It can't carry a customer's key: with `customerKeyEncryptionFile` there is no such URL, but a StoreError.
        """
        if self.config.customer_key:
            raise StoreError(
                location=self.location,
                action=f"presign {key}",
                reason="the object is encrypted with customerKeyEncryptionFile, and a URL can't carry the key",
                fix="read it with `pinnace backup download`",
            )
        public = self._connect(self.config.public_url or self.config.s3_url, signature_version="s3v4")
        with self.explained("presign", key):
            return public.generate_presigned_url("get_object", Params=self.target(key), ExpiresIn=expires_seconds)

    def target(self, key: str) -> dict[str, Any]:
        """Give what names an object in each request."""
        return {"Bucket": self.bucket, "Key": self._prefix + check_key(key)}

    def _connect(self, endpoint_url: str, *, signature_version: str = "") -> "S3Client":
        return aws.connect_s3(
            self._session,
            endpoint_url=endpoint_url,
            region=self._region,
            path_style=self.config.path_style,
            verify_tls=self.config.verify_tls,
            signature_version=signature_version,
        )

    def _find_region(self) -> str:
        try:
            with self.explained("find the region (s3:ListBucket)"):
                return aws.bucket_region(self._connect(""), self.bucket)
        except ObjectNotFoundError as error:
            raise StoreError(
                location=self.location,
                action=error.action,
                reason="no such bucket",
                fix="create it, or correct its name",
            ) from error

    def _pieces(self, key: str, *, offset: int, length: int | None, chunk_bytes: int) -> Iterator[bytes]:
        end = None if length is None else offset + length
        position, etag, stalls = offset, "", 0
        while True:
            answer = self._open_range(key, position=position, end=end, etag=etag)
            if answer is None:
                return
            etag, before = answer["ETag"], position
            try:
                with self.explained("s3:GetObject", key):
                    for chunk in answer["Body"].iter_chunks(chunk_bytes):
                        position += len(chunk)
                        yield chunk
                return
            except StoreUnavailableError:
                stalls = 0 if position > before else stalls + 1
                if stalls == _STALLS:
                    raise

    def _open_range(self, key: str, *, position: int, end: int | None, etag: str) -> "GetObjectOutputTypeDef | None":
        """Begin to read at a position; None past the end. With `etag` only from the very object that has it."""
        request = {**self.target(key), **self.config.request_key}
        if position or end is not None:
            request["Range"] = f"bytes={position}-" + ("" if end is None else str(end - 1))
        if etag:
            request["IfMatch"] = etag
        try:
            answer = self.patiently(lambda: self.client.get_object(**request), "s3:GetObject", key)
        except ObjectExistsError as error:
            raise self._unreadable(key, "it was replaced while it was read", fix="read it again") from error
        except StoreError as error:
            if _code(error) in ("InvalidRange", "416"):
                return None
            raise
        if "Range" in request and answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
            raise self._unreadable(key, "the server ignores ranges", fix="use a server that knows them")
        return answer

    def _unreadable(self, key: str, reason: str, *, fix: str) -> StoreError:
        return StoreError(location=self.location, action=f"s3:GetObject {key}", reason=reason, fix=fix)


def _client_repeated(error: StoreError) -> bool:
    """Tell whether the client had tried before it got this answer."""
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response["ResponseMetadata"].get("RetryAttempts", 0) > 0


def _code(error: StoreError) -> str:
    cause = error.__cause__
    return str(cause.response["Error"].get("Code", "")) if isinstance(cause, ClientError) else ""
