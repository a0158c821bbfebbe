"""The order of the lists is Velero's."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pinnace.collect.plan import ListRequest, Plan, make_plan, name_selector
from pinnace.kube.discovery import ApiResource, SkippedKind, read_groups
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


def resource(name: str, *, namespaced: bool = True) -> ApiResource:
    plural, _, group = name.partition(".")
    return ApiResource(group=group, version="v1", kind=plural, plural=plural, namespaced=namespaced)


def planned(
    *resources: ApiResource, spec: BackupSpec, existing: tuple[str, ...] = ("a", "b", "c"), skip: tuple[str, ...] = ()
) -> Plan:
    return make_plan(
        resources,
        spec=spec,
        selection=select_namespaces(spec, existing=existing),
        includes=lambda resource: "left out" if resource.group_resource in skip else "",
    )


def shown(plan: Plan) -> list[tuple[str, str, str, str]]:
    return [
        (request.resource.group_resource, request.namespace, request.label_selector, request.field_selector)
        for request in plan.lists
    ]


def test_the_core_group_is_sorted_and_others_stay_as_discovered() -> None:
    names = ["deployments.apps", "configmaps", "persistentvolumeclaims", "pods", "secrets", "boats.harbour.example"]
    volumes = resource("persistentvolumes", namespaced=False)
    plan = planned(*(resource(name) for name in names), volumes, spec=BackupSpec())
    assert [request.resource.group_resource for request in plan.lists] == [
        "pods",
        "persistentvolumeclaims",
        "persistentvolumes",
        "configmaps",
        "secrets",
        "deployments.apps",
        "boats.harbour.example",
    ]


def test_all_namespaces_are_one_list_and_excluded_ones_are_dropped_from_it() -> None:
    spec = BackupSpec(excluded_namespaces=("b", "gone"))
    plan = planned(resource("configmaps"), resource("nodes", namespaced=False), spec=spec)
    assert [(request.path, request.excluded_namespaces) for request in plan.lists] == [
        ("/api/v1/configmaps", ("b",)),
        ("/api/v1/nodes", ()),
    ]


def test_included_namespaces_are_listed_one_by_one_sorted_and_one_that_is_not_there_too() -> None:
    spec = BackupSpec(included_namespaces=("gone", "b", "a", "b"))
    plan = planned(resource("configmaps"), resource("nodes", namespaced=False), spec=spec)
    assert shown(plan) == [
        ("configmaps", "a", "", ""),
        ("configmaps", "b", "", ""),
        ("configmaps", "gone", "", ""),
        ("nodes", "", "", ""),
    ]


def test_no_namespace_leaves_no_list_of_a_namespaced_kind() -> None:
    plan = planned(
        resource("configmaps"), resource("nodes", namespaced=False), spec=BackupSpec(included_namespaces=("x*",))
    )
    assert shown(plan) == [("nodes", "", "", "")]


def test_each_or_selector_is_one_list_and_equal_ones_are_one() -> None:
    labels = ({"matchLabels": {"x": "1"}}, {"matchLabels": {"y": "2"}}, {"matchLabels": {"x": "1"}})
    plan = planned(resource("configmaps"), spec=BackupSpec(or_label_selectors=labels))
    assert shown(plan) == [("configmaps", "", "x=1", ""), ("configmaps", "", "y=2", "")]
    assert [request.deduplicate for request in plan.lists] == [True, True]


def test_one_selector_needs_no_memory_of_what_was_written() -> None:
    plan = planned(
        resource("configmaps"),
        resource("nodes", namespaced=False),
        spec=BackupSpec(label_selector={"matchExpressions": [{"key": "a", "operator": "Exists"}]}),
    )
    assert shown(plan) == [("configmaps", "", "a", ""), ("nodes", "", "a", "")]
    assert [request.deduplicate for request in plan.lists] == [False, False]


def test_ordered_items_come_first_in_their_order_with_each_selector() -> None:
    spec = BackupSpec(
        included_namespaces=("b", "a"),
        or_label_selectors=({"matchLabels": {"x": "1"}}, {"matchLabels": {"y": "2"}}),
        ordered_resources={"configmaps": "b/first, a/second,b/first"},
    )
    plan = planned(resource("configmaps"), spec=spec)
    assert shown(plan) == [
        ("configmaps", "b", "x=1", "metadata.name=first"),
        ("configmaps", "b", "y=2", "metadata.name=first"),
        ("configmaps", "a", "x=1", "metadata.name=second"),
        ("configmaps", "a", "y=2", "metadata.name=second"),
        ("configmaps", "a", "x=1", ""),
        ("configmaps", "a", "y=2", ""),
        ("configmaps", "b", "x=1", ""),
        ("configmaps", "b", "y=2", ""),
    ]
    assert [request.ordered_name for request in plan.lists] == ["b/first"] * 2 + ["a/second"] * 2 + [""] * 4
    assert all(request.deduplicate for request in plan.lists)


def test_ordered_names_that_can_not_be_in_the_backup_are_told() -> None:
    spec = BackupSpec(
        included_namespaces=("a",),
        ordered_resources={"pods": "a/p,c/p,p,a/", "nodes": "n,a/n", "secrets": "a/s", "boats": "a/pinnace"},
    )
    plan = planned(
        resource("pods"),
        resource("nodes", namespaced=False),
        resource("secrets"),
        resource("boats.harbour.example"),
        spec=spec,
        skip=("secrets",),
    )
    assert shown(plan) == [
        ("pods", "a", "", "metadata.name=p"),
        ("pods", "a", "", ""),
        ("nodes", "", "", "metadata.name=n"),
        ("nodes", "", "", ""),
        ("boats.harbour.example", "a", "", "metadata.name=pinnace"),
        ("boats.harbour.example", "a", "", ""),
    ]
    assert plan.unordered == (("pods", "c/p"), ("pods", "p"), ("pods", "a/"), ("nodes", "a/n"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("deployments.extensions", "deployments.apps"),
        ("daemonsets.extensions", "daemonsets.apps"),
        ("replicasets.apps", "replicasets.extensions"),
        ("networkpolicies.networking.k8s.io", "networkpolicies.extensions"),
        ("events", "events.events.k8s.io"),
    ],
)
def test_of_cohabitating_kinds_the_first_is_taken_and_the_second_where_the_first_is_excluded(
    first: str, second: str
) -> None:
    plan = planned(resource(first), resource(second), spec=BackupSpec())
    assert shown(plan) == [(first, "", "", "")]
    assert plan.skipped == (SkippedKind(second, f"the same items are taken as {first}"),)
    without = planned(resource(first), resource(second), spec=BackupSpec(), skip=(first,))
    assert shown(without) == [(second, "", "", "")]
    assert without.skipped == (SkippedKind(first, "left out"),)


def test_the_same_plural_of_another_group_does_not_cohabitate() -> None:
    plan = planned(resource("events"), resource("events.harbour.example"), spec=BackupSpec())
    assert shown(plan) == [("events", "", "", ""), ("events.harbour.example", "", "", "")]


def test_kinds_without_the_verbs_are_skipped_with_a_reason() -> None:
    skipped = {kind.group_resource: kind.reason for kind in read_groups(golden_discovery()).skipped}
    assert skipped["componentstatuses"] == "it has no verb create, delete"


@pytest.mark.parametrize(
    ("name", "resolved"),
    [
        ("pods", "pods"),
        ("pod", "pods"),
        ("Pod", "pods"),
        ("po", "pods"),
        ("Deployment", "deployments.apps"),
        ("deploy", "deployments.apps"),
        ("deployments.apps", "deployments.apps"),
        ("deployment.apps", "deployments.apps"),
        ("storageclass.storage", "storageclasses.storage.k8s.io"),
        ("boats.harbour", "boats.harbour.example"),
        ("events.events", "events.events.k8s.io"),
        ("events", "events"),
        ("horizontalpodautoscalers", "horizontalpodautoscalers.autoscaling"),
        ("pods.apps", "pods.apps"),
        ("nothing", "nothing"),
        ("nothing.example", "nothing.example"),
    ],
)
def test_names_of_filters_are_resolved_by_discovery_and_kept_where_that_fails(name: str, resolved: str) -> None:
    assert read_groups(golden_discovery()).resolve(name) == resolved


@pytest.mark.parametrize(
    ("name", "selector"),
    [
        ("web", "metadata.name=web"),
        ("system:node", "metadata.name=system:node"),
        ("a,b=c\\", "metadata.name=a\\,b\\=c\\\\"),
    ],
)
def test_names_are_spelled_as_field_selectors_want_them(name: str, selector: str) -> None:
    assert name_selector(name) == selector


def test_groups_stand_as_the_server_has_them_but_for_extensions_which_is_last() -> None:
    def group(name: str) -> dict[str, Any]:
        resource = {"resource": "things", "scope": "Namespaced", "verbs": ["list", "create", "get", "delete"]}
        return {"metadata": {"name": name}, "versions": [{"version": "v1", "resources": [resource]}]}

    found = read_groups([group("zoo.example"), group("extensions"), group("apps")]).resources
    assert [resource.group for resource in found] == ["zoo.example", "apps", "extensions"]


def test_selectors_go_to_the_server_with_the_list() -> None:
    request = ListRequest(read_groups(golden_discovery()).resources[0], label_selector="a=b", field_selector="c=d")
    assert request.query() == {"labelSelector": "a=b", "fieldSelector": "c=d"}
    assert replace(request, label_selector="", field_selector="").query() == {}
