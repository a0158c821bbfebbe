"""Which VolumeSnapshotClass a claim's snapshot gets: Velero's order of annotations, label and defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinnace.errors import VolumeError

__all__ = ["ChosenClass", "choose_class"]

CLASS_KEY = "velero.io/csi-volumesnapshot-class"
"""On a claim it names the class, on a class it is a label, and on a Backup it is followed by `_<driver>`."""

_DEFAULT_ANNOTATION = "snapshot.storage.kubernetes.io/is-default-class"


@dataclass(frozen=True)
class ChosenClass:
    """The class, and what the operator should know of a name that could not be taken."""

    document: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.document["metadata"]["name"])


def choose_class(
    driver: str,
    classes: Sequence[Mapping[str, Any]],
    *,
    claim_annotations: Mapping[str, str],
    backup_annotations: Mapping[str, str],
) -> ChosenClass:
    """Choose among the classes of a driver; VolumeError where none is the one.

    The order: the claim's annotation, the Backup's, the label, the annotation of the default class, the only one. A
    named class that is not there, or is another driver's, is passed over as in Velero, with a warning.
    """
    of_driver = {str(one["metadata"]["name"]): one for one in classes if one.get("driver") == driver}
    warnings: list[str] = []
    for whose, annotations, key in (
        ("the claim", claim_annotations, CLASS_KEY),
        ("the Backup", backup_annotations, f"{CLASS_KEY}_{driver}"),
    ):
        if name := annotations.get(key, ""):
            if name in of_driver:
                return ChosenClass(of_driver[name], tuple(warnings))
            warnings.append(f"{whose} names VolumeSnapshotClass {name}, which driver {driver} does not have")
    labelled = (one for one in of_driver.values() if CLASS_KEY in (one["metadata"].get("labels") or {}))
    defaults = (one for one in of_driver.values() if _annotations(one).get(_DEFAULT_ANNOTATION) == "true")
    only = iter(of_driver.values() if len(of_driver) == 1 else ())
    for candidates in (labelled, defaults, only):
        if (found := next(candidates, None)) is not None:
            return ChosenClass(found, tuple(warnings))
    if of_driver:
        reason = f"driver {driver} has several VolumeSnapshotClasses: {', '.join(sorted(of_driver))}"
        raise VolumeError(reason="; ".join((*warnings, reason)), fix=f"label the one to take {CLASS_KEY}=true")
    reason = f"driver {driver} has no VolumeSnapshotClass"
    raise VolumeError(reason="; ".join((*warnings, reason)), fix=f"make one, labelled {CLASS_KEY}=true")


def _annotations(one: Mapping[str, Any]) -> Mapping[str, str]:
    annotations: Mapping[str, str] = one["metadata"].get("annotations") or {}
    return annotations
