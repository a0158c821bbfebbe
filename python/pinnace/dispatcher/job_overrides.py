"""What an operator may change of every Job, by the ConfigMap `pinnace-job`; read strictly: a typo would be silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import yaml

from pinnace.errors import UsageError

__all__ = ["CONFIG_MAP_NAME", "JobOverrides", "read_overrides"]

CONFIG_MAP_NAME = "pinnace-job"
_KEY = "job.yaml"

_PROTECTED = frozenset(
    {"containers", "initContainers", "volumes", "restartPolicy", "serviceAccountName", "securityContext"}
)
"""Fields of the pod that the Job's promises rest on."""


@dataclass(frozen=True)
class JobOverrides:
    """`podSpec` fields replace ours one by one (tolerations are added to ours); labels and annotations are added."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    pod_spec: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    env: Sequence[Mapping[str, Any]] = ()
    attempts: int | None = None
    deadline_seconds: int | None = None


_NAMES = {
    "labels": "labels",
    "annotations": "annotations",
    "podLabels": "pod_labels",
    "podAnnotations": "pod_annotations",
    "podSpec": "pod_spec",
    "resources": "resources",
    "env": "env",
    "attempts": "attempts",
    "activeDeadlineSeconds": "deadline_seconds",
}
assert set(_NAMES.values()) == {each.name for each in fields(JobOverrides)}  # noqa: S101 - one spelling for each field


def read_overrides(config_map: Mapping[str, Any] | None) -> JobOverrides:
    """Read the ConfigMap; UsageError names what can't be used, and no Job is made until it is mended."""
    if config_map is None:
        return JobOverrides()
    text = (config_map.get("data") or {}).get(_KEY, "")
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise _unusable(f"not YAML: {error}") from error
    if not isinstance(document, Mapping):
        raise _unusable("not a mapping")
    if unknown := sorted(set(document) - set(_NAMES)):
        raise _unusable(f"{unknown[0]}: no such key; known are {', '.join(sorted(_NAMES))}")
    for key, value in document.items():
        _check(key, value)
    return JobOverrides(**{_NAMES[key]: value for key, value in document.items()})


def _check(key: str, value: Any) -> None:
    if key in ("attempts", "activeDeadlineSeconds"):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise _unusable(f"{key}: a whole number of 1 or more is wanted")
    elif key == "env":
        if not isinstance(value, list) or not all(isinstance(entry, Mapping) and "name" in entry for entry in value):
            raise _unusable("env: a list of name and value is wanted")
    elif not isinstance(value, Mapping):
        raise _unusable(f"{key}: a mapping is wanted")
    if key == "podSpec" and (taken := sorted(_PROTECTED & set(value))):
        raise _unusable(f"podSpec.{taken[0]}: can't be changed, since isolation and rights rest on it")


def _unusable(what: str) -> UsageError:
    return UsageError(f"ConfigMap {CONFIG_MAP_NAME}: {_KEY}: {what}")
