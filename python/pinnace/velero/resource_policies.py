"""Resource policies: the ConfigMap that says of each volume whether it is skipped, snapshotted or backed up as files.

`spec.resourcePolicy` names it (internal/resourcepolicies). Pure: who prepares a Backup reads the ConfigMap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero import glob
from pinnace.velero.backup import BackupSpec
from pinnace.velero.volume_conditions import VolumeConditions, checked_mapping, text_list, text_map
from pinnace.velero.volume_facts import VolumeFacts

__all__ = [
    "ACTIONS",
    "Action",
    "IncludeExcludePolicy",
    "ResourcePolicies",
    "policy_name",
    "read_resource_policies",
    "with_policy_filters",
]

ACTIONS = ("skip", "snapshot", "fs-backup", "custom")
_VERSION = "v1"
_KIND = "configmap"
_OLD_FILTERS = (
    "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
    "They cannot be used with include-exclude policies."
)
_LISTS = {
    "includedClusterScopedResources": "included_cluster_scoped_resources",
    "excludedClusterScopedResources": "excluded_cluster_scoped_resources",
    "includedNamespaceScopedResources": "included_namespace_scoped_resources",
    "excludedNamespaceScopedResources": "excluded_namespace_scoped_resources",
}


@dataclass(frozen=True)
class Action:
    """What is to be done with a volume."""

    type: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VolumePolicy:
    """The action for volumes that meet the conditions."""

    conditions: VolumeConditions
    action: Action


@dataclass(frozen=True)
class IncludeExcludePolicy:
    """More entries for the spec's scoped filters, which come before them; no `*`."""

    included_cluster_scoped_resources: tuple[str, ...] = ()
    excluded_cluster_scoped_resources: tuple[str, ...] = ()
    included_namespace_scoped_resources: tuple[str, ...] = ()
    excluded_namespace_scoped_resources: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResourcePolicies:
    """The policies of a Backup; one that names none has no policy at all."""

    volume_policies: tuple[VolumePolicy, ...] = ()
    include_exclude: IncludeExcludePolicy | None = None

    def asks_for(self, action_type: str) -> bool:
        """Tell whether any policy has such an action."""
        return any(policy.action.type == action_type for policy in self.volume_policies)

    def action(self, volume: VolumeFacts) -> Action | None:
        """Give the action of the first policy whose conditions all hold; None where no policy is about the volume."""
        return next((policy.action for policy in self.volume_policies if policy.conditions.match(volume)), None)


def policy_name(spec: BackupSpec) -> str:
    """Name the ConfigMap, or "" for none; UsageError for a policy of another kind, which Velero passes over."""
    reference = spec.others.get("resourcePolicy")
    if not reference:
        return ""
    if not isinstance(reference, Mapping) or str(reference.get("kind") or "").lower() != _KIND:
        raise UsageError("spec.resourcePolicy: a kind and a name are wanted, and the kind is configmap")
    if not reference.get("name"):
        raise UsageError("spec.resourcePolicy.name: the name of a ConfigMap is wanted")
    return str(reference["name"])


def read_resource_policies(
    config_map: Mapping[str, Any] | str, *, spec: BackupSpec, backup_namespace: str, backup_name: str
) -> ResourcePolicies:
    """Read the ConfigMap that `policy_name` names, or why it could not be got; UsageError in Velero's words.

    As in Velero the sentences about its content name the Backup where one expects the ConfigMap.
    """
    if isinstance(config_map, str):
        name = policy_name(spec)
        raise UsageError(f"fail to get ResourcePolicies {backup_namespace}/{name} ConfigMap with error {config_map}")
    place = f"ConfigMap {backup_namespace}/{backup_name} with error"
    try:
        document = _decoded(config_map)
        policies = _read(document)
    except UsageError as error:
        raise UsageError(f"fail to read the ResourcePolicies from {place} {error}") from error
    try:
        _validate(document, policies)
    except UsageError as error:
        raise UsageError(f"fail to validate ResourcePolicies in {place} {error}") from error
    if policies.include_exclude is not None and spec.uses_old_filters:
        raise UsageError(_OLD_FILTERS)
    return policies


def with_policy_filters(
    spec: BackupSpec, policy: IncludeExcludePolicy | None, *, resolve: Callable[[str], str]
) -> BackupSpec:
    """Add the policy's names to the scoped filters; one that the spec decides otherwise is left out.

    `resolve` turns a name into its group resource, so that `po` and `pods` are the same.
    """
    if policy is None:
        return spec
    changes: dict[str, tuple[str, ...]] = {}
    for scope in ("cluster", "namespace"):
        included, excluded = (f"{way}_{scope}_scoped_resources" for way in ("included", "excluded"))
        changes[excluded] = _more(getattr(spec, excluded), getattr(policy, excluded), getattr(spec, included), resolve)
        changes[included] = _more(getattr(spec, included), getattr(policy, included), changes[excluded], resolve)
    return replace(spec, **changes)  # type: ignore[arg-type]


def _more(
    present: tuple[str, ...], added: tuple[str, ...], opposite: tuple[str, ...], resolve: Callable[[str], str]
) -> tuple[str, ...]:
    decided = [resolve(name) for name in (*present, *opposite)]
    return (*present, *(name for name in added if not glob.matches(resolve(name), decided)))


def _decoded(config_map: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read the one text of the ConfigMap; every scalar stays a text, as Go's decoder takes them into its strings."""
    import yaml

    data = config_map.get("data") or {}
    if len(data) != 1:
        raise UsageError(f"it has {len(data)} keys of data, and policies are in exactly one")
    [text] = data.values()
    try:
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but texts, lists and mappings
    except yaml.YAMLError as error:
        raise UsageError(f"it is no YAML: {error}") from error
    return checked_mapping(document, {"version", "volumePolicies", "includeExcludePolicy"}, field="policies")


def _read(document: Mapping[str, Any]) -> ResourcePolicies:
    given = document.get("volumePolicies") or []
    if not isinstance(given, list):
        raise UsageError("volumePolicies: a list is wanted")
    policies = tuple(_volume_policy(one, field=f"volumePolicies[{index}]") for index, one in enumerate(given))
    filters = document.get("includeExcludePolicy")
    if not filters:
        return ResourcePolicies(policies)
    known = checked_mapping(filters, set(_LISTS), field="includeExcludePolicy")
    lists = {ours: text_list(known.get(name), field=f"includeExcludePolicy.{name}") for name, ours in _LISTS.items()}
    return ResourcePolicies(policies, IncludeExcludePolicy(**lists))


def _volume_policy(document: Any, *, field: str) -> VolumePolicy:
    given = checked_mapping(document, {"conditions", "action"}, field=field)
    action = checked_mapping(given.get("action"), {"type", "parameters"}, field=f"{field}.action")
    return VolumePolicy(
        VolumeConditions.read(given.get("conditions"), field=f"{field}.conditions"),
        Action(str(action.get("type") or ""), text_map(action.get("parameters"), field=f"{field}.action.parameters")),
    )


def _validate(document: Mapping[str, Any], policies: ResourcePolicies) -> None:
    if document.get("version") != _VERSION:
        raise UsageError(f"version {document.get('version')!r} is not supported; write version: {_VERSION}")
    for index, policy in enumerate(policies.volume_policies):
        if policy.action.type not in ACTIONS:
            raise UsageError(
                f"volumePolicies[{index}].action.type {policy.action.type!r} is not known; "
                f"known are {', '.join(ACTIONS)}"
            )
    for name, ours in _LISTS.items():
        if "*" in getattr(policies.include_exclude, ours, ()):
            raise UsageError(f"includeExcludePolicy.{name}: '*' can't be used in it")
