"""Velero's filter tables."""

import pytest

from pinnace.velero.backup import BackupSpec
from pinnace.velero.includes_excludes import (
    NamespaceSelection,
    ResourceFilter,
    label_selector_string,
    matches_labels,
    select_namespaces,
    wants_namespace_object,
)

_EXISTING = ("a", "b", "shop-eu", "shop-us")


@pytest.mark.parametrize(
    ("spec", "names", "cluster_wide", "everything", "missing"),
    [
        (BackupSpec(), _EXISTING, True, True, ()),
        (BackupSpec(included_namespaces=("*",)), _EXISTING, True, True, ()),
        (BackupSpec(included_namespaces=_EXISTING), _EXISTING, False, True, ()),
        (BackupSpec(included_namespaces=("shop-*",)), ("shop-eu", "shop-us"), False, False, ()),
        (BackupSpec(included_namespaces=("a", "gone")), ("a", "gone"), False, False, ("gone",)),
        (BackupSpec(included_namespaces=("x*",)), (), False, False, ()),
        (BackupSpec(excluded_namespaces=("shop-?u",)), ("a", "b", "shop-us"), True, False, ()),
    ],
)
def test_namespaces_are_expanded_against_those_that_exist(
    spec: BackupSpec, names: tuple[str, ...], cluster_wide: bool, everything: bool, missing: tuple[str, ...]
) -> None:
    selection = select_namespaces(spec, existing=_EXISTING)
    assert (selection.names, selection.cluster_wide, selection.everything, selection.missing) == (
        names,
        cluster_wide,
        everything,
        missing,
    )


def test_a_labelled_namespace_is_excluded_and_the_backup_stays_one_of_everything() -> None:
    selection = select_namespaces(BackupSpec(), existing=_EXISTING, exclude_labelled=("b",))
    assert (selection.names, selection.excluded, selection.everything) == (("a", "shop-eu", "shop-us"), ("b",), True)


@pytest.mark.parametrize(
    ("spec", "everything", "storage_classes", "namespaces", "pods"),
    [
        (BackupSpec(), True, True, True, True),
        (BackupSpec(), False, False, True, True),
        (BackupSpec(include_cluster_resources=True), False, True, True, True),
        (BackupSpec(include_cluster_resources=False), True, False, False, True),
        (BackupSpec(excluded_resources=("pods",)), True, True, True, False),
        (BackupSpec(excluded_resources=("pods",)), False, False, True, False),
        (BackupSpec(included_resources=("pods",)), True, False, False, True),
        (BackupSpec(excluded_cluster_scoped_resources=("x",)), True, False, True, True),
        (BackupSpec(included_cluster_scoped_resources=("*",)), False, True, True, True),
        (BackupSpec(excluded_cluster_scoped_resources=("*",)), True, False, False, True),
        (BackupSpec(included_namespace_scoped_resources=("pods",)), True, False, True, True),
        (BackupSpec(excluded_namespace_scoped_resources=("*",)), True, False, True, False),
    ],
)
def test_kinds_are_chosen_by_the_old_and_new_lists(
    spec: BackupSpec, everything: bool, storage_classes: bool, namespaces: bool, pods: bool
) -> None:
    chosen = ResourceFilter.from_spec(spec, resolve=str, namespaces_everything=everything)
    assert (
        chosen.includes("storageclasses.storage.k8s.io", namespaced=False),
        chosen.includes("namespaces", namespaced=False),
        chosen.includes("pods", namespaced=True),
    ) == (storage_classes, namespaces, pods)


def test_a_kind_that_is_left_out_names_the_field() -> None:
    chosen = ResourceFilter.from_spec(
        BackupSpec(excluded_resources=("po",)), resolve={"po": "pods"}.__getitem__, namespaces_everything=True
    )
    assert chosen.reason("pods", namespaced=True) == "excludedResources names it"


_SHOP = NamespaceSelection(names=("shop",), excluded=(), cluster_wide=False, everything=False)
_ALL = NamespaceSelection(names=("shop", "other"), excluded=(), cluster_wide=True, everything=True)
_WEB = BackupSpec(label_selector={"matchLabels": {"app": "web"}})


@pytest.mark.parametrize(
    ("name", "labels", "active", "spec", "selection", "collected_from", "wanted"),
    [
        ("shop", {}, True, BackupSpec(), _SHOP, False, True),
        ("shop", {}, False, BackupSpec(), _SHOP, False, False),
        ("shop", {}, False, BackupSpec(), _SHOP, True, True),
        ("other", {}, True, BackupSpec(), _SHOP, False, False),
        ("other", {"app": "web"}, True, _WEB, _SHOP, False, True),
        ("shop", {}, True, _WEB, _SHOP, False, True),
        ("shop", {}, True, _WEB, _ALL, False, False),
    ],
)
def test_a_namespace_is_stored_because_it_matches_is_included_or_was_collected_from(
    name: str,
    labels: dict[str, str],
    active: bool,
    spec: BackupSpec,
    selection: NamespaceSelection,
    collected_from: bool,
    wanted: bool,
) -> None:
    assert wanted is wants_namespace_object(
        name, labels=labels, active=active, spec=spec, selection=selection, collected_from=collected_from
    )


def test_a_selector_is_spelled_for_the_server_and_matched_here() -> None:
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["y", "x"]},
            {"key": "d", "operator": "DoesNotExist"},
        ],
    }
    assert label_selector_string(selector) == "a=1,b=2,c in (x,y),!d"
    assert matches_labels(selector, {"a": "1", "b": "2", "c": "x"})
    assert not matches_labels(selector, {"a": "1", "b": "2", "c": "x", "d": ""})
