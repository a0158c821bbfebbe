"""When a Schedule is due: `spec.schedule` as Velero's cron library spells it (robfig/cron), evaluated by cronsim."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from pinnace.errors import UsageError
from pinnace.velero.duration import parse_duration

__all__ = ["Cron", "parse_cron"]

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S*)\s*(.*)")
_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_PART = re.compile(r"([*?]|\d+|[A-Z]{3})(?:-(\d+|[A-Z]{3}))?(?:/(\d+))?")
_ENDS = {"day of month": ("1", "31"), "day of week": ("0", "6")}
_DAYS = {"SUN": "0", "MON": "1", "TUE": "2", "WED": "3", "THU": "4", "FRI": "5", "SAT": "6"}


class Cron(ABC):
    """The times of one expression; all times are aware, and those given back are in UTC."""

    @abstractmethod
    def next_after(self, time: datetime) -> datetime | None:
        """The first due time later than `time`; None where there is none in 50 years (30 February)."""

    @abstractmethod
    def due_time(self, *, since: datetime, now: datetime) -> datetime | None:
        """The last due time that is later than `since` and not later than `now`; None where nothing is due.

        Of several that were missed it is one, so that an outage is followed by one backup and not by a storm.
        """


@dataclass(frozen=True)
class _Every(Cron):
    """`@every 1h`: counted from the time before."""

    seconds: int

    def next_after(self, time: datetime) -> datetime | None:
        return time.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=self.seconds)

    def due_time(self, *, since: datetime, now: datetime) -> datetime | None:
        begun = since.astimezone(UTC).replace(microsecond=0)
        count = (now - begun) // timedelta(seconds=self.seconds)
        return begun + count * timedelta(seconds=self.seconds) if count >= 1 else None


@dataclass(frozen=True)
class _Fields(Cron):
    """Five fields in a time zone. A clock that is put forward or back loses no due time and repeats none.

    A time of day that is left out in spring is due right after the gap, and one that comes twice in autumn is due
    the first time, as in Debian's cron; Velero leaves out the first and repeats the second.
    """

    fields: str
    zone: ZoneInfo

    def next_after(self, time: datetime) -> datetime | None:
        # In the repeated hour the library may begin with times that are over.
        for found in CronSim(self.fields, time.astimezone(self.zone)):
            if (due := found.astimezone(UTC)) > time:
                return due
        return None

    def due_time(self, *, since: datetime, now: datetime) -> datetime | None:
        due = self.next_after(since)
        if due is None or due > now:
            return None
        before = next(CronSim(self.fields, (now + timedelta(seconds=1)).astimezone(self.zone), reverse=True), None)
        if before is not None and (passed := before.astimezone(UTC)) <= now:
            due = max(due, passed)
        while (later := self.next_after(due)) is not None and later <= now:
            due = later
        return due


def parse_cron(text: str) -> Cron:
    """Read an expression: five fields, `@daily` and the like, or `@every 1h`; `CRON_TZ=Europe/Berlin` in front.

    UsageError with the reason, without a prefix. Names of months and days count in any case; Sunday is 0.
    """
    zone_name, expression = "UTC", text.strip()
    if zoned := _ZONE.fullmatch(expression):
        zone_name, expression = zoned[1], zoned[2].strip()
    if expression.startswith(_EVERY):
        return _every(expression.removeprefix(_EVERY).strip())
    if expression.startswith("@"):
        if expression not in _DESCRIPTORS:
            raise UsageError(f"{expression} is not known; {', '.join(_DESCRIPTORS)} and `@every 1h` are")
        expression = _DESCRIPTORS[expression]
    fields = _normalized(expression)
    try:
        CronSim(fields, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise UsageError(f"{expression!r}: {str(error)[:1].lower()}{str(error)[1:]}") from error
    return _Fields(fields, _zone(zone_name))


def _every(text: str) -> Cron:
    seconds = parse_duration(text, field="@every")
    if seconds < 1:
        raise UsageError(f"@every {text}: less than a second")
    return _Every(int(seconds))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"time zone {name!r} is not known; name it as Europe/Berlin") from error


def _normalized(expression: str) -> str:
    """Spell five fields so that the library reads them as Velero's does."""
    fields = expression.upper().split()
    if len(fields) != len(_FIELDS):
        raise UsageError(f"{expression!r} has {len(fields)} fields, not 5: {', '.join(_FIELDS)}")
    return " ".join(_field(text, name) for text, name in zip(fields, _FIELDS, strict=True))


def _field(text: str, name: str) -> str:
    parts = [_part(part, name, text) for part in text.split(",")]
    return "*" if "*" in parts else ",".join(parts)


def _part(part: str, name: str, text: str) -> str:
    matched = _PART.fullmatch(part)
    if matched is None or (matched[1] in ("*", "?") and matched[2]) or (matched[3] and not int(matched[3])):
        raise UsageError(f"{name} {text!r} is not a number, a range, a list, `*` or one of these with a step")
    first, last, step = matched[1].replace("?", "*"), matched[2], int(matched[3] or 0)
    if name == "day of week":
        first, last = _DAYS.get(first, first), _DAYS.get(last or "", last)
        if not {first, last or first} <= {"*", *_DAYS.values()}:
            raise UsageError(f"{name} {text!r}: days are 0 to 6 or SUN to SAT, Sunday is 0")
    if first == "*" and step <= 1:
        return first
    if step and last is None and name in _ENDS:
        # The library's week ends with a second Sunday; and only a bare star leaves the choice of days to the other
        # field of days, while `*/2` is a list of days.
        low, last = _ENDS[name]
        first = low if first == "*" else first
    if first == last:
        return first
    return first + (f"-{last}" if last else "") + (f"/{step}" if step else "")
