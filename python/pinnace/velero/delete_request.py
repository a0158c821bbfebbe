"""The DeleteBackupRequest for a Backup, as the `velero` CLI writes it (pkg/cmd/cli/backup/delete.go)."""

from collections.abc import Mapping
from typing import Any

from pinnace.velero.label import BACKUP_NAME_LABEL, BACKUP_UID_LABEL, valid_name

__all__ = ["delete_request"]


def delete_request(backup: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for the deletion of this very Backup: the uid tells it from another that gets its name."""
    metadata = backup["metadata"]
    labels = {BACKUP_NAME_LABEL: valid_name(str(metadata["name"])), BACKUP_UID_LABEL: str(metadata["uid"])}
    return {
        "apiVersion": "velero.io/v1",
        "kind": "DeleteBackupRequest",
        "metadata": {"generateName": f"{metadata['name']}-", "labels": labels},
        "spec": {"backupName": str(metadata["name"])},
    }
