"""The stations of a held item on its way into the archive, as the item backupper knows them: Protocols and defaults."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from pinnace.actions.protocol import ResourceIdentifier
from pinnace.backup.log import VeleroLog
from pinnace.engine import NOTHING_HELD, HeldItem, Hold
from pinnace.kube.discovery import ApiResource
from pinnace.velero.results import Results

__all__ = [
    "ADDITIONAL_NOT_FOUND",
    "Additional",
    "HookPhase",
    "ItemArchive",
    "ItemHooks",
    "ItemVolumes",
    "NoHooks",
    "NoVolumes",
]

ADDITIONAL_NOT_FOUND = "Additional item was not found in Kubernetes API, can't back it up"
"""Velero's words (item_backupper.go)."""

HookPhase = Literal["pre", "post"]


class ItemHooks(Protocol):
    """Runs commands in pods."""

    def hold(self, group_resource: str) -> Hold:
        """Say which items have hooks; asked once for each list."""

    def run(self, phase: HookPhase, item: dict[str, Any], *, results: Results, log: VeleroLog) -> bool:
        """Run the hooks of one item, told with its kind in `item`; False where it must not be stored.

        What goes wrong is told in the results by the hooks themselves.
        """


class ItemVolumes(Protocol):
    """Takes snapshots of what an item stands for; what a PVC becomes is left to backup item actions."""

    def hold(self, group_resource: str) -> Hold:
        """Say which items have volumes to take; asked once for each list."""

    def back_up(self, group_resource: str, item: dict[str, Any], *, results: Results, log: VeleroLog) -> bool:
        """Take the volume of one item; False where it must not be stored, which is then told in the results.

        What takes long is begun here and waited for in `finish`, so that many volumes wait at once.
        """

    def finish(self, back_up: Callable[[Sequence[ResourceIdentifier]], None]) -> None:
        """After the last list: wait, and store by `back_up` the items that were made meanwhile, at their newest."""


class NoHooks:
    """An ItemHooks where there are none."""

    def hold(self, group_resource: str) -> Hold:
        """No item."""
        del group_resource
        return NOTHING_HELD

    def run(self, phase: HookPhase, item: dict[str, Any], *, results: Results, log: VeleroLog) -> bool:
        """Do nothing."""
        del phase, item, results, log
        return True


class NoVolumes:
    """An ItemVolumes where there are none."""

    def hold(self, group_resource: str) -> Hold:
        """No item."""
        del group_resource
        return NOTHING_HELD

    def back_up(self, group_resource: str, item: dict[str, Any], *, results: Results, log: VeleroLog) -> bool:
        """Do nothing."""
        del group_resource, item, results, log
        return True

    def finish(self, back_up: Callable[[Sequence[ResourceIdentifier]], None]) -> None:
        """Nothing to wait for."""


class ItemArchive(Protocol):
    """Where items are written."""

    def register(self, resource: ApiResource, *, namespace: str, name: str) -> bool:
        """Note that an item is being backed up; False where it was already."""

    def expect_additional(self) -> None:
        """Count one more item than the lists have."""

    def add_item(self, resource: ApiResource, item: bytes) -> None:
        """Write a registered item, given as JSON; EngineError where it can't be."""


class Additional(Protocol):
    """Where additional items come from."""

    def resource(self, group_resource: str) -> ApiResource | None:
        """Give the kind as the cluster serves it; None where it does not."""

    def is_fetched(self, group_resource: str) -> bool:
        """Tell whether items of that kind would be fetched at all (`HoldingAction.hold`)."""

    def is_wanted(self, wanted: ResourceIdentifier, *, must_include: bool) -> bool:
        """Tell whether an item is to be fetched: not where the filters leave it out or a list brings it anyway."""

    def begin(self, wanted: Sequence[ResourceIdentifier]) -> None:
        """Begin to read items that will most likely be fetched, in the background; what goes wrong `fetch` tells."""

    def forget(self) -> None:
        """Drop what was begun and not fetched."""

    def fetch(self, wanted: ResourceIdentifier, *, at_newest: bool) -> HeldItem | None:
        """Read one item; None where there is none, KubeError where it can't be read."""
