"""A bound claim names its volume and loses what would keep a restore from making a new one."""

import copy
from typing import Any

import pytest

from pinnace.actions.protocol import ActionResult, ResourceIdentifier
from pinnace.actions.pvc import VOLUMES, ClaimAction
from unit.actions.context import BACKUP, context

_VOLUME = (ResourceIdentifier(VOLUMES, "", "pv-1"),)


def claim(*, phase: str = "Bound", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "c", "namespace": "ns", **({"labels": labels} if labels else {})},
        "spec": {"volumeName": "pv-1", **spec},
        "status": {"phase": phase, "unknownToVelero": 1},
    }


_SELECTOR = {"matchLabels": {"velero.io/backup-name": "a", "tier": "db"}}


@pytest.mark.parametrize(
    ("item", "stored"),
    [
        (claim(), claim()),
        (claim(dataSource={"name": "s"}, dataSourceRef={"name": "s"}), claim()),
        (claim(dataSource=None), claim(dataSource=None)),
        (claim(selector=_SELECTOR), claim()),
        (claim(selector=_SELECTOR, storageClassName="fast"), claim(storageClassName="fast")),
        (
            claim(selector=_SELECTOR, storageClassName=""),
            claim(selector={"matchLabels": {"tier": "db"}}, storageClassName=""),
        ),
        (claim(labels={"velero.io/restore-name": "r", "app": "x"}), claim(labels={"app": "x"})),
        (claim(labels={"velero.io/volume-snapshot-name": "s", "app": "x"}), claim(labels={"app": "x"})),
        (claim(labels={"velero.io/backup-name": "other", "app": "x"}), claim(labels={"app": "x"})),
        (claim(labels={"velero.io/backup-name": "b"}), claim(labels={"velero.io/backup-name": "b"})),
    ],
)
def test_a_bound_claim_is_cleaned_and_names_its_volume(item: dict[str, Any], stored: dict[str, Any]) -> None:
    is_changed = item != stored
    result = ClaimAction(context()).execute(item, BACKUP)
    assert result == ActionResult(stored, additional_items=_VOLUME, item_changed=is_changed)


@pytest.mark.parametrize(
    "item",
    [
        claim(phase="Pending", dataSource={"name": "s"}),
        claim(phase="Lost", selector=_SELECTOR),
        claim(volumeName="", dataSource={"name": "s"}),
        {"metadata": {"name": "c", "namespace": "ns"}},
    ],
)
def test_any_other_claim_stays_as_it_is(item: dict[str, Any]) -> None:
    before = copy.deepcopy(item)
    assert ClaimAction(context()).execute(item, BACKUP) == ActionResult(before)


def test_claims_with_a_volume_are_held_only_where_volumes_are_fetched() -> None:
    changing = ClaimAction(context()).hold("persistentvolumeclaims", is_fetched=lambda _: False)
    fetching = ClaimAction(context()).hold("persistentvolumeclaims", is_fetched=lambda kind: kind == VOLUMES)
    assert changing.paths == {
        ("spec", "dataSource"),
        ("spec", "dataSourceRef"),
        ("spec", "selector"),
        ("metadata", "labels", "velero.io/restore-name"),
        ("metadata", "labels", "velero.io/volume-snapshot-name"),
        ("metadata", "labels", "velero.io/backup-name"),
    }
    assert fetching.paths == changing.paths | {("spec", "volumeName")}
