"""Go durations (`720h0m0s`), the only spelling that a Velero server decodes."""

import re

from pinnace.errors import UsageError

__all__ = ["format_duration", "parse_duration", "parse_frequency"]

_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_DAYS = re.compile(r"([0-9]+)d")
_NANOSECONDS = 1_000_000_000


def parse_duration(text: str, *, field: str) -> float:
    """Seconds of a Go duration; UsageError naming `field` for anything else, days included."""
    rest = text.removeprefix("-").removeprefix("+")
    if rest == "0":
        return 0.0
    if days := _DAYS.fullmatch(rest):
        raise UsageError(f"{field}: {text!r} is not a duration: days are written as hours, {int(days[1]) * 24}h")
    parts = _PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise UsageError(f"{field}: {text!r} is not a duration such as 720h or 1h30m0s; days are written as hours")
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds


def parse_frequency(text: str, *, field: str) -> float:
    """Seconds between two looks, which must not be 0 or less; UsageError."""
    seconds = parse_duration(text, field=field)
    if seconds <= 0:
        raise UsageError(f"{field}: more than 0 is wanted; a longer one looks less often")
    return seconds


def format_duration(seconds: float) -> str:
    """Spell seconds as Go does, down to nanoseconds: `0s`, `1.5ms`, `1m30s`, `720h0m0s`."""
    nanoseconds = round(abs(seconds) * _NANOSECONDS)
    sign = "-" if seconds < 0 and nanoseconds else ""
    if 0 < nanoseconds < _NANOSECONDS:
        unit, size = next(
            (unit, size) for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)) if nanoseconds >= size
        )
        return f"{sign}{_decimal(nanoseconds, size)}{unit}"
    minutes, rest = divmod(nanoseconds, 60 * _NANOSECONDS)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _NANOSECONDS)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else f"{sign}{text}"


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)
