"""When a location is validated, what its status says then, and which one is the default; decided purely."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.duration import parse_duration
from pinnace.velero.timestamps import timestamp

__all__ = ["is_due", "is_sync_due", "not_default_any_more", "status_after", "wants_default"]

_DEFAULT_FREQUENCY_SECONDS = 60.0
"""Velero's `--store-validation-frequency`."""

_SKEW = timedelta(minutes=1)


def is_due(location: Mapping[str, Any], *, now: datetime) -> bool:
    """Tell whether to validate now; a frequency of 0 turns it off, but the first validation always runs."""
    last = (location.get("status") or {}).get("lastValidationTime")
    seconds = _seconds(location, "validationFrequency", default=_DEFAULT_FREQUENCY_SECONDS)
    return not last or _is_over(last, seconds, now=now)


def is_sync_due(location: Mapping[str, Any], *, default_seconds: float, now: datetime) -> bool:
    """Tell whether to look now which backups its bucket has; only where it can be asked. A period of 0 turns it off."""
    status = location.get("status") or {}
    seconds = _seconds(location, "backupSyncPeriod", default=default_seconds)
    last = status.get("lastSyncedTime")
    if status.get("phase") != "Available" or seconds <= 0:
        return False
    # A time that lies in the future was written by a clock that was wrong.
    return not last or _is_over(last, seconds, now=now) or datetime.fromisoformat(last) - now > _SKEW


def _is_over(last: str, seconds: float, *, now: datetime) -> bool:
    return seconds > 0 and now - datetime.fromisoformat(last) >= timedelta(seconds=seconds)


def _seconds(location: Mapping[str, Any], field: str, *, default: float) -> float:
    """Read a duration; one that can't be read counts as not given: what it times must not end with it."""
    text = (location.get("spec") or {}).get(field)
    if text is not None:
        with suppress(UsageError):
            return parse_duration(str(text), field=f"spec.{field}")
    return default


def status_after(location: Mapping[str, Any], *, error: str, now: datetime) -> dict[str, Any]:
    """The status after a validation, in Velero's words; `error` is empty where the location can be used."""
    name = location["metadata"]["name"]
    message = f'BackupStorageLocation "{name}" is unavailable: {error}' if error else ""
    return {
        "phase": "Unavailable" if error else "Available",
        "lastValidationTime": timestamp(now),
        "message": message,
    }


def not_default_any_more(locations: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of several defaults only the newest stays; the others are given back."""
    defaults = [location for location in locations if (location.get("spec") or {}).get("default")]
    defaults.sort(key=lambda location: str(location["metadata"].get("creationTimestamp", "")))
    return defaults[:-1]


def wants_default(locations: Iterable[Mapping[str, Any]], *, default_name: str) -> Mapping[str, Any] | None:
    """The location that the dispatcher's setting names, where no location is the default yet."""
    everything = list(locations)
    if any((location.get("spec") or {}).get("default") for location in everything):
        return None
    named = [location for location in everything if location["metadata"]["name"] == default_name]
    return named[0] if named else None
