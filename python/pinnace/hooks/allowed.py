"""Which hooks may be run: what an operator decides, since each runs a command of somebody else's in a pod."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pinnace.velero.backup import BackupSpec
from pinnace.velero.hook_spec import resource_hooks
from pinnace.velero.includes_excludes import ResourceFilter

__all__ = ["AllowedHooks", "may_exec"]

_PODS = "pods"
_NAMES_OF_PODS = ("pods", "pod", "po")


class AllowedHooks(StrEnum):
    """`--hooks`: those of pods' annotations and of `spec.hooks`, only those of `spec.hooks`, or none."""

    ANNOTATIONS = "annotations"
    SPEC = "spec"
    OFF = "off"

    def allows(self, source: Literal["annotation", "backupSpec"]) -> bool:
        """Tell whether hooks from there are run."""
        return self is AllowedHooks.ANNOTATIONS or (self is AllowedHooks.SPEC and source == "backupSpec")


def may_exec(spec: Mapping[str, Any], allowed: AllowedHooks) -> bool:
    """Tell whether a Backup may come to run a hook, and so needs the right to; `spec` must be a valid one.

    Any pod may have annotations, so where those are allowed every Backup may that takes pods.
    """
    if allowed is AllowedHooks.OFF or not _takes_pods(spec):
        return False
    return allowed is AllowedHooks.ANNOTATIONS or any(
        entry.pre or entry.post for entry in resource_hooks(spec.get("hooks"))
    )


def _takes_pods(spec: Mapping[str, Any]) -> bool:
    chosen = ResourceFilter.from_spec(
        BackupSpec.from_document(spec),
        resolve=lambda name: _PODS if name.lower() in _NAMES_OF_PODS else name,
        namespaces_everything=False,
    )
    return chosen.includes(_PODS, namespaced=True)
