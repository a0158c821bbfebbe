"""In the place of volumes: a pod that asks for a backup of its files is stored, and each request is an error."""

from collections.abc import Callable, Sequence
from typing import Any

from pinnace.actions.protocol import ResourceIdentifier
from pinnace.backup.log import VeleroLog
from pinnace.engine import NOTHING_HELD, Hold
from pinnace.velero.pod_annotations import UNMET_REQUESTS
from pinnace.velero.results import Results

__all__ = ["UnmetRequests"]

_ENDED = ("Succeeded", "Failed")


class UnmetRequests:
    """An ItemVolumes that takes nothing."""

    def hold(self, group_resource: str) -> Hold:
        """Pods with one of the annotations."""
        if group_resource != "pods":
            return NOTHING_HELD
        return Hold(paths=frozenset(("metadata", "annotations", annotation) for annotation in UNMET_REQUESTS))

    def back_up(self, group_resource: str, item: dict[str, Any], *, results: Results, log: VeleroLog) -> bool:
        """Say what is not done; an annotation without a text asks for nothing, nor does a pod that has ended."""
        del log
        if group_resource != "pods" or (item.get("status") or {}).get("phase") in _ENDED:
            return True
        metadata = item["metadata"]
        annotations = metadata.get("annotations") or {}
        for annotation, sentence in UNMET_REQUESTS.items():
            if annotations.get(annotation):
                results.add_error(
                    sentence, namespace=metadata.get("namespace", ""), resource="pods", name=metadata["name"]
                )
        return True

    def finish(self, back_up: Callable[[Sequence[ResourceIdentifier]], None]) -> None:
        """Nothing to wait for."""
