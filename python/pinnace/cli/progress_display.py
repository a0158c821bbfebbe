"""How far a run is: a live bar on a terminal, otherwise a line every few seconds, always on stderr."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pinnace.backup.run import Observer

__all__ = ["ProgressDisplay"]

_LINE_SECONDS = 5.0


class ProgressDisplay(Observer):
    """Kinds, items, bytes, rate and time left."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[megabytes]:.1f} MB"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._total = 0
        self._bar = self._progress.add_task("discovering", total=None, megabytes=0.0)
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def planned(self, *, list_count: int, item_count: int) -> None:
        """The total is known."""
        self._total = item_count
        self._progress.update(self._bar, total=item_count, description=f"{list_count} lists")
        if self._progress.disable:
            print(f"backing up about {item_count:,} items in {list_count} lists", file=sys.stderr, flush=True)

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        """A page was archived."""
        self._progress.update(self._bar, completed=item_count, description=group_resource, megabytes=page_bytes / 1e6)
        now = time.monotonic()
        if self._progress.disable and now - self._last_line >= _LINE_SECONDS:
            self._last_line = now
            rate = item_count / (now - self._started)
            print(
                f"{item_count:,} of about {self._total:,} items, {page_bytes / 1e6:,.0f} MB, {rate:,.0f} items/s, "
                f"now {group_resource}",
                file=sys.stderr,
                flush=True,
            )
