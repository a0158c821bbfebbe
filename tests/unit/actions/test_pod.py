"""A pod names its claims and its priority class."""

from typing import Any

import pytest

from pinnace.actions.pod import CLAIMS, PRIORITY_CLASSES, PodAction
from pinnace.actions.protocol import ActionResult, ResourceIdentifier
from pinnace.engine import Hold
from unit.actions.context import BACKUP, context

_CLAIM = ("spec", "volumes", "[]", "persistentVolumeClaim")
_CLASS = ("spec", "priorityClassName")


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "ns"}, "spec": spec}


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({"metadata": {"name": "p", "namespace": "ns"}}, []),
        (pod(), []),
        (pod(volumes=None, priorityClassName=""), []),
        (pod(volumes=[{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": None}]), []),
        (
            pod(
                volumes=[{"persistentVolumeClaim": {"claimName": name}} for name in ("b", "a")],
                priorityClassName="high",
            ),
            [(CLAIMS, "ns", "b"), (CLAIMS, "ns", "a"), (PRIORITY_CLASSES, "", "high")],
        ),
    ],
)
def test_claims_in_their_order_and_then_the_priority_class_are_named(
    item: dict[str, Any], named: list[tuple[str, str, str]]
) -> None:
    result = PodAction(context()).execute(item, BACKUP)
    assert result == ActionResult(item, additional_items=tuple(ResourceIdentifier(*each) for each in named))


@pytest.mark.parametrize(
    ("fetched", "paths"),
    [
        ((), set()),
        ((CLAIMS,), {_CLAIM}),
        ((PRIORITY_CLASSES,), {_CLASS}),
        ((CLAIMS, PRIORITY_CLASSES), {_CLAIM, _CLASS}),
    ],
)
def test_a_pod_is_held_only_for_what_would_be_fetched(fetched: tuple[str, ...], paths: set[tuple[str, ...]]) -> None:
    hold = PodAction(context()).hold("pods", is_fetched=lambda kind: kind in fetched)
    assert (hold, bool(hold)) == (Hold(paths=frozenset(paths)), bool(paths))
