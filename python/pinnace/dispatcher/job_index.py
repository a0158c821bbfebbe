"""Indexes of an Indexed Job: which of them a pod has, and which have ended; a plain Job's pods all have index 0."""

from collections.abc import Mapping
from typing import Any

__all__ = ["failed_count", "index_of", "indexes", "is_indexed"]

_INDEX = "batch.kubernetes.io/job-completion-index"
_FAILED_COUNT = "batch.kubernetes.io/job-index-failure-count"
"""Annotations that the Job controller gives to pods."""


def is_indexed(job: Mapping[str, Any]) -> bool:
    """Tell whether several pods make the backup."""
    return bool((job.get("spec") or {}).get("completionMode") == "Indexed")


def index_of(pod: Mapping[str, Any]) -> int:
    """0 is the run, each other one a shard of it."""
    return _number(pod, _INDEX)


def failed_count(pod: Mapping[str, Any]) -> int:
    """How many pods of its index had failed when it was made."""
    return _number(pod, _FAILED_COUNT)


def indexes(text: Any) -> set[int]:
    """Read what the status has as `completedIndexes` and `failedIndexes`: `0,2-4`."""
    found: set[int] = set()
    for part in str(text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdecimal():
            found |= set(range(int(first), int(last if last.isdecimal() else first) + 1))
    return found


def _number(pod: Mapping[str, Any], annotation: str) -> int:
    text = str((pod["metadata"].get("annotations") or {}).get(annotation) or "")
    return int(text) if text.isdecimal() else 0
