"""How far a run or a verification is: a live bar on a terminal, else a line every few seconds, always on stderr."""

import sys
import time
from types import TracebackType
from typing import Self

from pinnace.backup.progress import Observer
from pinnace.cli import human
from pinnace.logs import PROGRESS
from pinnace.settings import Settings

__all__ = ["RunDisplay", "VerifyDisplay", "WatchDisplay"]


class _Bar:
    """One bar on the terminal; rich takes long to import, and a Job has no terminal."""

    def __init__(self, begins: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[details]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self.progress.add_task(begins, total=None, details="")

    def show(self, what: str, *, done: int, total: int, details: str) -> None:
        """Move it."""
        self.progress.update(self._task, description=what, completed=done, total=total, details=details)


class _Display:
    """A bar, or lines where stderr is no terminal or must stay a JSON object a line."""

    def __init__(self, settings: Settings, *, begins: str) -> None:
        self.is_live = sys.stderr.isatty() and settings.log_format == "text"
        self._bar = _Bar(begins) if self.is_live else None
        self._line_seconds = settings.progress_seconds
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.progress.stop()

    def _show(self, *, what: str, done: int, total: int, details: str) -> None:
        """Move the bar, or write a line if the last one is long enough ago."""
        if self._bar:
            self._bar.show(what, done=done, total=max(total, done), details=details)
            return
        now = time.monotonic()
        if now - self._last_line < self._line_seconds:
            return
        self._last_line = now
        seconds_left = (now - self._started) * max(total - done, 0) / done if done else 0.0
        PROGRESS.info("%s: %s, %s left", what, details, human.age(seconds_left))

    def _rate(self, count: float) -> float:
        return count / max(time.monotonic() - self._started, 1e-3)


class RunDisplay(_Display, Observer):
    """Kinds, items, bytes, rate and time left of a run."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, begins="discovering")
        self._kinds: set[str] = set()
        self._kind_count = self._item_count = 0

    def planned(self, *, kind_count: int, list_count: int, item_count: int) -> None:
        """The totals are known; a kind may have a list for each namespace."""
        self._kind_count, self._item_count = kind_count, item_count
        if self._bar:
            self._bar.show(human.counted(kind_count, "kind"), done=0, total=item_count, details="")
        else:
            PROGRESS.info(
                "backing up about %s of %s in %s",
                human.counted(item_count, "item"),
                human.counted(kind_count, "kind"),
                human.counted(list_count, "list"),
            )

    def expected(self, *, item_count: int) -> None:
        """The total has grown."""
        self._item_count = item_count

    def progressed(self, *, group_resource: str, item_count: int, page_bytes: int) -> None:
        """A page was archived; its kind is the one that is going on."""
        self._kinds.add(group_resource)
        kind_count = max(self._kind_count, len(self._kinds))
        details = (
            f"{item_count:,} of about {max(self._item_count, item_count):,} items, "
            f"{len(self._kinds)} of {human.counted(kind_count, 'kind')}, {human.byte_size(page_bytes)}, "
            f"{self._rate(item_count):,.0f} items/s"
        )
        self._show(what=group_resource, done=item_count, total=self._item_count, details=details)


class VerifyDisplay(_Display):
    """Bytes of the archive that were read (a VerifyObserver)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, begins="verifying")
        self._total = self._done = 0

    def opened(self, *, archive_bytes: int) -> None:
        """The size is known."""
        self._total = archive_bytes

    def read(self, *, chunk_bytes: int) -> None:
        """A chunk was read."""
        self._done += chunk_bytes
        details = (
            f"{human.byte_size(self._done)} of {human.byte_size(self._total)}, "
            f"{human.byte_size(self._rate(self._done))}/s"
        )
        self._show(what="verifying", done=self._done, total=self._total, details=details)


class WatchDisplay(_Display):
    """What a Backup of a cluster says of itself while its Job runs."""

    def __init__(self, settings: Settings, *, name: str) -> None:
        super().__init__(settings, begins=f"backup {name}")
        self._name = name
        self._said = ""

    def seen(self, *, phase: str, done: int, total: int, note: str) -> None:
        """It is so far; `note` is a sentence, such as why another attempt is made, and "" most of the time."""
        said = f"{phase}: {note}" if note else phase
        if said != self._said:
            self._said = said
            PROGRESS.info("backup %s: %s", self._name, said)
        if total:
            details = f"{done:,} of {total:,} items, {self._rate(done):,.0f} items/s"
            self._show(what=f"backup {self._name}", done=done, total=total, details=details)
