"""A pod brings its PersistentVolumeClaims and its PriorityClass (Velero's pod_action.go)."""

from collections.abc import Callable, Iterator
from typing import Any

from pinnace.actions.protocol import ActionContext, ActionResult, ResourceIdentifier, ResourceSelector
from pinnace.engine import Hold
from pinnace.velero.backup import Backup

__all__ = ["CLAIMS", "PRIORITY_CLASSES", "PodAction"]

CLAIMS = "persistentvolumeclaims"
PRIORITY_CLASSES = "priorityclasses.scheduling.k8s.io"

_CLAIM_PATH = ("spec", "volumes", "[]", "persistentVolumeClaim")
_PRIORITY_CLASS_PATH = ("spec", "priorityClassName")


class PodAction:
    """Velero's `velero.io/pod`."""

    name = "velero.io/pod"
    applies_to = ResourceSelector(included_resources=("pods",))
    pulls_in = (CLAIMS, PRIORITY_CLASSES)

    def __init__(self, context: ActionContext) -> None:
        del context

    def hold(self, group_resource: str, *, is_fetched: Callable[[str], bool]) -> Hold:
        """Pods with a claim or a priority class, where those are not listed anyway."""
        del group_resource
        paths = {CLAIMS: _CLAIM_PATH, PRIORITY_CLASSES: _PRIORITY_CLASS_PATH}
        return Hold(paths=frozenset(path for kind, path in paths.items() if is_fetched(kind)))

    def names(self, item: dict[str, Any]) -> tuple[ResourceIdentifier, ...]:
        """Give the claims and the class."""
        return tuple(_named_by(item))

    def execute(self, item: dict[str, Any], backup: Backup) -> ActionResult:
        """Name them; the pod stays as it is."""
        del backup
        return ActionResult(item, additional_items=self.names(item))


def _named_by(pod: dict[str, Any]) -> Iterator[ResourceIdentifier]:
    spec = pod.get("spec") or {}
    for volume in spec.get("volumes") or ():
        if claim := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            yield ResourceIdentifier(CLAIMS, pod["metadata"]["namespace"], claim)
    if priority_class := spec.get("priorityClassName"):
        yield ResourceIdentifier(PRIORITY_CLASSES, "", priority_class)
