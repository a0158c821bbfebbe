"""A fake bucket whose speed a test sets: parts are answered only when they are permitted, or read at a rate."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["SlowBucket", "slow_bucket"]

_EMPTY_LIST = b"<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"
_NO_UPLOADS = b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
_COMPLETED = b"<CompleteMultipartUploadResult><ETag>0</ETag></CompleteMultipartUploadResult>"
_CREATED = b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"


@dataclass
class SlowBucket:
    """Where it listens, and how many bytes of parts it has answered.

    With `bytes_per_second` 0 each part waits for a permit; else all of them together are read so fast, and answered.
    """

    url: str = ""
    bytes_per_second: int = 0
    part_bytes: int = 0
    _read_until: float = 0.0
    _pace: threading.Lock = field(default_factory=threading.Lock)
    _permits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def store_url(self) -> str:
        """What `--store` takes."""
        return f"s3://slow/?s3Url={self.url}&s3ForcePathStyle=true&region=us-east-1"

    def permit(self, parts: int) -> None:
        """Answer so many more parts."""
        self._permits.release(parts)

    def wait(self, size_bytes: int) -> None:
        """Hold the part's answer until it is permitted."""
        if not self.bytes_per_second:
            self._permits.acquire()
        self.part_bytes += size_bytes

    def read(self, size_bytes: int) -> None:
        """Take as long as so many bytes take."""
        if self.bytes_per_second:
            with self._pace:
                self._read_until = max(self._read_until, time.monotonic()) + size_bytes / self.bytes_per_second
                time.sleep(max(self._read_until - time.monotonic(), 0.0))


@contextmanager
def slow_bucket(*, bytes_per_second: int = 0) -> Iterator[SlowBucket]:
    """Serve a bucket that is empty and keeps nothing."""
    bucket = SlowBucket(bytes_per_second=bytes_per_second)
    server = _Server(bucket)
    bucket.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield bucket
    finally:
        bucket.permit(10_000)
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, bucket: SlowBucket) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bucket = bucket


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(404)

    def do_GET(self) -> None:
        self._answer(200, _NO_UPLOADS if re.search(r"[?&]uploads\b", self.path) else _EMPTY_LIST)

    def do_POST(self) -> None:
        self._body()
        self._answer(200, _COMPLETED if "uploadId=" in self.path else _CREATED)

    def do_PUT(self) -> None:
        size_bytes = self._body()
        if "partNumber=" in self.path:
            self.server.bucket.wait(size_bytes)
        self._answer(200)

    def do_DELETE(self) -> None:
        self._answer(204)

    def _body(self) -> int:
        left = size_bytes = int(self.headers.get("Content-Length") or 0)
        while left:
            piece_bytes = len(self.rfile.read(min(left, 1 << 16)))
            left -= piece_bytes
            self.server.bucket.read(piece_bytes)
        return size_bytes

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("ETag", '"0"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return
