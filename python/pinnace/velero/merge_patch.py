"""JSON merge patches (RFC 7386), the only kind by which Velero's resources can be changed without losing fields."""

from collections.abc import Mapping
from typing import Any

__all__ = ["merge_patch"]


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Give the smallest patch that makes `after` of `before`; {} where they are equal.

    Only what differs is in it, so that fields of a newer server survive; lists are replaced whole; a key that `after`
    lacks, or has as null, is removed, since a merge patch can't say null.
    """
    patch: dict[str, Any] = {key: None for key in before if after.get(key) is None}
    for key, value in after.items():
        if value is None or (key in before and _is_equal(before[key], value)):
            continue
        old = before.get(key)
        if not isinstance(value, Mapping):
            patch[key] = value
        elif not isinstance(old, Mapping):
            patch[key] = merge_patch({}, value)
        elif inner := merge_patch(old, value):
            patch[key] = inner
    return patch


def _is_equal(old: object, new: object) -> bool:
    """Compare as JSON does: in Python True equals 1, and 1 equals 1.0."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_is_equal(old[key], new[key]) for key in old)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return len(old) == len(new) and all(map(_is_equal, old, new))
    return type(old) is type(new) and old == new
