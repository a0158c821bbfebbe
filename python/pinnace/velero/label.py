"""Labels of Velero, and values as it shortens them (pkg/label/label.go)."""

import hashlib

__all__ = [
    "BACKUP_NAME_LABEL",
    "BACKUP_UID_LABEL",
    "EXCLUDE_FROM_BACKUP_LABEL",
    "RESTORE_NAME_LABEL",
    "SCHEDULE_NAME_LABEL",
    "STORAGE_LOCATION_LABEL",
    "valid_name",
]

BACKUP_NAME_LABEL = "velero.io/backup-name"
BACKUP_UID_LABEL = "velero.io/backup-uid"
EXCLUDE_FROM_BACKUP_LABEL = "velero.io/exclude-from-backup"
RESTORE_NAME_LABEL = "velero.io/restore-name"
SCHEDULE_NAME_LABEL = "velero.io/schedule-name"
STORAGE_LOCATION_LABEL = "velero.io/storage-location"

_MOST_CHARACTERS = 63
_HASH_CHARACTERS = 6


def valid_name(name: str) -> str:
    """Give the name itself, or its first 57 characters and 6 hex digits of its SHA-256 if it is longer than 63.

    Selectors of every Velero client use the same function, so that a label written otherwise is never found.
    """
    if len(name) <= _MOST_CHARACTERS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()
    return name[: _MOST_CHARACTERS - _HASH_CHARACTERS] + digest[:_HASH_CHARACTERS]
