"""What a round of a location's sync reads and removes, so that its requests are bounded; decided purely."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pinnace.velero.label import STORAGE_LOCATION_LABEL, valid_name
from pinnace.velero.phase import phase_of

__all__ = ["ROUND", "Misses", "Orphans", "Reading", "orphans", "reading"]

ROUND = 500
"""So many objects are read in a round, and so many orphans looked at; the rest has its turn in the next round, a few
seconds later. A bucket with 10,000 backups takes 10 listings and at most 500 reads in each."""

_FIRST_PAUSE = timedelta(minutes=1)
_MOST_DOUBLINGS = 4
"""A name that gave nothing is read again after 1, 2, 4, 8 and then every 16 minutes: a failed backup leaves its log
for good, and another cluster's becomes whole one day."""

_WITH_DATA = ("Completed", "PartiallyFailed")


class Misses:
    """Names of a bucket that gave no Backup, and when each is to be read again; forgetting it costs requests only."""

    def __init__(self) -> None:
        self._misses: dict[str, tuple[int, datetime]] = {}
        self._unreadable: set[str] = set()

    @property
    def unreadable_count(self) -> int:
        """How many are there and can't be read; the others are only not finished."""
        return len(self._unreadable)

    def add(self, name: str, *, now: datetime, is_unreadable: bool = False) -> None:
        """Note that it gave nothing."""
        count, _ = self._misses.get(name, (0, now))
        self._misses[name] = (min(count + 1, _MOST_DOUBLINGS), now + _FIRST_PAUSE * 2**count)
        (self._unreadable.add if is_unreadable else self._unreadable.discard)(name)

    def forget_others(self, names: Iterable[str]) -> None:
        """Keep only these."""
        self._misses = {name: self._misses[name] for name in names if name in self._misses}
        self._unreadable &= self._misses.keys()

    def is_known(self, name: str) -> bool:
        """Whether it was read before."""
        return name in self._misses

    def is_due(self, name: str, *, now: datetime) -> bool:
        """Whether to read it; a clock that was put back must not put it off for ever."""
        if name not in self._misses:
            return True
        count, due = self._misses[name]
        return now >= due or due - now > _FIRST_PAUSE * 2**count


@dataclass(frozen=True)
class Reading:
    """Names whose metadata is read in this round, and whether these are all that are to be read now."""

    names: Sequence[str]
    is_whole: bool


def reading(stored: Iterable[str], *, known: Iterable[str], misses: Misses, now: datetime) -> Reading:
    """Choose from the names in the bucket those that are not in the cluster; those never read come first."""
    existing = set(known)
    due = [name for name in stored if name not in existing and misses.is_due(name, now=now)]
    due.sort(key=lambda name: (misses.is_known(name), name))
    return Reading(due[:ROUND], is_whole=len(due) <= ROUND)


@dataclass(frozen=True)
class Orphans:
    """Backups whose data seems to be gone, and why none of them may be removed, if so."""

    backups: Sequence[Mapping[str, Any]]
    is_whole: bool = True
    kept_because: str = ""


def orphans(copies: Iterable[Mapping[str, Any]], *, stored: Iterable[str], location_name: str) -> Orphans:
    """Find the finished Backups of a location that its bucket does not have.

    `copies` must be older than the listing `stored`: a backup that ended in between is in neither, or in both. Where
    the bucket lists no backup at all, another bucket or prefix than before is more likely than that all are gone.
    """
    names, label = set(stored), valid_name(location_name)
    found = [
        backup
        for backup in copies
        if (backup["metadata"].get("labels") or {}).get(STORAGE_LOCATION_LABEL) == label
        and phase_of(backup) in _WITH_DATA
        and backup["metadata"]["name"] not in names
    ]
    if found and not names:
        return Orphans((), kept_because=f"it lists no backup at all, so its {len(found)} Backups are kept")
    return Orphans(found[:ROUND], is_whole=len(found) <= ROUND)
