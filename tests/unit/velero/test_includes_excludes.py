"""Velero's filter tables."""

import pytest

from pinnace.velero.backup import BackupSpec
from pinnace.velero.includes_excludes import (
    NamespaceSelection,
    ResourceFilter,
    select_namespaces,
    wants_namespace_object,
)

_EXISTING = ("a", "b", "shop-eu", "shop-us")


@pytest.mark.parametrize(
    ("included", "excluded", "names", "cluster_wide", "everything", "missing"),
    [
        ((), (), _EXISTING, True, True, ()),
        (("*",), (), _EXISTING, True, True, ()),
        (("*", "*"), (), _EXISTING, True, True, ()),
        (_EXISTING, (), _EXISTING, False, True, ()),
        (("shop-us", "b", "a", "shop-eu", "a"), (), _EXISTING, False, True, ()),
        (("?", "shop-*"), (), _EXISTING, False, True, ()),
        ((*_EXISTING, "gone"), (), ("a", "b", "gone", "shop-eu", "shop-us"), False, False, ("gone",)),
        (("shop-*",), (), ("shop-eu", "shop-us"), False, False, ()),
        (("shop-[a-e]u",), (), ("shop-eu",), False, False, ()),
        (("a", "gone"), (), ("a", "gone"), False, False, ("gone",)),
        (("x*",), (), (), False, False, ()),
        (("",), (), (), False, False, ()),
        ((), ("shop-?u",), ("a", "b", "shop-us"), True, False, ()),
        (("*",), ("b",), ("a", "shop-eu", "shop-us"), True, False, ()),
        (("*",), ("nothing-*",), _EXISTING, True, True, ()),
        (("*",), ("gone",), _EXISTING, True, False, ()),
        (("shop-*",), ("*-us",), ("shop-eu",), False, False, ()),
        (("gone",), ("*",), ("gone",), False, False, ("gone",)),
    ],
)
def test_namespaces_are_expanded_against_those_that_exist(
    included: tuple[str, ...],
    excluded: tuple[str, ...],
    names: tuple[str, ...],
    cluster_wide: bool,
    everything: bool,
    missing: tuple[str, ...],
) -> None:
    spec = BackupSpec(included_namespaces=included, excluded_namespaces=excluded)
    selection = select_namespaces(spec, existing=_EXISTING)
    assert (selection.names, selection.cluster_wide, selection.everything, selection.missing) == (
        names,
        cluster_wide,
        everything,
        missing,
    )


@pytest.mark.parametrize(
    ("spec", "names", "excluded", "everything"),
    [
        (BackupSpec(), ("a", "shop-eu", "shop-us"), ("b",), True),
        # The dispatcher writes labelled namespaces into the spec, and the Job must come to the same.
        (BackupSpec(excluded_namespaces=("b",)), ("a", "shop-eu", "shop-us"), ("b",), True),
        (BackupSpec(excluded_namespaces=("b", "a")), ("shop-eu", "shop-us"), ("a", "b"), False),
        (BackupSpec(included_namespaces=("?",)), ("a",), ("b",), False),
    ],
)
def test_a_labelled_namespace_is_excluded_and_the_backup_stays_one_of_everything(
    spec: BackupSpec, names: tuple[str, ...], excluded: tuple[str, ...], everything: bool
) -> None:
    selection = select_namespaces(spec, existing=_EXISTING, exclude_labelled=("b",))
    assert (selection.names, selection.excluded, selection.everything) == (names, excluded, everything)


@pytest.mark.parametrize(
    ("spec", "everything", "storage_classes", "namespaces", "pods"),
    [
        # old filters: includeClusterResources x whether all namespaces are included
        (BackupSpec(include_cluster_resources=True), True, True, True, True),
        (BackupSpec(include_cluster_resources=True), False, True, True, True),
        (BackupSpec(include_cluster_resources=False), True, False, False, True),
        (BackupSpec(include_cluster_resources=False), False, False, False, True),
        (BackupSpec(excluded_resources=("pods",)), True, True, True, False),
        (BackupSpec(excluded_resources=("pods",)), False, False, True, False),
        (BackupSpec(included_resources=("*",)), True, True, True, True),
        (BackupSpec(included_resources=("*",)), False, False, True, True),
        # old filters: the lists hold for cluster-scoped kinds and namespaces too
        (BackupSpec(included_resources=("pods",)), True, False, False, True),
        (BackupSpec(included_resources=("pods",), include_cluster_resources=True), True, False, False, True),
        (BackupSpec(included_resources=("*.k8s.io",), include_cluster_resources=True), False, True, False, False),
        (BackupSpec(excluded_resources=("namespaces",), include_cluster_resources=True), True, True, False, True),
        # new filters, which are also in use where there is none
        (BackupSpec(), True, True, True, True),
        (BackupSpec(), False, False, True, True),
        (BackupSpec(excluded_cluster_scoped_resources=("x",)), True, False, True, True),
        (BackupSpec(excluded_cluster_scoped_resources=("namespaces",)), True, False, False, True),
        (BackupSpec(included_cluster_scoped_resources=("*",)), False, True, True, True),
        (BackupSpec(included_cluster_scoped_resources=("storage*",)), False, True, True, True),
        (BackupSpec(included_cluster_scoped_resources=("nodes",)), True, False, True, True),
        (BackupSpec(excluded_cluster_scoped_resources=("*",)), True, False, False, True),
        (BackupSpec(included_namespace_scoped_resources=("*",)), True, True, True, True),
        (BackupSpec(included_namespace_scoped_resources=("pods",)), True, False, True, True),
        (BackupSpec(included_namespace_scoped_resources=("secrets",)), True, False, True, False),
        (BackupSpec(excluded_namespace_scoped_resources=("secrets",)), True, False, True, True),
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


_NAMES = {"po": "pods", "sc": "storageclasses.storage.k8s.io"}
_SCOPES = {"pods": True, "storageclasses.storage.k8s.io": False}


def resolve(name: str) -> str:
    return _NAMES.get(name, name)


@pytest.mark.parametrize(
    ("spec", "group_resource", "namespaced", "reason"),
    [
        (BackupSpec(excluded_resources=("po",)), "pods", True, "excludedResources names it"),
        (BackupSpec(included_resources=("nothing",)), "pods", True, "includedResources does not name it"),
        (
            BackupSpec(include_cluster_resources=False),
            "namespaces",
            False,
            "includeClusterResources is false",
        ),
        (
            BackupSpec(excluded_resources=("nodes",)),
            "storageclasses.storage.k8s.io",
            False,
            "includeClusterResources is not set and only some namespaces are included",
        ),
        (
            BackupSpec(excluded_namespace_scoped_resources=("po",)),
            "pods",
            True,
            "excludedNamespaceScopedResources names it",
        ),
        (
            BackupSpec(excluded_cluster_scoped_resources=("sc",)),
            "storageclasses.storage.k8s.io",
            False,
            "excludedClusterScopedResources names it",
        ),
        (
            BackupSpec(),
            "storageclasses.storage.k8s.io",
            False,
            "includedClusterScopedResources does not name it and the backup is filtered",
        ),
        (
            BackupSpec(include_cluster_resources=True),
            "volumesnapshotcontents.snapshot.storage.k8s.io",
            False,
            "its items come with volume snapshots only, as in Velero",
        ),
    ],
)
def test_a_kind_that_is_left_out_names_the_field(
    spec: BackupSpec, group_resource: str, namespaced: bool, reason: str
) -> None:
    chosen = ResourceFilter.from_spec(spec, resolve=resolve, namespaces_everything=False, scopes=_SCOPES)
    assert chosen.reason(group_resource, namespaced=namespaced) == reason


def test_a_name_of_the_other_scope_is_ignored_as_in_velero_and_warned_of() -> None:
    spec = BackupSpec(included_namespace_scoped_resources=("sc",), excluded_cluster_scoped_resources=("po", "gone"))
    chosen = ResourceFilter.from_spec(spec, resolve=resolve, namespaces_everything=True, scopes=_SCOPES)
    assert (chosen.included, chosen.excluded_cluster) == ((), ("gone",))
    assert chosen.includes("pods", namespaced=True)
    assert chosen.warnings == (
        "spec.includedNamespaceScopedResources: sc is of the other scope and is ignored",
        "spec.excludedClusterScopedResources: po is of the other scope and is ignored",
    )


def test_what_velero_always_excludes_does_not_turn_a_backup_of_everything_into_a_filtered_one() -> None:
    spec = BackupSpec(
        excluded_cluster_scoped_resources=("volumesnapshotcontents.snapshot.storage.k8s.io",),
        excluded_namespace_scoped_resources=("volumesnapshots.snapshot.storage.k8s.io",),
    )
    chosen = ResourceFilter.from_spec(spec, resolve=str, namespaces_everything=True)
    assert chosen.includes("storageclasses.storage.k8s.io", namespaced=False)
    assert not chosen.includes("volumesnapshots.snapshot.storage.k8s.io", namespaced=True)


def test_including_a_kind_of_snapshots_is_warned_of() -> None:
    spec = BackupSpec(included_resources=("volumesnapshots.snapshot.storage.k8s.io", "pods"))
    chosen = ResourceFilter.from_spec(spec, resolve=str, namespaces_everything=True)
    assert chosen.warnings == (
        "volumesnapshots.snapshot.storage.k8s.io is included, but its items come with volume snapshots only",
    )


_SHOP = NamespaceSelection(names=("shop",), excluded=(), cluster_wide=False, everything=False)
_ALL = NamespaceSelection(names=("shop", "other"), excluded=(), cluster_wide=True, everything=True)
_WEB = BackupSpec(label_selector={"matchLabels": {"app": "web"}})
_WEB_OR_DB = BackupSpec(
    or_label_selectors=(
        {"matchLabels": {"app": "web"}},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["db"]}]},
    )
)


@pytest.mark.parametrize(
    ("name", "labels", "active", "spec", "selection", "collected_from", "wanted"),
    [
        ("shop", {}, True, BackupSpec(), _SHOP, False, True),
        ("shop", {}, False, BackupSpec(), _SHOP, False, False),
        ("shop", {}, False, BackupSpec(), _SHOP, True, True),
        ("other", {}, True, BackupSpec(), _SHOP, False, False),
        ("other", {"app": "web"}, True, _WEB, _SHOP, False, True),
        ("other", {"app": "db"}, True, _WEB_OR_DB, _SHOP, False, True),
        ("other", {"app": "db"}, False, _WEB_OR_DB, _SHOP, False, False),
        ("other", {"app": "x"}, True, _WEB_OR_DB, _SHOP, False, False),
        ("shop", {}, True, _WEB, _SHOP, False, True),
        ("shop", {}, True, _WEB, _ALL, False, False),
        ("shop", {}, True, _WEB_OR_DB, _ALL, False, False),
        ("shop", {}, True, _WEB, _ALL, True, True),
        ("shop", {"app": "web"}, True, _WEB, _ALL, False, True),
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


_SNAPSHOT_CONTENTS = "volumesnapshotcontents.snapshot.storage.k8s.io"


@pytest.mark.parametrize(
    ("spec", "group_resource", "excluded"),
    [
        # A cluster-scoped kind need not be included, only not excluded.
        (BackupSpec(), "persistentvolumes", False),
        (BackupSpec(included_cluster_scoped_resources=("nodes",)), "persistentvolumes", False),
        (BackupSpec(excluded_cluster_scoped_resources=("persistent*",)), "persistentvolumes", True),
        (BackupSpec(excluded_cluster_scoped_resources=("*",)), "persistentvolumes", True),
        (BackupSpec(excluded_resources=("pods",)), "persistentvolumes", False),
        (BackupSpec(excluded_resources=("persistentvolumes",)), "persistentvolumes", True),
        (BackupSpec(included_resources=("pods",)), "persistentvolumes", True),
        (BackupSpec(included_resources=("pods",), include_cluster_resources=True), "persistentvolumes", False),
        (BackupSpec(included_resources=("*",), include_cluster_resources=False), "persistentvolumes", True),
        (BackupSpec(), _SNAPSHOT_CONTENTS, True),
        (BackupSpec(include_cluster_resources=True), _SNAPSHOT_CONTENTS, True),
        # Namespaces are never left out.
        (BackupSpec(included_resources=("pods",), include_cluster_resources=False), "namespaces", False),
        (BackupSpec(excluded_cluster_scoped_resources=("*",)), "namespaces", False),
    ],
)
def test_of_kinds_that_are_pulled_in_only_the_excluded_are_left_out(
    spec: BackupSpec, group_resource: str, excluded: bool
) -> None:
    chosen = ResourceFilter.from_spec(spec, resolve=str, namespaces_everything=False)
    assert chosen.excludes_additional(group_resource, namespaced=False) is excluded


@pytest.mark.parametrize(
    ("spec", "excluded"),
    [
        (BackupSpec(), False),
        (BackupSpec(included_namespace_scoped_resources=("pods",)), True),
        (BackupSpec(included_resources=("pods",)), True),
        (BackupSpec(excluded_resources=("persistentvolumeclaims",)), True),
    ],
)
def test_a_namespaced_kind_is_pulled_in_only_where_it_is_included(spec: BackupSpec, excluded: bool) -> None:
    chosen = ResourceFilter.from_spec(spec, resolve=str, namespaces_everything=False)
    assert chosen.excludes_additional("persistentvolumeclaims", namespaced=True) is excluded
