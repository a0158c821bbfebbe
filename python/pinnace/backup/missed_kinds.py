"""Warns where a whole kind, or everything, is missed against what the Backup evidently wants.

Evident is what an include list names: each entry of `includedResources`, `includedNamespaceScopedResources` and
`includedClusterScopedResources`, by any name of a kind or by a glob, `*` aside. An entry is missed if

- no kind of the cluster is called so,
- or none of the kinds that it names is listed (they lack a verb, another part of the spec leaves them out, they are of
  the other scope, their items are taken in another group) and none of their items was brought in by others either,
- or items of these kinds were there, and each was left out: labelled, being deleted, refused.

An entry of which there is nothing in the namespaces and by the selector of the Backup is not missed: nothing was left
out. A kind that can't be listed is an error already. Evident is also that a pattern of namespaces is to match one, and
that a backup is to hold something.
"""

import difflib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinnace.actions.registry import PULLED_IN
from pinnace.backup.item_backupper import CRDS
from pinnace.collect.collected_list import LEFT_OUT_WORDS, CollectedList
from pinnace.collect.plan import NAMESPACES, Plan
from pinnace.kube.discovery import Discovery, SkippedKind
from pinnace.velero import glob
from pinnace.velero.includes_excludes import IncludedName
from pinnace.velero.label_selectors import selector_string
from pinnace.velero.results import Results
from pinnace.volumes.csi_actions import CLASSES as SNAPSHOT_CLASSES

if TYPE_CHECKING:
    from pinnace.backup.prepare import Prepared

__all__ = ["WantedKinds", "wanted_kinds", "warn_of_missed", "warn_of_unknown", "warn_of_what_will_be_missed"]

_LIKENESS = 0.85
"""Of names that are one with a typo: `depoyments` has 0.95 to `deployments`, `volumesnapshotclasses` (where there are
none) 0.78 to `volumesnapshotlocations`."""


_BROUGHT_IN = PULLED_IN | {CRDS, SNAPSHOT_CLASSES}
"""Kinds of the items that come with others, whether they are listed or not."""


@dataclass(frozen=True)
class WantedKinds:
    """An entry of an include list, the kinds that it names, and why none of them is listed; "" if one is."""

    entry: IncludedName
    group_resources: tuple[str, ...]
    reason: str = ""

    @property
    def place(self) -> str:
        """Where it stands: `spec.includedResources: secrets`."""
        return f"spec.{self.entry.field}: {self.entry.name}"


def wanted_kinds(named: Sequence[IncludedName], discovery: Discovery, plan: Plan) -> tuple[WantedKinds, ...]:
    """Say of each entry which kinds it names, and why none of them is listed."""
    skipped = (*discovery.skipped, *plan.skipped)
    reasons = {kind.group_resource: kind.reason for kind in skipped}
    scopes = {resource.group_resource: resource.namespaced for resource in discovery.resources}
    listed = set(scopes) - {kind.group_resource for kind in plan.skipped}
    return tuple(
        WantedKinds(entry, kinds, "" if listed & set(kinds) else _reason(entry, kinds, reasons, scopes))
        for entry in named
        for kinds in [_kinds(entry, sorted({*listed, *reasons}), skipped)]
    )


def warn_of_unknown(wanted: Sequence[WantedKinds], discovery: Discovery, *, results: Results) -> None:
    """Warn of each entry that names no kind, with what may have been meant."""
    names = {name: kind.group_resource for kind in discovery.resources for name in (*kind.names, kind.group_resource)}
    for each in wanted:
        if not each.group_resources:
            like = difflib.get_close_matches(each.entry.name.lower(), names, n=1, cutoff=_LIKENESS)
            meant = f"; did you mean {names[like[0]]}?" if like else ""
            results.add_warning(f"{each.place} is the name of no kind in the cluster, and takes nothing{meant}")


def warn_of_what_will_be_missed(prepared: "Prepared", *, results: Results) -> None:
    """Warn before a run of what is certain: not which items others bring in, nor what each item is like."""
    for wanted in prepared.wanted_kinds:
        if wanted.reason and not any(_may_be_pulled_in(kind, prepared) for kind in wanted.group_resources):
            results.add_warning(_not_listed(wanted))
    if not prepared.probes:
        probe = prepared.namespaces_probe(collected_from=())
        _warn_of_emptiness(prepared, probe.item_count if probe else 0, results=results)


def warn_of_missed(
    prepared: "Prepared", lists: Sequence[CollectedList], *, stored: Mapping[str, int], results: Results
) -> None:
    """Warn after a run; `stored` are the items of the archive by group resource."""
    left_out: dict[str, Counter[str]] = {}
    for collected in lists:
        left_out.setdefault(collected.request.resource.group_resource, Counter()).update(collected.left_out)
    for wanted in prepared.wanted_kinds:
        if any(stored.get(kind) for kind in wanted.group_resources):
            continue
        counts = sum((left_out.get(kind, Counter()) for kind in wanted.group_resources), Counter[str]())
        del counts["namespace"]  # they are left out by the Backup itself
        if wanted.reason:
            results.add_warning(_not_listed(wanted))
        elif counts:
            results.add_warning(f"{wanted.place} is included by name, but nothing of it was stored: {_counted(counts)}")
    if not any(count for kind, count in stored.items() if kind != NAMESPACES):
        _warn_of_emptiness(prepared, stored.get(NAMESPACES, 0), results=results)


def _may_be_pulled_in(group_resource: str, prepared: "Prepared") -> bool:
    resource = prepared.resources.get(group_resource)
    return (
        resource is not None
        and group_resource in _BROUGHT_IN
        and not prepared.resource_filter.excludes_additional(group_resource, namespaced=resource.namespaced)
    )


def _kinds(entry: IncludedName, known: Collection[str], skipped: Sequence[SkippedKind]) -> tuple[str, ...]:
    """Name the kinds of an entry; those without a list are found by their short names too."""
    if kinds := tuple(kind for kind in known if glob.matches(kind, (entry.pattern,))):
        return kinds
    return tuple(kind.group_resource for kind in skipped if entry.name.lower() in kind.names)[:1]


def _reason(entry: IncludedName, kinds: Sequence[str], reasons: Mapping[str, str], scopes: Mapping[str, bool]) -> str:
    own = [kind for kind in kinds if entry.takes_scope is None or scopes.get(kind) in (entry.takes_scope, None)]
    if kinds and not own:
        return "it is of the other scope"
    return "; ".join(dict.fromkeys(reasons[kind] for kind in own))


def _not_listed(wanted: WantedKinds) -> str:
    return f"{wanted.place} is included by name, but not taken: {wanted.reason}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{count} item{'' if count == 1 else 's'} {LEFT_OUT_WORDS[reason]}" for reason, count in sorted(counts.items())
    )


def _warn_of_emptiness(prepared: "Prepared", namespace_count: int, *, results: Results) -> None:
    """Warn that nothing is stored, or by a selector nothing but Namespaces, which no label has to match."""
    selectors = [prepared.spec.label_selector] if prepared.spec.label_selector else prepared.spec.or_label_selectors
    if namespace_count and not (selectors and prepared.plan.lists):
        return
    causes = []
    if not prepared.selection.names:
        causes.append("no namespace is included")
    if selectors:
        shown = " or ".join(selector_string(selector) for selector in selectors)
        causes.append(f"nothing that is included matches the selector {shown}")
    if results.error_count:
        causes.append("see the errors")
    held = "nothing but Namespaces" if namespace_count else "no items"
    results.add_warning(f"the backup holds {held}: {'; '.join(causes) or 'there is nothing that its filters include'}")
