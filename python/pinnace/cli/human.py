"""Times, sizes and selectors as people read them, spelled as `velero backup get` and `describe` spell them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["age", "byte_size", "counted", "created_at", "from_now", "selector", "sort_key"]

_SCHEDULED = re.compile(r"(.*)-([0-9]{14})")


def byte_size(count: float) -> str:
    """Spell a size with three digits or so: `75.5 kB`, `1.2 GB`."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**power:
            return f"{count / 10**power:,.1f} {unit}"
    return f"{count:.0f} bytes"


def counted(count: int, noun: str) -> str:
    """Spell a number of things: `1 kind`, `2,000 kinds`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def age(seconds: float) -> str:
    """Spell a span by its largest unit, as kubectl does in short: `29d`, `3h`, `5m`, `7s`."""
    for unit, unit_seconds in (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= unit_seconds:
            return f"{int(seconds // unit_seconds)}{unit}"
    return f"{int(max(seconds, 0))}s"


def from_now(text: str, *, now: datetime) -> str:
    """Spell a timestamp by its distance: `29d`, `3h ago`, `n/a` where there is none."""
    time = _parsed(text)
    if time is None:
        return "n/a"
    seconds = (time - now).total_seconds()
    return age(seconds) if seconds >= 0 else f"{age(-seconds)} ago"


def created_at(text: str) -> str:
    """Spell a timestamp as Velero's tables do: `2026-11-23 23:41:37 +0000 UTC`."""
    time = _parsed(text)
    return time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC") if time else "<nil>"


def selector(document: Any) -> str:
    """Spell a LabelSelector in one line; `<none>` where nothing is selected."""
    if not isinstance(document, Mapping):
        return "<none>"
    labels, expressions = document.get("matchLabels"), document.get("matchExpressions")
    parts = [f"{key}={value}" for key, value in sorted(labels.items())] if isinstance(labels, Mapping) else []
    parts += map(_expression, expressions) if isinstance(expressions, list) else []
    return ",".join(parts) or "<none>"


def _expression(expression: Any) -> str:
    if not isinstance(expression, Mapping):
        return str(expression)
    key, values = expression.get("key"), expression.get("values")
    listed = ",".join(map(str, values)) if isinstance(values, list) else ""
    spelled = {"In": f"{key} in ({listed})", "NotIn": f"{key} notin ({listed})"}
    spelled |= {"Exists": f"{key}", "DoesNotExist": f"!{key}"}
    return spelled.get(str(expression.get("operator")), str(dict(expression)))


def sort_key(name: str) -> tuple[str, str]:
    """Order backups by name, and those of one schedule (`daily-20261123234137`) newest first among themselves."""
    scheduled = _SCHEDULED.fullmatch(name)
    if scheduled is None:
        return name, ""
    return scheduled[1], "".join(chr(ord("9") - ord(digit) + ord("0")) for digit in scheduled[2])


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
