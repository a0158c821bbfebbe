"""Reads responses ahead of their turn, each in a thread of its own, in a bounded number of bytes."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from pinnace import interruption
from pinnace.collect.list_encoding import JSON, Encoding
from pinnace.engine import Piece
from pinnace.kube.call import Call
from pinnace.kube.client import Response

__all__ = ["HEAD_BYTES", "SUCCESSORS_BYTES", "Buffers", "Prefetch"]

HEAD_BYTES = 8 << 20
"""Read ahead of the archive in the response that it is taking; none of its successors may hold more either."""

SUCCESSORS_BYTES = 16 << 20
"""Read ahead in all of its successors together, so that memory does not depend on how many there are."""

_LONGEST_UNREAD_SECONDS = 30.0
"""A response that can't go on for so long is given up: the apiserver would cut it at 60 s, in the middle."""


class Buffers:
    """The bytes that wait, over all responses, and the lock under which they change.

    Each reader waits on a condition of its own: with a common one each chunk that is taken would wake all of them.
    """

    def __init__(
        self,
        *,
        head_bytes: int = HEAD_BYTES,
        successors_bytes: int = SUCCESSORS_BYTES,
        longest_unread_seconds: float = _LONGEST_UNREAD_SECONDS,
    ) -> None:
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        """Of the archive, which waits for chunks of the head and for responses that end."""
        self.longest_unread_seconds = longest_unread_seconds
        self._head_bytes = head_bytes
        self._successors_bytes = successors_bytes
        self._waiting_bytes = 0
        self._open: set[Prefetch] = set()

    def admit(self, held_bytes: int, *, is_head: bool) -> bool:
        """Whether a response that holds so much may read on; a chunk more than the bound is possible."""
        return held_bytes < self._head_bytes and (is_head or self._waiting_bytes < self._successors_bytes)

    def has_room_again(self, held_bytes: int) -> bool:
        """Whether the head's reader, which was not admitted, is worth waking: it can then read half of its budget."""
        return held_bytes <= self._head_bytes // 2

    def add_waiting(self, count_bytes: int) -> None:
        """Count what successors hold; negative when a successor becomes the head, or is dropped."""
        self._waiting_bytes += count_bytes
        if count_bytes < 0:
            for prefetch in self._open:
                prefetch.room.notify()

    def opened(self, prefetch: "Prefetch") -> None:
        """Know a response until it is closed."""
        with self.lock:
            self._open.add(prefetch)

    def closed(self, prefetch: "Prefetch") -> None:
        """Forget a response; its thread ends at once, or did already."""
        with self.lock:
            self._open.discard(prefetch)

    def close(self) -> None:
        """Hang up on whatever is open, and wait until its threads have ended.

        That is at once, but for a thread that is still connecting: it ends by its own timeout.
        """
        for prefetch in list(self._open):
            prefetch.close()


class Prefetch:
    """One request, sent at once; its chunks wait until somebody takes them.

    One thread takes, in the order of the plan: what it takes from is the head.
    """

    def __init__(
        self,
        open_response: Callable[[Call], Response],
        *,
        described: str,
        buffers: Buffers,
        is_head: bool,
        encoding: Encoding = JSON,
    ) -> None:
        self.described = described
        self.asked_at = time.monotonic()
        self.first_byte_seconds = 0.0
        self.encoding = encoding
        """As it was asked for; as it is, once there is a first chunk."""
        self.error: BaseException | None = None
        self.is_stale = False
        """Given up because its turn did not come; it has to be asked for again."""
        self.ended_early_at: float | None = None
        """When it ended (time.monotonic), if that was before its turn."""
        self.is_noted = False
        """Set by the one that learns from it."""
        self._open_response = open_response
        self._buffers = buffers
        self.room = threading.Condition(buffers.lock)
        """Of its reader, which waits until it may hold more."""
        self._chunks: deque[bytes | Piece] = deque()
        self._held_bytes = 0
        self._is_head = is_head
        self._is_closed = False
        self._has_ended = False
        self._call = Call()
        self._thread = threading.Thread(target=self._read, name="prefetch", daemon=True)
        buffers.opened(self)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether nothing is asked of the server any more: all was read, or it failed."""
        return self._has_ended

    def become_head(self) -> None:
        """Its turn has come: it reads on within the head's budget."""
        with self._buffers.lock:
            if not self._is_head:
                self._is_head = True
                self._buffers.add_waiting(-self._held_bytes)
                self.room.notify()

    def chunks(self, *, meanwhile: Callable[[], None] = lambda: None) -> Iterator[bytes | Piece]:
        """Take the body as it arrives; KubeError where the server refused or the connection broke.

        `meanwhile` is called whenever something changed while there was nothing to take.
        """
        self.become_head()
        while (chunk := self._take(meanwhile)) is not None:
            yield chunk
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Stop reading, and hang up if the server still sends; what was not taken is dropped, its thread ended."""
        with self._buffers.lock:
            self._is_closed = True
            self._drop()
            self.room.notify()
            must_hang_up = not self._has_ended
        if must_hang_up:
            self._call.hang_up()
        self._thread.join()
        self._buffers.closed(self)

    def _take(self, meanwhile: Callable[[], None]) -> bytes | Piece | None:
        while True:
            with self._buffers.lock:
                if self._chunks:
                    chunk = self._chunks.popleft()
                    self._held_bytes -= len(chunk)
                    if self._buffers.has_room_again(self._held_bytes):
                        self.room.notify()
                    return chunk
                if self._has_ended:
                    return None
                self._buffers.changed.wait(interruption.LOOK_SECONDS)
            interruption.check()
            meanwhile()

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            with self._open_response(self._call) as response:
                self.first_byte_seconds = response.first_byte_seconds
                self.encoding = self.encoding.answered(response.content_type)
                for chunk in response.chunks():
                    if not self._put(chunk):
                        break
        except BaseException as failure:  # whatever ends the thread must reach who waits for its chunks
            error = failure
        self._call.end()
        with self._buffers.lock:
            self.error = error
            self.ended_early_at = None if self._is_head else time.monotonic()
            self._has_ended = True
            self._buffers.changed.notify()

    def _put(self, chunk: bytes | Piece) -> bool:
        give_up_at = time.monotonic() + self._buffers.longest_unread_seconds
        with self._buffers.lock:
            while not self._is_closed and not self._buffers.admit(self._held_bytes, is_head=self._is_head):
                left_seconds = give_up_at - time.monotonic()
                if not self._is_head and left_seconds <= 0:
                    self.is_stale = True
                    self._drop()
                    return False
                self.room.wait(None if self._is_head else left_seconds)
            if self._is_closed:
                return False
            self._chunks.append(chunk)
            self._held_bytes += len(chunk)
            if self._is_head:
                self._buffers.changed.notify()
            else:
                self._buffers.add_waiting(len(chunk))
        return True

    def _drop(self) -> None:
        if not self._is_head:
            self._buffers.add_waiting(-self._held_bytes)
        self._chunks.clear()
        self._held_bytes = 0
