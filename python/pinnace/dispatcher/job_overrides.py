"""What an operator may change of every Job, by the ConfigMap `pinnace-job`; read strictly: a typo would be silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import yaml

from pinnace.errors import UsageError
from pinnace.store.part_sizes import MOST_STRETCHES

__all__ = ["CONFIG_MAP_NAME", "JobOverrides", "read_overrides"]

CONFIG_MAP_NAME = "pinnace-job"
_KEY = "job.yaml"

_POD_FIELDS = frozenset(
    {
        "affinity", "dnsConfig", "dnsPolicy", "hostAliases", "imagePullSecrets", "nodeName", "nodeSelector",
        "preemptionPolicy", "priorityClassName", "runtimeClassName", "schedulerName", "terminationGracePeriodSeconds",
        "tolerations", "topologySpreadConstraints",
    }
)  # fmt: skip
"""Where and when the pod runs. The Job's promises (isolation, rights, memory, one writer) rest on all the others."""

_RESERVED_ENV = frozenset(
    {"JOB_COMPLETION_INDEX", "PINNACE_ATTEMPT_ID", "PINNACE_BACKUP_UID", "PINNACE_NAMESPACE", "PINNACE_SHARDS"}
)
"""They say whose Job it is, and which of its pods."""

_LEAST_AND_MOST = {"attempts": (1, None), "activeDeadlineSeconds": (1, None), "shards": (1, MOST_STRETCHES)}


@dataclass(frozen=True)
class JobOverrides:
    """`podSpec` fields replace ours one by one (tolerations are added to ours); labels and annotations are added.

    `resources` are merged: limits over ours, then requests over those limits, so that they stay equal where only limits
    are given; null takes one away.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    pod_spec: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    env: Sequence[Mapping[str, Any]] = ()
    attempts: int | None = None
    deadline_seconds: int | None = None
    shards: int | None = None


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
    "shards": "shards",
}
assert set(_NAMES.values()) == {each.name for each in fields(JobOverrides)}  # noqa: S101 - one spelling for each field


def read_overrides(config_map: Mapping[str, Any] | None) -> JobOverrides:
    """Read the ConfigMap; UsageError names what can't be used, and no Job is made until it is mended."""
    if config_map is None:
        return JobOverrides()
    data = config_map.get("data") or {}
    if misnamed := sorted(set(data) - {_KEY}):
        raise UsageError(f"ConfigMap {CONFIG_MAP_NAME}: {misnamed[0]}: no such key; only {_KEY} is read")
    text = data.get(_KEY, "")
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise _unusable(f"not YAML: {error}") from error
    if not isinstance(document, Mapping):
        raise _unusable("not a mapping")
    if unknown := sorted(str(key) for key in document if key not in _NAMES):
        raise _unusable(f"{unknown[0]}: no such key; known are {', '.join(sorted(_NAMES))}")
    for key, value in document.items():
        _check(key, value)
    return JobOverrides(**{_NAMES[key]: value for key, value in document.items()})


def _check(key: str, value: Any) -> None:
    if key in _LEAST_AND_MOST:
        _check_number(value, key=key)
    elif key == "env":
        _check_env(value)
    elif not isinstance(value, Mapping):
        raise _unusable(f"{key}: a mapping is wanted")
    elif key == "podSpec":
        _check_pod_spec(value)
    elif key == "resources":
        _check_resources(value)
    else:
        _check_texts(value, key=key)


def _check_number(value: Any, *, key: str) -> None:
    least, most = _LEAST_AND_MOST[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        wanted = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise _unusable(f"{key}: a whole number {wanted} is wanted")


def _check_texts(value: Mapping[Any, Any], *, key: str) -> None:
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise _unusable(f"{key}.{name}: {text!r} is no text; put it in quotes")


def _check_env(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) and "name" in entry for entry in value):
        raise _unusable("env: a list of name and value is wanted")
    for entry in value:
        if entry["name"] in _RESERVED_ENV:
            raise _unusable(f"env: {entry['name']}: can't be changed, since it says whose Job it is")
        if not isinstance(entry.get("value", ""), str):
            raise _unusable(f"env: {entry['name']}: {entry['value']!r} is no text; put it in quotes")


def _check_pod_spec(value: Mapping[Any, Any]) -> None:
    if taken := sorted(str(name) for name in value if name not in _POD_FIELDS):
        raise _unusable(
            f"podSpec.{taken[0]}: can't be changed, since isolation and rights rest on it, or there is no such field; "
            f"those that can are {', '.join(sorted(_POD_FIELDS))}"
        )
    if not isinstance(value.get("tolerations", []), list):
        raise _unusable("podSpec.tolerations: a list is wanted")


def _check_resources(value: Mapping[Any, Any]) -> None:
    if unknown := sorted(str(name) for name in value if name not in ("limits", "requests")):
        raise _unusable(f"resources.{unknown[0]}: no such key; known are limits, requests")
    for name, quantities in value.items():
        if not isinstance(quantities, Mapping):
            raise _unusable(f"resources.{name}: a mapping is wanted")


def _unusable(what: str) -> UsageError:
    return UsageError(f"ConfigMap {CONFIG_MAP_NAME}: {_KEY}: {what}")
