"""The Backup that is made in the cluster from a `velero-backup.json` in the bucket (backup_sync_controller.go)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.backup import Backup
from pinnace.velero.label import STORAGE_LOCATION_LABEL, valid_name
from pinnace.velero.phase import phase_of

__all__ = ["synced_backup"]

_UNFINISHED = frozenset(
    {
        "WaitingForPluginOperations", "WaitingForPluginOperationsPartiallyFailed", "Finalizing",
        "FinalizingPartiallyFailed",
    }
)  # fmt: skip
"""Another server goes on with it; once it has expired nobody does, and it is only there to be deleted."""

_OVER = frozenset({"Completed", "PartiallyFailed", "Failed"})


def synced_backup(
    document: Any,
    *,
    name: str,
    namespace: str,
    location_name: str,
    schedule_uids: Mapping[str, str],
    now: datetime,
) -> dict[str, Any] | None:
    """Give the Backup to create, None for one that is not finished; UsageError for what is no finished Backup.

    Name, labels, annotations, spec and status are kept, but for where it is: namespace and location are those of this
    cluster. Owners are kept only where they are a Schedule that is here (`schedule_uids`, by name): the API server
    would delete a Backup whose owners are gone.
    """
    backup = Backup.from_document(document)
    if backup.name != name:
        raise UsageError(f"its metadata.name is {backup.name!r}: it is the copy of another backup")
    phase = phase_of(document)
    status = dict(document["status"]) if phase else {}
    if phase in _UNFINISHED:
        if backup.status.expiration and datetime.fromisoformat(backup.status.expiration) <= now:
            status["phase"] = "PartiallyFailed"
        else:
            return None
    elif phase not in _OVER:
        # Without a last phase it would be taken for one that is to be run.
        raise UsageError(f"its status.phase is {phase!r}, which is not the end of a backup")
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "labels": {**backup.labels, STORAGE_LOCATION_LABEL: valid_name(location_name)},
    }
    if backup.annotations:
        metadata["annotations"] = dict(backup.annotations)
    if owners := list(_owners(document, schedule_uids)):
        metadata["ownerReferences"] = owners
    spec = {**(document.get("spec") or {}), "storageLocation": location_name}
    return {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata, "spec": spec, "status": status}


def _owners(document: Mapping[str, Any], schedule_uids: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    for owner in document["metadata"].get("ownerReferences") or ():
        if owner.get("kind") == "Schedule" and schedule_uids.get(str(owner.get("name"))) == owner.get("uid"):
            yield owner
