"""One large object on its way into a bucket: fills parts and uploads them, in bounded memory."""

import threading
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pinnace.errors import ConditionUnsupportedError, ObjectExistsError, ObjectNotFoundError, StoreError
from pinnace.store.object_store import WRITER_BUDGET_BYTES, ObjectWriter, StretchPlace, StretchWriter, Writer
from pinnace.store.part_sizes import MOST_BYTES, MOST_PARTS, part_bytes, stretch_numbers
from pinnace.store.part_uploads import PartUploads

if TYPE_CHECKING:
    from pinnace.store.s3 import S3Store

__all__ = ["MultipartStretch", "MultipartWriter"]


class _PartFiller(Writer):
    """Cuts what is written into parts, and hands each on when it is full."""

    def __init__(self, store: "S3Store", key: str) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._filling = bytearray()
        self._closing = threading.Event()
        self._sent_count = 0

    def write(self, chunk: bytes) -> None:
        """Fill the part, and store it when it is full; waits while more would not fit into the budget."""
        self._check_open()
        rest = memoryview(chunk)
        while rest:
            missing = self._part_bytes() - len(self._filling)
            self._filling += rest[:missing]
            rest = rest[missing:]
            if len(self._filling) == self._part_bytes():
                self._send()
        self.bytes_written += len(chunk)

    @abstractmethod
    def _part_bytes(self) -> int:
        """Bytes of the part that fills."""

    @abstractmethod
    def _send(self) -> None:
        """Store the part, and begin the next one."""


class MultipartWriter(_PartFiller, ObjectWriter):
    """Becomes a multipart upload with the first full part; an object that stays below it is one PutObject.

    Parts are uploaded in one thread, each repeated while the bucket is away (store.patience). What fills and what flies
    are at most `budget_bytes`, or one part if that is larger.
    """

    def __init__(self, store: "S3Store", key: str, *, budget_bytes: int, create_only: bool = False) -> None:
        super().__init__(store, key)
        self._budget_bytes = budget_bytes
        self._create_only = create_only
        self._upload_id = ""
        self._uploads: PartUploads | None = None
        self._number = 1
        self._last_number = MOST_PARTS
        self._stretch_count = 1

    def share(self, *, stretch_count: int) -> str:
        """Begin the upload now; part numbers are shared out."""
        self._check_open()
        self._stretch_count = stretch_count
        self._last_number = stretch_numbers(0, stretch_count=stretch_count)[-1]
        self._begin()
        return self._upload_id

    def append(self, stretch: Mapping[str, Any]) -> None:
        """Join what fills and the stretch's first bytes to a part, before its parts; its rest fills the next one."""
        self._check_open()
        after = stretch_numbers(stretch["number"] + 1, stretch_count=self._stretch_count)
        self._take(stretch["first"])
        if stretch["parts"]:
            # The bytes before a stretch's parts are a whole part of its own, so this one is large enough for S3.
            self._send()
            if self._uploads is not None:
                self._uploads.finish()
                self._uploads.parts.extend(stretch["parts"])
            self._number = stretch["parts"][-1]["PartNumber"] + 1
        is_last = stretch["number"] + 1 == self._stretch_count
        self._last_number = MOST_PARTS if is_last else after.start - 1
        self._take(stretch["rest"])
        if len(self._filling) >= self._part_bytes():
            self._send()
        self.bytes_written += stretch["bytes"]

    def commit(self) -> None:
        """Upload the rest, wait for every part, and complete the upload."""
        self._check_open()
        if self._uploads is None:
            self._put(bytes(self._filling))
            self._ended = True
            return
        if self._filling:
            self._send()
        self._uploads.finish()
        self._complete(self._uploads)
        self._close()

    def abort(self) -> None:
        """Abort the upload after the part that is on its way."""
        if self._ended:
            return
        self._close()
        if self._uploads is None:
            return
        try:
            with self._store.explained("s3:AbortMultipartUpload", self._key):
                self._store.client.abort_multipart_upload(**self._uploads.target())
        except ObjectNotFoundError:
            return

    def _close(self) -> None:
        self._ended = True
        self._filling.clear()
        self._closing.set()
        if self._uploads is not None:
            self._uploads.close()

    def _part_bytes(self) -> int:
        return part_bytes(self._sent_count * self._stretch_count + 1)

    def _begin(self) -> PartUploads:
        if self._uploads is None:
            self._upload_id = self._store.patiently(self._create, "s3:PutObject", self._key, ended=self._closing)
            self._uploads = PartUploads(self._store, self._key, upload_id=self._upload_id, ended=self._closing)
        return self._uploads

    def _send(self) -> None:
        if self._number > self._last_number:
            raise _too_large(self._store, self._key, self._stretch_count)
        uploads = self._begin()
        part, self._filling = self._filling, bytearray()
        number, self._number, self._sent_count = self._number, self._number + 1, self._sent_count + 1
        uploads.send(number, part, budget_bytes=self._budget_bytes - self._part_bytes())

    def _take(self, key: str) -> None:
        """Go on with what a stretch has stored beside the object."""
        if key:
            self._filling += self._store.get(key)
            self._store.delete(key)

    def _create(self) -> str:
        request = self._store.config.request_create
        return self._store.client.create_multipart_upload(**self._store.target(self._key), **request)["UploadId"]

    def _put(self, body: bytes) -> None:
        try:
            self._store.put(self._key, body, create_only=self._create_only)
        except ConditionUnsupportedError:
            self._store.put(self._key, body)

    def _complete(self, uploads: PartUploads) -> None:
        parts = {"MultipartUpload": {"Parts": uploads.parts}}
        request = {**uploads.target(), **self._store.config.request_key, **parts}
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


class MultipartStretch(_PartFiller, StretchWriter):
    """A range of parts of an upload; what is before and after them is stored as small objects beside the object.

    S3 takes no part below 5 MiB but the last, and what comes before this stretch may be of any size. So the first 8 MiB
    wait for it, and the rest for what comes after.
    """

    def __init__(self, store: "S3Store", key: str, place: StretchPlace) -> None:
        super().__init__(store, key)
        self._place = place
        self._numbers = stretch_numbers(place.number, stretch_count=place.stretch_count)
        self._first_key = ""
        self._uploads = PartUploads(store, key, upload_id=place.upload_id, ended=self._closing)

    def finish(self) -> dict[str, Any]:
        """Store the rest, and wait for every part."""
        self._check_open()
        rest_key = self._set_aside("rest") if self._filling else ""
        self._uploads.finish()
        self._close()
        return {
            "number": self._place.number,
            "bytes": self.bytes_written,
            "first": self._first_key,
            "parts": self._uploads.parts,
            "rest": rest_key,
        }

    def abort(self) -> None:
        """Stop after the part that is on its way; the upload and what is beside it are its owner's to remove."""
        if not self._ended:
            self._close()

    def _close(self) -> None:
        self._ended = True
        self._filling.clear()
        self._closing.set()
        self._uploads.close()

    def _part_bytes(self) -> int:
        return part_bytes(self._sent_count * self._place.stretch_count + 1)

    def _send(self) -> None:
        if not self._first_key:
            self._first_key = self._set_aside("first")
            return
        if self._sent_count == len(self._numbers):
            raise _too_large(self._store, self._key, self._place.stretch_count)
        part, self._filling = self._filling, bytearray()
        number, self._sent_count = self._numbers[self._sent_count], self._sent_count + 1
        self._uploads.send(number, part, budget_bytes=WRITER_BUDGET_BYTES - self._part_bytes())

    def _set_aside(self, what: str) -> str:
        key = self._place.beside(self._key, f"stretch-{self._place.number}-{what}")
        self._store.put(key, bytes(self._filling))
        self._filling.clear()
        return key


def _too_large(store: "S3Store", key: str, stretch_count: int) -> StoreError:
    if stretch_count > 1:
        parts = len(stretch_numbers(1, stretch_count=stretch_count))
        reason, fix = f"one of {stretch_count} shards needs more than {parts:,} parts", "use fewer shards"
    else:
        reason = f"the object needs more than {MOST_PARTS:,} parts, which hold {MOST_BYTES >> 30} GiB"
        fix = "split the backup by --include-namespaces"
    return StoreError(location=store.location, action=f"s3:PutObject {key}", reason=reason, fix=fix)
