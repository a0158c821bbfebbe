"""A bound claim brings its PersistentVolume, and loses what would keep a restore from making a new one (pvc_action.go).

What is removed is what Velero 1.18 removes. Unlike there the rest of the claim stays as the API server gave it, fields
that a newer Kubernetes has included.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pinnace.actions.protocol import ActionContext, ActionResult, ResourceIdentifier, ResourceSelector
from pinnace.engine import Hold
from pinnace.velero.backup import Backup
from pinnace.velero.label import BACKUP_NAME_LABEL

__all__ = ["VOLUMES", "ClaimAction"]

VOLUMES = "persistentvolumes"

_PREFIX = "velero.io/"
_STALE_LABELS = ("velero.io/restore-name", "velero.io/volume-snapshot-name")
_SOURCES = ("dataSource", "dataSourceRef")
_CHANGING_PATHS = frozenset(
    {
        *(("spec", field) for field in (*_SOURCES, "selector")),
        *(("metadata", "labels", label) for label in (*_STALE_LABELS, BACKUP_NAME_LABEL)),
    }
)


class ClaimAction:
    """Velero's `velero.io/pv`."""

    name = "velero.io/pv"
    applies_to = ResourceSelector(included_resources=("persistentvolumeclaims",))
    pulls_in = (VOLUMES,)

    def __init__(self, context: ActionContext) -> None:
        del context

    def hold(self, group_resource: str, *, is_fetched: Callable[[str], bool]) -> Hold:
        """Claims that are changed, and those with a volume where volumes are not listed anyway."""
        del group_resource
        volume = {("spec", "volumeName")} if is_fetched(VOLUMES) else set[tuple[str, ...]]()
        return Hold(paths=_CHANGING_PATHS | volume)

    def names(self, item: dict[str, Any]) -> tuple[ResourceIdentifier, ...]:
        """Give the volume of a claim that is bound."""
        name = (item.get("spec") or {}).get("volumeName")
        is_bound = (item.get("status") or {}).get("phase") == "Bound"
        return (ResourceIdentifier(VOLUMES, "", name),) if name and is_bound else ()

    def execute(self, item: dict[str, Any], backup: Backup) -> ActionResult:
        """Clean a bound claim and name its volume; any other stays as it is and names nothing."""
        spec, volumes = item.get("spec") or {}, self.names(item)
        if not volumes:
            return ActionResult(item)
        removed = [
            container.pop(key)
            for container, key in (
                *_spec_removals(spec),
                *_label_removals(item["metadata"].get("labels") or {}, backup_name=backup.name),
            )
        ]
        return ActionResult(item, additional_items=volumes, item_changed=bool(removed))


def _spec_removals(spec: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for field in _SOURCES:
        if spec.get(field) is not None:
            yield spec, field
    selector = spec.get("selector")
    if selector is None:
        return
    # Only "" says that no storage class at all is wanted, so that the selector is what finds a volume.
    if spec.get("storageClassName") != "":
        yield spec, "selector"
        return
    labels = selector.get("matchLabels") or {}
    for label in [label for label in labels if label.startswith(_PREFIX)]:
        yield labels, label


def _label_removals(labels: dict[str, str], *, backup_name: str) -> Iterator[tuple[dict[str, Any], str]]:
    for label in _STALE_LABELS:
        if label in labels:
            yield labels, label
    if labels.get(BACKUP_NAME_LABEL, backup_name) != backup_name:
        yield labels, BACKUP_NAME_LABEL
