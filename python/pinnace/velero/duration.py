"""Go durations (`720h0m0s`), the only spelling that a Velero server decodes."""

import re

from pinnace.errors import UsageError

__all__ = ["format_duration", "parse_duration"]

_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str, *, field: str) -> float:
    """Seconds of a Go duration; UsageError naming `field` for anything else, days included."""
    rest = text.removeprefix("-").removeprefix("+")
    if rest == "0":
        return 0.0
    parts = _PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise UsageError(f"{field}: {text!r} is not a duration such as 720h or 1h30m0s; days are written as hours")
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds


def format_duration(seconds: float) -> str:
    """Spell whole seconds as Go does: `0s`, `1m30s`, `720h0m0s`."""
    whole = round(abs(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    sign = "-" if seconds < 0 and whole else ""
    if hours:
        return f"{sign}{hours}h{minutes}m{rest}s"
    return f"{sign}{minutes}m{rest}s" if minutes else f"{sign}{rest}s"
