"""Which namespaces, kinds and Namespace objects a Backup's filters take: Velero's rules, decided purely."""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.backup import BackupSpec

__all__ = [
    "NamespaceSelection",
    "ResourceFilter",
    "label_selector_string",
    "matches_labels",
    "select_namespaces",
    "wants_namespace_object",
]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True)
class NamespaceSelection:
    """The namespaces of a backup; with `cluster_wide` one list per kind does, and `excluded` are dropped from it."""

    names: tuple[str, ...]
    excluded: tuple[str, ...]
    cluster_wide: bool
    everything: bool
    missing: tuple[str, ...] = ()

    def includes(self, namespace: str) -> bool:
        """Tell whether items of that namespace are wanted."""
        return namespace in self.names


def select_namespaces(
    spec: BackupSpec, *, existing: Sequence[str], exclude_labelled: Sequence[str] = ()
) -> NamespaceSelection:
    """Expand the globs against the namespaces that exist (1.18).

    A literal include that does not exist stays and is named in `missing`; a pattern that matches nothing includes
    nothing. Namespaces labelled `velero.io/exclude-from-backup=true` count as excluded, but unlike in Velero they do
    not turn a backup of everything into a filtered one, which would drop all cluster-scoped kinds.
    """
    includes = spec.included_namespaces or ("*",)
    excludes = (*spec.excluded_namespaces, *exclude_labelled)
    is_all = "*" in includes
    names = {name for name in existing if _matches(name, includes) and not _matches(name, excludes)}
    literal = {name for name in includes if name and not any(mark in name for mark in "*?[")}
    missing = sorted(literal - set(existing))
    excluded = sorted(name for name in existing if _matches(name, excludes))
    return NamespaceSelection(
        names=tuple(sorted(names | {name for name in missing if not _matches(name, excludes)})),
        excluded=tuple(excluded),
        cluster_wide=is_all,
        everything=not spec.excluded_namespaces and (is_all or names == set(existing)),
        missing=tuple(missing),
    )


@dataclass(frozen=True)
class ResourceFilter:
    """The old- or new-style resource lists, names resolved to group resources."""

    is_old_style: bool
    included: tuple[str, ...]
    excluded: tuple[str, ...]
    included_cluster: tuple[str, ...]
    excluded_cluster: tuple[str, ...]
    include_cluster_resources: bool | None
    namespaces_everything: bool

    @classmethod
    def from_spec(
        cls, spec: BackupSpec, *, resolve: Callable[[str], str], namespaces_everything: bool
    ) -> "ResourceFilter":
        """Choose the style: old if includeClusterResources or the plain resource lists are set."""
        is_old_style = spec.uses_old_filters

        def resolved(names: Sequence[str]) -> tuple[str, ...]:
            return tuple(name if any(mark in name for mark in "*?[") else resolve(name) for name in names)

        return cls(
            is_old_style=is_old_style,
            included=resolved(spec.included_resources if is_old_style else spec.included_namespace_scoped_resources),
            excluded=resolved(spec.excluded_resources if is_old_style else spec.excluded_namespace_scoped_resources),
            included_cluster=resolved(spec.included_cluster_scoped_resources),
            excluded_cluster=resolved(spec.excluded_cluster_scoped_resources),
            include_cluster_resources=spec.include_cluster_resources,
            namespaces_everything=namespaces_everything,
        )

    def includes(self, group_resource: str, *, namespaced: bool) -> bool:
        """Tell whether items of that kind are listed."""
        return not self.reason(group_resource, namespaced=namespaced)

    def reason(self, group_resource: str, *, namespaced: bool) -> str:
        """Say why a kind is left out, naming the field of the spec; "" where it is included."""
        if self.is_old_style:
            return self._old_reason(group_resource, namespaced=namespaced)
        if namespaced:
            return _list_reason(group_resource, self.included, self.excluded, style="NamespaceScopedResources")
        return self._new_cluster_reason(group_resource)

    def _old_reason(self, group_resource: str, *, namespaced: bool) -> str:
        if reason := _list_reason(group_resource, self.included, self.excluded, style="Resources"):
            return reason
        if namespaced or self.include_cluster_resources:
            return ""
        if self.include_cluster_resources is False:
            return "includeClusterResources is false"
        if self.namespaces_everything or group_resource == "namespaces":
            return ""
        return "includeClusterResources is not set and only some namespaces are included"

    def _new_cluster_reason(self, group_resource: str) -> str:
        if _matches(group_resource, self.excluded_cluster):
            return "excludedClusterScopedResources names it"
        if group_resource == "namespaces" or _matches(group_resource, self.included_cluster):
            return ""
        has_no_lists = not (self.included_cluster or self.excluded_cluster)
        namespaced_everything = not self.excluded and (not self.included or self.included == ("*",))
        if has_no_lists and self.namespaces_everything and namespaced_everything:
            return ""
        return "includedClusterScopedResources does not name it and the backup is filtered"


def _list_reason(group_resource: str, included: Sequence[str], excluded: Sequence[str], *, style: str) -> str:
    if _matches(group_resource, excluded):
        return f"excluded{style} names it"
    if included and not _matches(group_resource, included):
        return f"included{style} does not name it"
    return ""


def wants_namespace_object(
    name: str,
    *,
    labels: Mapping[str, str],
    active: bool,
    spec: BackupSpec,
    selection: NamespaceSelection,
    collected_from: bool,
) -> bool:
    """Tell whether a Namespace is stored (namespace tracker of 1.18).

    Because (a) its labels match a selector, even where it is excluded, (b) it is included, unless a selector and
    no namespace filter are set, or (c) an item was collected from it.
    """
    selectors = [spec.label_selector] if spec.label_selector else list(spec.or_label_selectors)
    if active and any(matches_labels(selector, labels) for selector in selectors):
        return True
    if active and selection.includes(name) and not (selectors and selection.everything):
        return True
    return collected_from


def label_selector_string(selector: Mapping[str, Any]) -> str:
    """Spell a LabelSelector as the `labelSelector` parameter of a list."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        key, operator = str(expression.get("key")), expression.get("operator")
        values = ",".join(sorted(expression.get("values") or ()))
        spelled = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        spelled["DoesNotExist"] = f"!{key}"
        if operator not in spelled:
            raise UsageError(f"labelSelector: {operator!r} is not one of In, NotIn, Exists, DoesNotExist")
        parts.append(spelled[operator])
    return ",".join(parts)


def matches_labels(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether labels match, as the API server would."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_matches_expression(expression, labels) for expression in selector.get("matchExpressions") or ())


def _matches_expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case operator:
            raise UsageError(f"labelSelector: {operator!r} is not one of In, NotIn, Exists, DoesNotExist")
