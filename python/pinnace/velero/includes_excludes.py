"""Which namespaces, kinds and Namespace objects a Backup's filters take: Velero 1.18's rules, decided purely.

Where pinnace differs on purpose, `docs/compatibility.md` says so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pinnace.velero import glob
from pinnace.velero.backup import BackupSpec
from pinnace.velero.label_selectors import matches_labels

__all__ = [
    "AUTO_EXCLUDED",
    "AUTO_EXCLUDED_CLUSTER_SCOPED",
    "AUTO_EXCLUDED_NAMESPACE_SCOPED",
    "IncludedName",
    "NamespaceSelection",
    "ResourceFilter",
    "select_namespaces",
    "wants_namespace_object",
]

AUTO_EXCLUDED_NAMESPACE_SCOPED = "volumesnapshots.snapshot.storage.k8s.io"
AUTO_EXCLUDED_CLUSTER_SCOPED = "volumesnapshotcontents.snapshot.storage.k8s.io"
"""Since 1.17 never listed: these items come with the volume snapshots of a backup (backup_controller.go)."""

AUTO_EXCLUDED = frozenset({AUTO_EXCLUDED_NAMESPACE_SCOPED, AUTO_EXCLUDED_CLUSTER_SCOPED})

_OLD_LISTS = ("includedResources", "excludedResources", "", "")
_NEW_LISTS = (
    "includedNamespaceScopedResources",
    "excludedNamespaceScopedResources",
    "includedClusterScopedResources",
    "excludedClusterScopedResources",
)


@dataclass(frozen=True)
class NamespaceSelection:
    """The namespaces of a backup; with `cluster_wide` one list per kind does, and `excluded` are dropped from it."""

    names: tuple[str, ...]
    excluded: tuple[str, ...]
    cluster_wide: bool
    everything: bool
    missing: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    """Patterns of `includedNamespaces` that no namespace matches."""

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.names)

    def includes(self, namespace: str) -> bool:
        """Tell whether items of that namespace are wanted."""
        return namespace in self._names


def select_namespaces(
    spec: BackupSpec, *, existing: Sequence[str], exclude_labelled: Sequence[str] = ()
) -> NamespaceSelection:
    """Expand the globs against the namespaces that exist (pkg/util/wildcard of 1.18).

    A literal include that does not exist stays and is named in `missing`; a pattern that matches nothing includes
    nothing; "" is no namespace. Everything is included if nothing is excluded and the expanded includes are all that
    exist. Namespaces labelled `velero.io/exclude-from-backup=true` count as excluded, but unlike in Velero they do
    not turn a backup of everything into a filtered one, which would drop all cluster-scoped kinds.
    """
    patterns = spec.included_namespaces or ("*",)
    included = _expanded(patterns, existing)
    excluded = _expanded(spec.excluded_namespaces, existing)
    left_out = excluded | set(exclude_labelled)
    return NamespaceSelection(
        names=tuple(sorted(included - left_out)),
        excluded=tuple(sorted(left_out & set(existing))),
        cluster_wide="*" in patterns,
        everything=not excluded - set(exclude_labelled) and included == set(existing),
        missing=tuple(sorted(included - set(existing))),
        unmatched=tuple(
            dict.fromkeys(
                pattern for pattern in patterns if glob.is_pattern(pattern) and not _expanded((pattern,), existing)
            )
        ),
    )


def _expanded(patterns: Sequence[str], existing: Sequence[str]) -> set[str]:
    literal = {pattern for pattern in patterns if pattern and not glob.is_pattern(pattern)}
    globs = [pattern for pattern in patterns if glob.is_pattern(pattern)]
    return literal | {name for name in existing if glob.matches(name, globs)}


@dataclass(frozen=True)
class IncludedName:
    """An entry of an include list as it stands in `spec.<field>`, and the group resource or glob that it acts as."""

    field: str
    name: str
    pattern: str

    @property
    def takes_scope(self) -> bool | None:
        """Whether its list is about namespaced kinds; None for that of all kinds."""
        return "Namespace" in self.field if "Scoped" in self.field else None


@dataclass(frozen=True)
class ResourceFilter:
    """The old- or new-style resource lists, names resolved to group resources.

    `warnings` are sentences about names that act otherwise than they read, `named` the other entries of include lists,
    `*` aside.
    """

    is_old_style: bool
    included: tuple[str, ...]
    excluded: tuple[str, ...]
    included_cluster: tuple[str, ...]
    excluded_cluster: tuple[str, ...]
    include_cluster_resources: bool | None
    namespaces_everything: bool
    warnings: tuple[str, ...] = ()
    named: tuple[IncludedName, ...] = ()

    @classmethod
    def from_spec(
        cls,
        spec: BackupSpec,
        *,
        resolve: Callable[[str], str],
        namespaces_everything: bool,
        scopes: Mapping[str, bool] | None = None,
    ) -> "ResourceFilter":
        """Choose the style: old if includeClusterResources or the plain resource lists are set, else new.

        `scopes` tells of each group resource whether it is namespaced. As in Velero, a name of the other scope in a
        scoped list is ignored, and what can't be resolved is kept and so matches nothing.
        """
        names = _Names(resolve, scopes or {})
        if spec.uses_old_filters:
            lists: tuple[tuple[str, ...], ...] = (spec.included_resources, spec.excluded_resources, (), ())
        else:
            lists = (
                spec.included_namespace_scoped_resources,
                spec.excluded_namespace_scoped_resources,
                spec.included_cluster_scoped_resources,
                spec.excluded_cluster_scoped_resources,
            )
        fields = _OLD_LISTS if spec.uses_old_filters else _NEW_LISTS
        included, excluded, included_cluster, excluded_cluster = map(names.resolved, fields, lists)
        names.warn_of_auto_excluded((*included, *included_cluster))
        return cls(
            is_old_style=spec.uses_old_filters,
            included=included,
            excluded=tuple(name for name in excluded if name not in AUTO_EXCLUDED),
            included_cluster=included_cluster,
            excluded_cluster=tuple(name for name in excluded_cluster if name not in AUTO_EXCLUDED),
            include_cluster_resources=spec.include_cluster_resources,
            namespaces_everything=namespaces_everything,
            warnings=tuple(names.warnings),
            named=tuple(names.included),
        )

    def includes(self, group_resource: str, *, namespaced: bool) -> bool:
        """Tell whether items of that kind are listed."""
        return not self.reason(group_resource, namespaced=namespaced)

    def reason(self, group_resource: str, *, namespaced: bool) -> str:
        """Say why a kind is left out, naming the field of the spec; "" where it is included."""
        if group_resource in AUTO_EXCLUDED:
            return "its items come with volume snapshots only, as in Velero"
        if self.is_old_style:
            return self._old_reason(group_resource, namespaced=namespaced)
        if namespaced:
            return _list_reason(group_resource, self.included, self.excluded, style="NamespaceScopedResources")
        return self._new_cluster_reason(group_resource)

    def excludes_additional(self, group_resource: str, *, namespaced: bool) -> bool:
        """Tell whether an item that another one pulls in is left out by its kind (itemInclusionChecks of 1.18).

        Cluster-scoped kinds need not be included, as in 1.9, only not excluded; Namespaces are never left out.
        """
        if namespaced:
            return not self.includes(group_resource, namespaced=True)
        if group_resource == "namespaces":
            return False
        if group_resource in AUTO_EXCLUDED:
            return True
        if not self.is_old_style:
            return glob.matches(group_resource, self.excluded_cluster)
        if self.include_cluster_resources is False or glob.matches(group_resource, self.excluded):
            return True
        is_named = not self.included or glob.matches(group_resource, self.included)
        return self.include_cluster_resources is None and not is_named

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
        if glob.matches(group_resource, self.excluded_cluster):
            return "excludedClusterScopedResources names it"
        if group_resource == "namespaces" or glob.matches(group_resource, self.included_cluster):
            return ""
        has_no_lists = not (self.included_cluster or self.excluded_cluster)
        namespaced_everything = not self.excluded and set(self.included) <= {"*"}
        if has_no_lists and self.namespaces_everything and namespaced_everything:
            return ""
        return "includedClusterScopedResources does not name it and the backup is filtered"


class _Names:
    """Resolves the names of filters and remembers what to warn of."""

    def __init__(self, resolve: Callable[[str], str], scopes: Mapping[str, bool]) -> None:
        self._resolve = resolve
        self._scopes = scopes
        self.warnings: list[str] = []
        self.included: list[IncludedName] = []

    def resolved(self, field: str, names: Sequence[str]) -> tuple[str, ...]:
        """Give the group resources of a list; globs are taken as they stand."""
        resolved = {name: name if glob.is_pattern(name) else self._resolve(name) for name in names}
        foreign = {name for name, found in resolved.items() if self._is_foreign(field, found)}
        self.warnings.extend(
            f"spec.{field}: {name} is of the other scope and is ignored" for name in resolved if name in foreign
        )
        if field.startswith("included"):
            self.included.extend(
                IncludedName(field, name, found)
                for name, found in resolved.items()
                if name != "*" and name not in foreign and found not in AUTO_EXCLUDED
            )
        return tuple(found for name, found in resolved.items() if name not in foreign)

    def warn_of_auto_excluded(self, included: Sequence[str]) -> None:
        """Say that including a kind of snapshots has no effect."""
        self.warnings.extend(
            f"{name} is included, but its items come with volume snapshots only"
            for name in included
            if name in AUTO_EXCLUDED
        )

    def _is_foreign(self, field: str, group_resource: str) -> bool:
        if "Scoped" not in field or group_resource not in self._scopes:
            return False
        return self._scopes[group_resource] is not ("NamespaceScoped" in field)


def _list_reason(group_resource: str, included: Sequence[str], excluded: Sequence[str], *, style: str) -> str:
    if glob.matches(group_resource, excluded):
        return f"excluded{style} names it"
    if included and not glob.matches(group_resource, included):
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
