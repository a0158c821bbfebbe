"""What to list and in which order, decided purely from discovery and the Backup's filters (item_collector.go)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pinnace.kube.discovery import ApiResource, SkippedKind
from pinnace.velero import includes_excludes
from pinnace.velero.backup import BackupSpec

__all__ = ["NAMESPACES", "ListRequest", "Plan", "make_plan"]

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


def make_plan(
    resources: Sequence[ApiResource],
    *,
    spec: BackupSpec,
    selection: includes_excludes.NamespaceSelection,
    includes: Callable[[ApiResource], str],
) -> Plan:
    """Order the lists as Velero does; `includes` gives "" or why a kind is left out.

    Velero's order: groups as discovered; pods, PVCs and PVs first in the core group; namespaces sorted by name.
    """
    lists: list[ListRequest] = []
    skipped: list[SkippedKind] = []
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
            lists.extend(_lists(resource, spec=spec, selection=selection))
    return Plan(tuple(lists), namespaces, tuple(skipped))


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
    resource: ApiResource, *, spec: BackupSpec, selection: includes_excludes.NamespaceSelection
) -> Iterator[ListRequest]:
    selectors = _selectors(spec)
    places: Sequence[str] = ("",)
    if resource.namespaced and not selection.cluster_wide:
        places = selection.names
    excluded = selection.excluded if resource.namespaced and selection.cluster_wide else ()
    ordered = list(_ordered_names(resource, ordered_resources=spec.ordered_resources))
    repeats = len(selectors) > 1 or bool(ordered)
    for namespace, name in ordered:
        if not resource.namespaced or selection.includes(namespace):
            for selector in selectors:
                yield ListRequest(
                    resource,
                    namespace=namespace,
                    label_selector=selector,
                    field_selector=f"metadata.name={name}",
                    deduplicate=True,
                )
    for namespace in places:
        for selector in selectors:
            yield ListRequest(
                resource,
                namespace=namespace,
                label_selector=selector,
                excluded_namespaces=excluded,
                deduplicate=repeats,
            )


def _selectors(spec: BackupSpec) -> Sequence[str]:
    if spec.or_label_selectors:
        return [includes_excludes.label_selector_string(selector) for selector in spec.or_label_selectors]
    return [includes_excludes.label_selector_string(spec.label_selector) if spec.label_selector else ""]


def _ordered_names(resource: ApiResource, *, ordered_resources: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Split `ns/name,name` of the resource's plural; Velero matches the plural without its group."""
    for entry in ordered_resources.get(resource.plural, "").split(","):
        namespace, slash, name = entry.strip().rpartition("/")
        if name and bool(slash) == resource.namespaced:
            yield namespace, name
