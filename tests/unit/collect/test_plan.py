"""The order of the lists is Velero's."""

import json
from pathlib import Path

from pinnace.collect.plan import make_plan
from pinnace.kube.discovery import read_groups
from pinnace.velero.backup import BackupSpec
from pinnace.velero.includes_excludes import select_namespaces

_GOLDEN = Path(__file__).parents[2] / "golden" / "cluster"


def golden_discovery() -> list[dict[str, object]]:
    names = sorted(_GOLDEN.glob("discovery-*.json"))
    return [group for name in names for group in json.loads(name.read_bytes())["items"]]


def test_pods_claims_and_volumes_come_first_and_events_are_listed_once() -> None:
    discovery = read_groups(golden_discovery())
    spec = BackupSpec()
    selection = select_namespaces(spec, existing=("a", "b"))
    plan = make_plan(discovery.resources, spec=spec, selection=selection, includes=lambda _: "")
    kinds = [request.resource.group_resource for request in plan.lists]
    assert kinds[:3] == ["pods", "persistentvolumeclaims", "persistentvolumes"]
    assert len(kinds) == len(set(kinds))
    assert ("events" in kinds, "events.events.k8s.io" in kinds, "namespaces" in kinds) == (True, False, False)
    assert plan.namespaces is not None
    assert "deployments.apps" in kinds


def test_included_namespaces_are_listed_one_by_one_and_each_or_selector_once() -> None:
    discovery = read_groups(golden_discovery())
    spec = BackupSpec(
        included_namespaces=("b", "a"),
        or_label_selectors=({"matchLabels": {"x": "1"}}, {"matchLabels": {"y": "2"}}),
        ordered_resources={"configmaps": "b/first,a/second"},
    )
    selection = select_namespaces(spec, existing=("a", "b", "c"))
    plan = make_plan(
        [resource for resource in discovery.resources if resource.plural == "configmaps"],
        spec=spec,
        selection=selection,
        includes=lambda _: "",
    )
    shown = [(request.namespace, request.label_selector, request.field_selector) for request in plan.lists]
    assert shown == [
        ("b", "x=1", "metadata.name=first"),
        ("b", "y=2", "metadata.name=first"),
        ("a", "x=1", "metadata.name=second"),
        ("a", "y=2", "metadata.name=second"),
        ("a", "x=1", ""),
        ("a", "y=2", ""),
        ("b", "x=1", ""),
        ("b", "y=2", ""),
    ]
    assert all(request.deduplicate for request in plan.lists)


def test_kinds_without_the_verbs_are_skipped_with_a_reason() -> None:
    skipped = {kind.group_resource: kind.reason for kind in read_groups(golden_discovery()).skipped}
    assert skipped["componentstatuses"] == "it has no verb create, delete"


def test_names_of_filters_are_resolved_as_kubectl_does() -> None:
    discovery = read_groups(golden_discovery())
    names = ["po", "Deployment", "deploy", "deployments.apps", "nothing"]
    assert [discovery.resolve(name) for name in names] == [
        "pods",
        "deployments.apps",
        "deployments.apps",
        "deployments.apps",
        "nothing",
    ]
