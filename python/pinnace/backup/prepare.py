"""What a run finds out before the first page: kinds, namespaces, the revision, and a probe of every list."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pinnace.backup.missed_kinds import WantedKinds, wanted_kinds, warn_of_unknown
from pinnace.collect.item_collector import ItemCollector, Probe, Revision
from pinnace.collect.plan import ListRequest, Plan, make_plan
from pinnace.errors import UsageError, ValidationFailedError
from pinnace.kube.client import Client
from pinnace.kube.discovery import ApiResource, SkippedKind, discover
from pinnace.kube.kinds import CONFIG_MAPS
from pinnace.velero import includes_excludes, validation
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.hook_spec import resource_hooks
from pinnace.velero.hooks import ResourceHooks
from pinnace.velero.includes_excludes import NamespaceSelection, ResourceFilter
from pinnace.velero.label import EXCLUDE_FROM_BACKUP_LABEL
from pinnace.velero.resource_policies import (
    ResourcePolicies,
    policy_name,
    read_resource_policies,
    with_policy_filters,
)
from pinnace.velero.results import Results

if TYPE_CHECKING:
    from pinnace.backup.run import RunOptions

__all__ = ["Prepared", "prepare"]


class InfoLog(Protocol):
    """Where it is told what is left out."""

    def info(self, message: str, **fields: str | int) -> None:
        """Write a line."""


@dataclass(frozen=True)
class NamespaceState:
    """What decides about a Namespace; the item itself is not kept, since there may be thousands."""

    labels: Mapping[str, str]
    is_active: bool


@dataclass(frozen=True)
class Prepared:
    """The lists that hold something, in archive order, and what decides about Namespace objects."""

    probes: tuple[Probe, ...]
    revision: Revision
    skipped: tuple[SkippedKind, ...]
    namespaces: ApiResource | None
    namespace_states: Mapping[str, NamespaceState]
    selection: NamespaceSelection
    spec: BackupSpec
    plan: Plan
    resources: Mapping[str, ApiResource]
    """Every kind that can be backed up, by group resource."""

    resource_filter: ResourceFilter
    policies: ResourcePolicies = field(default_factory=ResourcePolicies)
    resource_hooks: tuple[ResourceHooks, ...] = ()
    """The entries of `spec.hooks`, resolved."""

    wanted_kinds: tuple[WantedKinds, ...] = ()
    """What the include lists name."""

    @property
    def item_count(self) -> int:
        """Items to expect; an estimate with selectors."""
        return sum(probe.item_count for probe in self.probes)

    def namespaces_probe(self, *, collected_from: Collection[str]) -> Probe | None:
        """The list of the wanted Namespaces, once it is known from which an item was archived."""
        if self.namespaces is None:
            return None
        wanted = frozenset(
            name
            for name, state in self.namespace_states.items()
            if includes_excludes.wants_namespace_object(
                name,
                labels=state.labels,
                active=state.is_active,
                spec=self.spec,
                selection=self.selection,
                collected_from=name in collected_from,
            )
        )
        request = ListRequest(self.namespaces, only_names=wanted, deduplicate=True)
        return Probe(request, len(wanted), self.revision) if wanted else None


def prepare(
    client: Client,
    backup: Backup,
    *,
    collector: ItemCollector,
    options: "RunOptions",
    results: Results,
    log: InfoLog,
) -> Prepared:
    """Discover, select, plan and probe; kinds that can't be listed become errors here and are not planned.

    ValidationFailedError for an included namespace that is labelled `velero.io/exclude-from-backup=true`.
    """
    policies = _policies(client, backup)
    discovery = discover(client)
    spec = with_policy_filters(backup.spec, policies.include_exclude, resolve=discovery.resolve)
    for failure in discovery.failures:
        results.add_error("Error getting API group", resource=failure.group_version, error=failure.reason)
    answer = client.get("/api/v1/namespaces")
    states = {str(item["metadata"]["name"]): _namespace_state(item) for item in answer.get("items") or []}
    revision = Revision(str(answer["metadata"]["resourceVersion"]) if options.consistency == "revision" else "")
    selection = _select(backup, states, results=results)
    resource_filter = ResourceFilter.from_spec(
        spec,
        resolve=discovery.resolve,
        namespaces_everything=selection.everything,
        scopes={resource.group_resource: resource.namespaced for resource in discovery.resources},
    )
    for warning in resource_filter.warnings:
        results.add_warning(warning)
    plan = make_plan(
        discovery.resources,
        spec=spec,
        selection=selection,
        includes=lambda resource: resource_filter.reason(resource.group_resource, namespaced=resource.namespaced),
    )
    for skipped in (*discovery.skipped, *plan.skipped):
        log.info("Skipping resource", resource=skipped.group_resource, reason=skipped.reason)
    wanted = wanted_kinds(resource_filter.named, discovery, plan)
    warn_of_unknown(wanted, discovery, results=results)
    probes = _probe(collector, plan.lists, revision=revision, results=results)
    _warn_of_missing(plan, probes, results=results)
    return Prepared(
        probes,
        revision,
        (*discovery.skipped, *plan.skipped),
        plan.namespaces,
        states,
        selection,
        spec,
        plan,
        {resource.group_resource: resource for resource in discovery.resources},
        resource_filter,
        policies,
        tuple(entry.resolved(discovery.resolve) for entry in resource_hooks(spec.others.get("hooks"))),
        wanted,
    )


def _policies(client: Client, backup: Backup) -> ResourcePolicies:
    """Read the ConfigMap by a list, for which a Job needs no other right; ValidationFailedError in Velero's words."""
    try:
        name = policy_name(backup.spec)
        if not name:
            return ResourcePolicies()
        query = {"fieldSelector": f"metadata.name={name}"}
        items = client.get(CONFIG_MAPS.path(namespace=backup.namespace), query).get("items") or []
        found = items[0] if items else f'configmaps "{name}" not found'
        return read_resource_policies(
            found, spec=backup.spec, backup_namespace=backup.namespace, backup_name=backup.name
        )
    except UsageError as error:
        raise ValidationFailedError(backup_name=backup.name, errors=(str(error),)) from error


def _namespace_state(item: Mapping[str, Any]) -> NamespaceState:
    return NamespaceState(
        labels=item["metadata"].get("labels") or {},
        is_active=(item.get("status") or {}).get("phase") == "Active",
    )


def _select(backup: Backup, states: Mapping[str, NamespaceState], *, results: Results) -> NamespaceSelection:
    spec = backup.spec
    labelled = [name for name, state in states.items() if state.labels.get(EXCLUDE_FROM_BACKUP_LABEL) == "true"]
    if texts := tuple(validation.filter_errors(spec, exclude_labelled=labelled)):
        raise ValidationFailedError(backup_name=backup.name, errors=texts)
    selection = includes_excludes.select_namespaces(spec, existing=list(states), exclude_labelled=labelled)
    for name in selection.missing:
        results.add_error(
            f"fail to get the namespace {name} specified in backup.Spec.IncludedNamespaces", resource="namespaces"
        )
    for pattern in selection.unmatched:
        results.add_warning(f"spec.includedNamespaces: no namespace matches {pattern}")
    return selection


def _warn_of_missing(plan: Plan, probes: Sequence[Probe], *, results: Results) -> None:
    """Warn of each entry of `orderedResources` that no list has, once whatever the number of selectors."""
    found = {(probe.request.resource.group_resource, probe.request.ordered_name) for probe in probes}
    wanted = [(request.resource.group_resource, request.ordered_name) for request in plan.lists if request.ordered_name]
    for group_resource, entry in dict.fromkeys((*plan.unordered, *wanted)):
        if (group_resource, entry) not in found:
            results.add_warning(f"Cannot find resource '{entry}'.", resource=group_resource)


def _probe(
    collector: ItemCollector, requests: Sequence[ListRequest], *, revision: Revision, results: Results
) -> tuple[Probe, ...]:
    kept: list[Probe] = []
    for probe in collector.probes(requests, revision=revision):
        resource = probe.request.resource
        if probe.error is not None:
            results.add_error(
                "Error listing items",
                namespace=probe.request.namespace,
                resource=resource.group_resource,
                error=str(probe.error),
            )
        elif probe.item_count:
            kept.append(probe)
    return tuple(kept)
