"""The Schedule of velero.io/v1: what is wrong with one, and the Backup of a due time (schedule_types.go)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.cron import Cron, parse_cron
from pinnace.velero.label import SCHEDULE_NAME_LABEL, valid_name

__all__ = ["backup_name", "made_backup", "read_cron", "schedule_name_of", "selector_of"]

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""What kubectl applied to the Schedule; on a Backup, the next `kubectl apply` would take it for the Backup's own."""

_LONGEST_NAME = 253 - len("-20260101000000")
_EMPTY = "Schedule must be a non-empty valid Cron expression"


def read_cron(schedule: Mapping[str, Any]) -> tuple[Cron | None, tuple[str, ...]]:
    """Read the expression; without one there are Velero's validation errors instead."""
    name, text = str(schedule["metadata"]["name"]), str((schedule.get("spec") or {}).get("schedule") or "")
    if not text:
        return None, (_EMPTY,)
    if len(name) > _LONGEST_NAME:
        return None, (f"invalid schedule: the names of its backups would be longer than 253 characters: {name}",)
    try:
        return parse_cron(text), ()
    except UsageError as error:
        return None, (f"invalid schedule: {error}",)


def backup_name(schedule_name: str, due: datetime) -> str:
    """Name the Backup of a due time: a step that is repeated finds the name taken, and makes no second one."""
    return f"{schedule_name}-{due.astimezone(UTC):%Y%m%d%H%M%S}"


def made_backup(schedule: Mapping[str, Any], due: datetime) -> dict[str, Any]:
    """Make the Backup of a due time; labels are the template's if it has some, else the Schedule's."""
    metadata, spec = schedule["metadata"], schedule["spec"]
    template: Mapping[str, Any] = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or metadata.get("labels") or {}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != _LAST_APPLIED}
    made: dict[str, Any] = {
        "name": backup_name(metadata["name"], due),
        "namespace": metadata["namespace"],
        "labels": {**labels, SCHEDULE_NAME_LABEL: valid_name(metadata["name"])},
    }
    if annotations:
        made["annotations"] = annotations
    if spec.get("useOwnerReferencesInBackup"):
        made["ownerReferences"] = [
            {
                "apiVersion": "velero.io/v1",
                "kind": "Schedule",
                "name": metadata["name"],
                "uid": metadata["uid"],
                "controller": True,
            }
        ]
    return {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": made, "spec": dict(template)}


def schedule_name_of(backup: Mapping[str, Any]) -> str:
    """The schedule that made a Backup, as its label says; "" for one that people made."""
    return str((backup["metadata"].get("labels") or {}).get(SCHEDULE_NAME_LABEL, ""))


def selector_of(schedule_name: str) -> str:
    """The label selector of a schedule's Backups."""
    return f"{SCHEDULE_NAME_LABEL}={valid_name(schedule_name)}"
