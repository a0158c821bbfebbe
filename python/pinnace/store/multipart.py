"""One large object on its way into a bucket: fills parts and uploads them, in bounded memory."""

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pinnace import interruption
from pinnace.errors import ConditionUnsupportedError, ObjectExistsError, ObjectNotFoundError, StoreError
from pinnace.store.object_store import ObjectWriter
from pinnace.store.part_sizes import MOST_BYTES, MOST_PARTS, part_bytes

if TYPE_CHECKING:
    from pinnace.store.s3 import S3Store

__all__ = ["MultipartWriter"]


class MultipartWriter(ObjectWriter):
    """Becomes a multipart upload with the first full part; an object that stays below it is one PutObject.

    Parts are uploaded in one thread, each repeated while the bucket is away (store.patience). What fills and what flies
    are at most `budget_bytes`, or one part if that is larger.
    """

    def __init__(self, store: "S3Store", key: str, *, budget_bytes: int, create_only: bool = False) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._budget_bytes = budget_bytes
        self._create_only = create_only
        self._filling = bytearray()
        self._upload_id = ""
        self._parts: list[dict[str, Any]] = []
        self._pool: ThreadPoolExecutor | None = None
        self._flying: deque[tuple[int, Future[dict[str, Any]]]] = deque()
        self._closing = threading.Event()

    @property
    def _number(self) -> int:
        """The number of the part that fills."""
        return len(self._parts) + len(self._flying) + 1

    def write(self, chunk: bytes) -> None:
        """Fill the part, and upload it when it is full; waits while more would not fit into the budget."""
        self._check_open()
        rest = memoryview(chunk)
        while rest:
            missing = part_bytes(self._number) - len(self._filling)
            self._filling += rest[:missing]
            rest = rest[missing:]
            if len(self._filling) == part_bytes(self._number):
                self._send()
        self.bytes_written += len(chunk)

    def commit(self) -> None:
        """Upload the rest, wait for every part, and complete the upload."""
        self._check_open()
        if not self._upload_id:
            self._put(bytes(self._filling))
            self._ended = True
            return
        if self._filling:
            self._send()
        while self._flying:
            self._collect()
        self._complete()
        self._close()

    def abort(self) -> None:
        """Abort the upload after the part that is on its way."""
        if self._ended:
            return
        self._close()
        if not self._upload_id:
            return
        try:
            with self._store.explained("s3:AbortMultipartUpload", self._key):
                self._store.client.abort_multipart_upload(**self._target())
        except ObjectNotFoundError:
            return

    def _close(self) -> None:
        self._ended = True
        self._filling.clear()
        self._closing.set()
        if self._pool is not None:
            # Waits for the part that is on its way: one that ends after the abort would be stored and paid for.
            self._pool.shutdown(cancel_futures=True)

    def _target(self) -> dict[str, Any]:
        return {**self._store.target(self._key), "UploadId": self._upload_id}

    def _send(self) -> None:
        if self._number > MOST_PARTS:
            raise StoreError(
                location=self._store.location,
                action=f"s3:PutObject {self._key}",
                reason=f"the object needs more than {MOST_PARTS:,} parts, which hold {MOST_BYTES >> 30} GiB",
                fix="split the backup by --include-namespaces",
            )
        if self._pool is None:
            self._upload_id = self._store.patiently(self._create, "s3:PutObject", self._key, ended=self._closing)
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="upload")
        part, self._filling = self._filling, bytearray()
        self._flying.append((len(part), self._pool.submit(self._upload, self._number, part)))
        while self._flying and self._flying_bytes() + part_bytes(self._number) > self._budget_bytes:
            self._collect()

    def _flying_bytes(self) -> int:
        return sum(size for size, _ in self._flying)

    def _create(self) -> str:
        request = self._store.config.request_create
        return self._store.client.create_multipart_upload(**self._store.target(self._key), **request)["UploadId"]

    def _upload(self, number: int, part: bytearray) -> dict[str, Any]:
        checksum = self._store.config.request_checksum(part)
        request = {**self._target(), **self._store.config.request_key, **checksum, "PartNumber": number, "Body": part}
        answer = self._store.patiently(
            lambda: self._store.client.upload_part(**request), "s3:PutObject", self._key, ended=self._closing
        )
        return {"PartNumber": number, "ETag": answer["ETag"], **checksum}

    def _collect(self) -> None:
        _, future = self._flying[0]
        self._parts.append(interruption.result(future))
        self._flying.popleft()

    def _put(self, body: bytes) -> None:
        try:
            self._store.put(self._key, body, create_only=self._create_only)
        except ConditionUnsupportedError:
            self._store.put(self._key, body)

    def _complete(self) -> None:
        request = {**self._target(), **self._store.config.request_key, "MultipartUpload": {"Parts": self._parts}}
        try:
            self._ask_to_complete(request | ({"IfNoneMatch": "*"} if self._create_only else {}))
        except ConditionUnsupportedError:
            self._ask_to_complete(request)

    def _ask_to_complete(self, request: dict[str, Any]) -> None:
        attempts = 0

        def attempt() -> None:
            nonlocal attempts
            attempts += 1
            self._store.client.complete_multipart_upload(**request)

        try:
            self._store.patiently(attempt, "s3:PutObject", self._key, ended=self._closing)
        except (ObjectNotFoundError, ObjectExistsError) as error:
            # An upload is forgotten when it is complete: then it was an earlier answer that got lost.
            is_lost = isinstance(error, ObjectNotFoundError) or attempts > 1
            if not (is_lost and self._store.exists(self._key) and self._store.size(self._key) == self.bytes_written):
                raise
