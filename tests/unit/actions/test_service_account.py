"""A service account names the cluster role bindings that name it, and their roles."""

from typing import Any

import pytest

from pinnace.actions.protocol import ResourceIdentifier
from pinnace.actions.service_account import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ServiceAccountAction
from pinnace.engine import Hold
from unit.actions.context import BACKUP, Items, context


def binding(name: str, role: str, *subjects: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": kind, "namespace": namespace, "name": name} for kind, namespace, name in subjects]
        or None,
    }


_BINDINGS = [
    binding("first", "reader", ("ServiceAccount", "ns", "web"), ("Group", "", "web"), ("ServiceAccount", "ns", "db")),
    binding("second", "reader", ("ServiceAccount", "ns", "web"), ("ServiceAccount", "other", "web")),
    binding("third", "admin", ("User", "ns", "lone")),
    binding("fourth", "nobody"),
    {"metadata": {"name": "bare"}},
]


def account(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns"}}


def items(*names: str) -> tuple[ResourceIdentifier, ...]:
    kinds = {"b": CLUSTER_ROLE_BINDINGS, "r": CLUSTER_ROLES}
    return tuple(ResourceIdentifier(kinds[name[0]], "", name[2:]) for name in names)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("web", items("b first", "r reader", "b second")),
        ("db", items("b first", "r reader")),
        ("lone", ()),
    ],
)
def test_bindings_and_roles_are_named_once(name: str, named: tuple[ResourceIdentifier, ...]) -> None:
    lists = Items({CLUSTER_ROLE_BINDINGS: _BINDINGS})
    action = ServiceAccountAction(context(CLUSTER_ROLES, lists=lists))
    item = account(name)
    result = action.execute(item, BACKUP)
    assert (result.item, tuple(result.additional_items), result.item_changed) == (item, named, False)


def test_only_accounts_that_a_binding_names_are_held() -> None:
    lists = Items({CLUSTER_ROLE_BINDINGS: _BINDINGS})
    action = ServiceAccountAction(context(CLUSTER_ROLE_BINDINGS, lists=lists))
    hold = action.hold("serviceaccounts", is_fetched=lambda _: True)
    assert hold == Hold(names=frozenset({"ns/web", "ns/db", "other/web"}))


@pytest.mark.parametrize(
    ("fetched", "lists"),
    [((), Items({CLUSTER_ROLE_BINDINGS: _BINDINGS})), ((CLUSTER_ROLES,), Items())],
    ids=["in the plan", "no RBAC"],
)
def test_bindings_are_not_listed_for_nothing(fetched: tuple[str, ...], lists: Items) -> None:
    action = ServiceAccountAction(context(*fetched, lists=lists))
    assert (lists.listed, bool(action.hold("serviceaccounts", is_fetched=lambda _: True))) == ([], False)
