"""The phases of a Backup that every installed CRD since Velero 1.11 knows."""

from enum import StrEnum

__all__ = ["Phase"]


class Phase(StrEnum):
    """`status.phase`."""

    NEW = "New"
    FAILED_VALIDATION = "FailedValidation"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    PARTIALLY_FAILED = "PartiallyFailed"
    FAILED = "Failed"
