"""When a location is validated, what its status says then, and which one is the default; decided purely."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.duration import parse_duration
from pinnace.velero.timestamps import timestamp

__all__ = ["is_due", "not_default_any_more", "status_after", "wants_default"]

_DEFAULT_FREQUENCY_SECONDS = 60.0
"""Velero's `--store-validation-frequency`."""


def is_due(location: Mapping[str, Any], *, now: datetime) -> bool:
    """Tell whether to validate now; a frequency of 0 turns it off, but the first validation always runs.

    One that can't be read counts as not given: the next validation must not end with it.
    """
    last = (location.get("status") or {}).get("lastValidationTime")
    if not last:
        return True
    text = (location.get("spec") or {}).get("validationFrequency")
    seconds = _DEFAULT_FREQUENCY_SECONDS
    if text is not None:
        with suppress(UsageError):
            seconds = parse_duration(str(text), field="spec.validationFrequency")
    return seconds > 0 and now - datetime.fromisoformat(last) >= timedelta(seconds=seconds)


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
