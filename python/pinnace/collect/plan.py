"""What to list and in which order, decided purely from discovery and the Backup's filters (item_collector.go)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pinnace.kube.discovery import ApiResource, SkippedKind
from pinnace.velero import includes_excludes
from pinnace.velero.backup import BackupSpec
from pinnace.velero.label_selectors import selector_string

__all__ = ["NAMESPACES", "ListRequest", "Plan", "make_plan", "name_selector"]

NAMESPACES = "namespaces"
_FIRST = ("pods", "persistentvolumeclaims", "persistentvolumes")
_COHABITATING = (
    frozenset({"deployments.extensions", "deployments.apps"}),
    frozenset({"daemonsets.extensions", "daemonsets.apps"}),
    frozenset({"replicasets.extensions", "replicasets.apps"}),
    frozenset({"networkpolicies.extensions", "networkpolicies.networking.k8s.io"}),
    frozenset({"events", "events.events.k8s.io"}),
)
"""The same items served by two groups; the first one seen is taken."""


@dataclass(frozen=True)
class ListRequest:
    """One list: a kind, in one namespace or in all, by one selector."""

    resource: ApiResource
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    excluded_namespaces: tuple[str, ...] = ()
    deduplicate: bool = False
    only_names: frozenset[str] | None = None
    ordered_name: str = ""
    """The entry of `orderedResources` that this list is for, as it stands there."""

    @property
    def path(self) -> str:
        """The path of the list."""
        return self.resource.path(self.namespace)

    def query(self) -> dict[str, str]:
        """The selectors as query parameters."""
        selectors = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {key: value for key, value in selectors.items() if value}


@dataclass(frozen=True)
class Plan:
    """The lists in archive order; the Namespace objects come after them, when it is known which are wanted."""

    lists: tuple[ListRequest, ...]
    namespaces: ApiResource | None
    skipped: tuple[SkippedKind, ...]
    unordered: tuple[tuple[str, str], ...] = ()
    """Group resource and entry of `orderedResources` that no list can find: its namespace is not included, or it is
    written as for a kind of the other scope."""


def make_plan(
    resources: Sequence[ApiResource],
    *,
    spec: BackupSpec,
    selection: includes_excludes.NamespaceSelection,
    includes: Callable[[ApiResource], str],
) -> Plan:
    """Order the lists as Velero does; `includes` gives "" or why a kind is left out.

    Velero's order: groups as discovered; pods, PVCs and PVs first in the core group; namespaces sorted by name. The
    filter is asked before a group counts as the one that a cohabitating kind is taken from.
    """
    lists: list[ListRequest] = []
    skipped: list[SkippedKind] = []
    unordered: list[tuple[str, str]] = []
    namespaces: ApiResource | None = None
    cohabitants: dict[frozenset[str], str] = {}
    for resource in sorted(resources, key=_core_first):
        if reason := includes(resource):
            skipped.append(SkippedKind(resource.group_resource, reason))
        elif taken := _cohabitant(resource, cohabitants):
            skipped.append(SkippedKind(resource.group_resource, f"the same items are taken as {taken}"))
        elif resource.group_resource == NAMESPACES:
            namespaces = resource
        else:
            ordered = list(dict.fromkeys(_ordered_entries(resource, ordered_resources=spec.ordered_resources)))
            places = {entry: _place(entry, resource=resource, selection=selection) for entry in ordered}
            unordered.extend((resource.group_resource, entry) for entry, place in places.items() if place is None)
            found = {entry: place for entry, place in places.items() if place is not None}
            lists.extend(_lists(resource, spec=spec, selection=selection, ordered=found))
    return Plan(tuple(lists), namespaces, tuple(skipped), tuple(unordered))


def name_selector(name: str) -> str:
    """Spell the field selector of one name, with what the API server wants escaped (fields/selector.go)."""
    return "metadata.name=" + name.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def _core_first(resource: ApiResource) -> tuple[int, int]:
    is_first = resource.group == "" and resource.plural in _FIRST
    return (0 if resource.group == "" else 1, _FIRST.index(resource.plural) if is_first else len(_FIRST))


def _cohabitant(resource: ApiResource, taken: dict[frozenset[str], str]) -> str:
    for names in _COHABITATING:
        if resource.group_resource in names:
            first = taken.setdefault(names, resource.group_resource)
            return "" if first == resource.group_resource else first
    return ""


def _lists(
    resource: ApiResource,
    *,
    spec: BackupSpec,
    selection: includes_excludes.NamespaceSelection,
    ordered: Mapping[str, tuple[str, str]],
) -> Iterator[ListRequest]:
    selectors = _selectors(spec)
    places: Sequence[str] = ("",)
    if resource.namespaced and not selection.cluster_wide:
        places = selection.names
    excluded = selection.excluded if resource.namespaced and selection.cluster_wide else ()
    for entry, (namespace, name) in ordered.items():
        for selector in selectors:
            yield ListRequest(
                resource,
                namespace=namespace,
                label_selector=selector,
                field_selector=name_selector(name),
                deduplicate=True,
                ordered_name=entry,
            )
    for namespace in places:
        for selector in selectors:
            yield ListRequest(
                resource,
                namespace=namespace,
                label_selector=selector,
                excluded_namespaces=excluded,
                deduplicate=len(selectors) > 1 or bool(ordered),
            )


def _selectors(spec: BackupSpec) -> Sequence[str]:
    """Spell the selectors, each once: two that are equal would list everything twice."""
    if spec.or_label_selectors:
        return list(dict.fromkeys(selector_string(selector) for selector in spec.or_label_selectors))
    return [selector_string(spec.label_selector) if spec.label_selector else ""]


def _ordered_entries(resource: ApiResource, *, ordered_resources: Mapping[str, str]) -> Iterator[str]:
    """Split the names of the resource's plural; Velero matches the plural without its group."""
    for entry in ordered_resources.get(resource.plural, "").split(","):
        if entry.strip():
            yield entry.strip()


def _place(
    entry: str, *, resource: ApiResource, selection: includes_excludes.NamespaceSelection
) -> tuple[str, str] | None:
    """Read `ns/name`, or `name` of a cluster-scoped kind; None for what can't be in the backup."""
    namespace, slash, name = entry.partition("/")
    if not slash:
        return None if resource.namespaced else ("", entry)
    return (namespace, name) if resource.namespaced and name and selection.includes(namespace) else None
