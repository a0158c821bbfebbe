"""How a run says how far it is."""

import threading

__all__ = ["Observer", "SharedProgress"]


class Observer:
    """Told how far a run is; the default says nothing."""

    def planned(self, *, kind_count: int, list_count: int, item_count: int) -> None:
        """The probe is done."""

    def expected(self, *, item_count: int) -> None:
        """More is coming than was planned, because items pull in others; the whole run's total."""

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        """A page went into the archive; counts are of the whole run."""


class SharedProgress(Observer):
    """Adds to what the run itself did what its shards did, each told from a thread of its own."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._lock = threading.Lock()
        self._own = (0, 0)
        self._shards: dict[int, tuple[int, int]] = {}

    def planned(self, *, kind_count: int, list_count: int, item_count: int) -> None:
        """The probe is done, for all of them."""
        self._observer.planned(kind_count=kind_count, list_count=list_count, item_count=item_count)

    def expected(self, *, item_count: int) -> None:
        """More is coming."""
        self._observer.expected(item_count=item_count)

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        """The run itself is so far, with the shards whose work it took over."""
        with self._lock:
            self._own = (item_count, page_bytes)
            self._tell(group_resource)

    def shard_progressed(self, *, number: int, group_resource: str, item_count: int, page_bytes: int) -> None:
        """A shard is so far; one that was started again begins anew."""
        with self._lock:
            self._shards[number] = (item_count, page_bytes)
            self._tell(group_resource)

    def forget(self, *, number: int) -> None:
        """The run counts what the shard did from now on."""
        with self._lock:
            self._shards.pop(number, None)

    def _tell(self, group_resource: str) -> None:
        counts = [self._own, *self._shards.values()]
        self._observer.progressed(
            group_resource=group_resource,
            item_count=sum(item_count for item_count, _ in counts),
            page_bytes=sum(page_bytes for _, page_bytes in counts),
        )
