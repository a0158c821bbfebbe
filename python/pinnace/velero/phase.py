"""The phases of a Backup that every installed CRD since Velero 1.11 knows."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = ["Phase", "phase_of"]


class Phase(StrEnum):
    """`status.phase`."""

    NEW = "New"
    FAILED_VALIDATION = "FailedValidation"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    PARTIALLY_FAILED = "PartiallyFailed"
    FAILED = "Failed"


def phase_of(document: Mapping[str, Any]) -> str:
    """Read `status.phase` of a document, "" where it has none yet."""
    return str((document.get("status") or {}).get("phase") or "")
