"""A bucket as a store: large objects are multipart uploads that appear whole or not at all."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pinnace import aws
from pinnace.errors import ConditionUnsupportedError, ObjectExistsError, ObjectNotFoundError, StoreError
from pinnace.store.object_store import (
    WRITER_BUDGET_BYTES,
    ObjectInfo,
    ObjectWriter,
    Upload,
    check_directory_prefix,
    check_key,
    refuse_foreign_directories,
)
from pinnace.velero.object_store_layout import normalize_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["S3Store"]

_FIRST_PART_BYTES = 8 << 20
_MOST_PARTS = 10_000
_PARTS_BEFORE_GROWTH = 1_000
"""8 MiB parts for the first 1,000, 16 for the next 1,000, 32 after: about 270 GiB in 10,000."""

_ABORT_ATTEMPTS = 3
_FIXES = {
    "AccessDenied": "grant {action} on the bucket to these credentials",
    "InvalidAccessKeyId": "give credentials that this server knows (AWS_ACCESS_KEY_ID, profile)",
    "SignatureDoesNotMatch": "look at AWS_SECRET_ACCESS_KEY and the clock",
    "NoSuchBucket": "create the bucket, or correct its name in --store",
}


class S3Store:
    """Objects below `prefix` of a bucket; `config` has the keys of Velero's aws plugin."""

    def __init__(self, *, bucket: str, prefix: str, config: Mapping[str, str]) -> None:
        self.bucket = bucket
        self._prefix = normalize_prefix(prefix)
        self.client: S3Client = aws.connect_s3(config)
        self.write_options: Mapping[str, Any] = aws.write_options(config)

    @property
    def location(self) -> str:
        """`bucket prod-backups`, with its prefix."""
        return f"bucket {self.bucket}" + (f" prefix {self._prefix[:-1]}" if self._prefix else "")

    @contextmanager
    def explained(self, action: str, key: str = "") -> Iterator[None]:
        """Turn what boto3 raises into a sentence that names bucket, action and fix."""
        what = f"{action} {key}".rstrip()
        try:
            yield
        except ClientError as error:
            code = str(error.response["Error"].get("Code", ""))
            reason = str(error.response["Error"].get("Message") or code)
            kind = _KINDS.get(code, StoreError)
            fix = _FIXES.get(code, "").format(action=action)
            raise kind(location=self.location, action=what, reason=reason, fix=fix) from error
        except (BotoCoreError, OSError) as error:
            raise StoreError(
                location=self.location, action=what, reason=str(error), fix="is the object storage reachable?"
            ) from error

    def put(self, key: str, body: bytes, *, create_only: bool = False) -> None:
        """Store a small object by one PutObject, with `If-None-Match: *` if `create_only`."""
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if create_only else {}
        with self.explained("s3:PutObject", key):
            self.client.put_object(Bucket=self.bucket, Key=self.full(key), Body=body, **condition, **self.write_options)

    def open_writer(self, key: str, *, budget_bytes: int = WRITER_BUDGET_BYTES) -> ObjectWriter:
        """Begin an object; it becomes a multipart upload when it passes one part."""
        return _MultipartWriter(self, key, budget_bytes=budget_bytes)

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Read a range."""
        if length == 0:
            return b""
        wanted: dict[str, Any] = {}
        if offset or length is not None:
            wanted["Range"] = f"bytes={offset}-" + ("" if length is None else str(offset + length - 1))
        with self.explained("s3:GetObject", key):
            return self.client.get_object(Bucket=self.bucket, Key=self.full(key), **wanted)["Body"].read()

    def chunks(self, key: str, *, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Read in pieces."""
        with self.explained("s3:GetObject", key):
            body = self.client.get_object(Bucket=self.bucket, Key=self.full(key))["Body"]
            yield from body.iter_chunks(chunk_bytes)

    def size(self, key: str) -> int:
        """Tell an object's length."""
        with self.explained("s3:GetObject", key):
            return int(self.client.head_object(Bucket=self.bucket, Key=self.full(key))["ContentLength"])

    def exists(self, key: str) -> bool:
        """Tell whether there is an object of that key."""
        try:
            self.size(key)
        except ObjectNotFoundError:
            return False
        return True

    def list_directories(self, prefix: str) -> Iterator[str]:
        """Name the common prefixes below a prefix."""
        root = self._prefix + check_directory_prefix(prefix)
        with self.explained("s3:ListBucket"):
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=root, Delimiter="/"
            ):
                for common in page.get("CommonPrefixes", ()):
                    yield common["Prefix"][len(root) : -1]

    def list_keys(self, prefix: str) -> Iterator[ObjectInfo]:
        """List objects."""
        root = self._prefix + check_directory_prefix(prefix)
        with self.explained("s3:ListBucket"):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=root):
                for entry in page.get("Contents", ()):
                    yield ObjectInfo(entry["Key"][len(self._prefix) :], entry["Size"], entry["LastModified"])

    def delete(self, key: str) -> None:
        """Remove an object."""
        with self.explained("s3:DeleteObject", key):
            self.client.delete_object(Bucket=self.bucket, Key=self.full(key))

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """List unfinished multipart uploads."""
        root = self._prefix + check_directory_prefix(prefix)
        with self.explained("s3:ListBucketMultipartUploads"):
            for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=root):
                for entry in page.get("Uploads", ()):
                    yield Upload(entry["Key"][len(self._prefix) :], entry["UploadId"], entry["Initiated"])

    def abort_upload(self, upload: Upload) -> None:
        """Abort a multipart upload."""
        try:
            with self.explained("s3:AbortMultipartUpload", upload.key):
                self.client.abort_multipart_upload(
                    Bucket=self.bucket, Key=self.full(upload.key), UploadId=upload.upload_id
                )
        except ObjectNotFoundError:
            return

    def validate(self) -> None:
        """List the prefix's top level, as Velero validates a location."""
        refuse_foreign_directories(self.list_directories(""), location=self.location)

    def full(self, key: str) -> str:
        """The key in the bucket."""
        return self._prefix + check_key(key)


_KINDS: Mapping[str, type[StoreError]] = {
    "404": ObjectNotFoundError,
    "NoSuchKey": ObjectNotFoundError,
    "NoSuchUpload": ObjectNotFoundError,
    "PreconditionFailed": ObjectExistsError,
    "412": ObjectExistsError,
    "NotImplemented": ConditionUnsupportedError,
}


class _MultipartWriter(ObjectWriter):
    """Fills parts and uploads them in a thread of its own; at most `budget_bytes` are held."""

    def __init__(self, store: S3Store, key: str, *, budget_bytes: int) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._budget_bytes = budget_bytes
        self._buffer = bytearray()
        self._upload_id = ""
        self._parts: list[dict[str, Any]] = []
        self._pool: ThreadPoolExecutor | None = None
        self._flying: deque[tuple[int, Future[dict[str, Any]]]] = deque()

    @property
    def _part_bytes(self) -> int:
        count = len(self._parts) + len(self._flying)
        return int(_FIRST_PART_BYTES << min(count // _PARTS_BEFORE_GROWTH, 2))

    def write(self, chunk: bytes) -> None:
        self._check_open()
        self._buffer += chunk
        self.bytes_written += len(chunk)
        while len(self._buffer) >= (part_bytes := self._part_bytes):
            part = bytes(self._buffer[:part_bytes])
            del self._buffer[:part_bytes]
            self._send(part)

    def commit(self) -> None:
        self._check_open()
        if not self._upload_id:
            self._store.put(self._key, bytes(self._buffer))
            self._ended = True
            return
        if self._buffer:
            self._send(bytes(self._buffer))
        while self._flying:
            self._collect()
        with self._store.explained("s3:CompleteMultipartUpload", self._key):
            self._store.client.complete_multipart_upload(
                **self._target(),
                MultipartUpload={"Parts": self._parts},  # type: ignore[typeddict-item]
            )
        self._close()

    def abort(self) -> None:
        if self._ended:
            return
        upload_id = self._upload_id
        self._close()
        for attempt in range(_ABORT_ATTEMPTS if upload_id else 0):
            try:
                with self._store.explained("s3:AbortMultipartUpload", self._key):
                    self._store.client.abort_multipart_upload(**self._target())
                return
            except ObjectNotFoundError:
                return
            except StoreError:
                if attempt == _ABORT_ATTEMPTS - 1:
                    raise

    def _close(self) -> None:
        self._ended = True
        self._buffer.clear()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _target(self) -> dict[str, Any]:
        return {"Bucket": self._store.bucket, "Key": self._store.full(self._key), "UploadId": self._upload_id}

    def _send(self, part: bytes) -> None:
        number = len(self._parts) + len(self._flying) + 1
        if number > _MOST_PARTS:
            raise StoreError(
                location=self._store.location,
                action=f"s3:PutObject {self._key}",
                reason=f"the object needs more than {_MOST_PARTS:,} parts",
                fix="split the backup by --include-namespaces",
            )
        if self._pool is None:
            with self._store.explained("s3:PutObject", self._key):
                self._upload_id = self._store.client.create_multipart_upload(
                    Bucket=self._store.bucket, Key=self._store.full(self._key), **self._store.write_options
                )["UploadId"]
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="upload")
        # The filling buffer and this part count too: wait until the rest fits.
        while self._flying and sum(size for size, _ in self._flying) + 2 * len(part) > self._budget_bytes:
            self._collect()
        self._flying.append((len(part), self._pool.submit(self._upload, number, part)))

    def _upload(self, number: int, part: bytes) -> dict[str, Any]:
        with self._store.explained("s3:PutObject", self._key):
            answer = self._store.client.upload_part(**self._target(), PartNumber=number, Body=part)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _collect(self) -> None:
        _, future = self._flying[0]
        self._parts.append(future.result())
        self._flying.popleft()
