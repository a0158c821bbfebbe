"""One registry: the built-in actions, and those that installed packages name as entry points."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from pinnace.actions import registry
from pinnace.actions.protocol import ActionContext, ActionResult, ResourceSelector
from pinnace.actions.service_account import CLUSTER_ROLE_BINDINGS
from pinnace.errors import ActionLoadError, KubeError
from pinnace.velero.backup import Backup
from unit.actions.context import Items, context


class Foreign:
    """An action of somebody else."""

    name = "example.com/a"
    applies_to = ResourceSelector()

    def __init__(self, made_with: ActionContext) -> None:
        self.context = made_with

    def execute(self, item: dict[str, Any], backup: Backup) -> ActionResult:
        del backup
        return ActionResult(item)


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    found: list[EntryPoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda *, group: EntryPoints(found).select(group=group))
    return found


def refuse(error: KubeError) -> None:
    raise error


def test_actions_get_an_item_in_the_order_of_their_names(entry_points: list[EntryPoint]) -> None:
    entry_points.append(EntryPoint("foreign", "pinnace.actions.pod:PodAction", "pinnace.backup_item_actions"))
    actions = registry.load_actions(context(), on_refused=refuse, more=(Foreign,))
    assert [action.name for action in actions] == [
        "example.com/a",
        "velero.io/pod",
        "velero.io/pod",
        "velero.io/pv",
        "velero.io/service-account",
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_package:make", "ModuleNotFoundError(\"No module named 'no_such_package'\")"),
        ("pinnace.actions.registry:load_actions", "TypeError("),
    ],
)
def test_one_that_can_not_be_made_ends_the_run(entry_points: list[EntryPoint], value: str, reason: str) -> None:
    entry_points.append(EntryPoint("foreign", value, "pinnace.backup_item_actions"))
    with pytest.raises(ActionLoadError) as raised:
        registry.load_actions(context(), on_refused=refuse)
    sentence = str(raised.value)
    assert sentence.startswith(f"backup item action foreign ({value}) can't be loaded: {reason}")
    assert sentence.endswith("; repair or uninstall the package that has it")


class RefusingItems(Items):
    """A cluster that does not let bindings be listed."""

    def serves(self, group_resource: str) -> bool:
        return bool(group_resource)

    def list(self, group_resource: str) -> Iterator[dict[str, Any]]:
        raise KubeError(request=f"GET {group_resource}", status=403, reason="forbidden")


@pytest.mark.usefixtures("entry_points")
def test_one_that_the_api_server_refuses_what_it_needs_is_told_and_left_out() -> None:
    refused: list[KubeError] = []
    made_with = context(CLUSTER_ROLE_BINDINGS, lists=RefusingItems())
    actions = registry.load_actions(made_with, on_refused=refused.append)
    assert [action.name for action in actions] == ["velero.io/pod", "velero.io/pv"]
    assert [str(error) for error in refused] == [f"GET {CLUSTER_ROLE_BINDINGS}: forbidden"]
