"""Uploads the parts of one multipart upload in one thread, in bounded memory."""

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pinnace import interruption

if TYPE_CHECKING:
    from pinnace.store.s3 import S3Store

__all__ = ["PartUploads"]


class PartUploads:
    """Each part is repeated while the bucket is away (store.patience), until it is closed."""

    def __init__(self, store: "S3Store", key: str, *, upload_id: str, ended: threading.Event) -> None:
        self._store = store
        self._key = key
        self._upload_id = upload_id
        self._ended = ended
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._flying: deque[tuple[int, Future[dict[str, Any]]]] = deque()
        self.parts: list[dict[str, Any]] = []
        """Those that are stored, in order, as CompleteMultipartUpload wants them."""

    def send(self, number: int, part: bytearray, *, budget_bytes: int) -> None:
        """Upload a part; waits until at most `budget_bytes` are on their way."""
        self._flying.append((len(part), self._pool.submit(self._upload, number, part)))
        while self._flying and sum(size for size, _ in self._flying) > budget_bytes:
            self._collect()

    def finish(self) -> None:
        """Wait for every part."""
        while self._flying:
            self._collect()

    def close(self) -> None:
        """Wait for the part that is on its way: one that ends after the abort would be stored and paid for."""
        self._pool.shutdown(cancel_futures=True)

    def target(self) -> dict[str, Any]:
        """Give what names the upload in each request."""
        return {**self._store.target(self._key), "UploadId": self._upload_id}

    def _collect(self) -> None:
        _, future = self._flying[0]
        self.parts.append(interruption.result(future))
        self._flying.popleft()

    def _upload(self, number: int, part: bytearray) -> dict[str, Any]:
        checksum = self._store.config.request_checksum(part)
        request = {**self.target(), **self._store.config.request_key, **checksum, "PartNumber": number, "Body": part}
        answer = self._store.patiently(
            lambda: self._store.client.upload_part(**request), "s3:PutObject", self._key, ended=self._ended
        )
        return {"PartNumber": number, "ETag": answer["ETag"], **checksum}
