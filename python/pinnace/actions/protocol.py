"""What a backup item action is: applies to some items, and says of each what to store and what to store beside it.

Third parties name a factory, `def make(context: ActionContext) -> BackupItemAction`, in the entry-point group
`pinnace.backup_item_actions`. Words and effects are Velero's (velero.io/plugin BackupItemAction).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from pinnace.engine import Hold
from pinnace.velero import glob
from pinnace.velero.backup import Backup
from pinnace.velero.label_selectors import matches_labels

__all__ = [
    "ENTRY_POINT_GROUP",
    "ActionContext",
    "ActionResult",
    "BackupItemAction",
    "ForeseeableAction",
    "HoldingAction",
    "ItemLists",
    "ResourceIdentifier",
    "ResourceSelector",
]

ENTRY_POINT_GROUP = "pinnace.backup_item_actions"


class ResourceIdentifier(NamedTuple):
    """One item by its group resource (`persistentvolumes`), namespace ("" if cluster-scoped) and name."""

    group_resource: str
    namespace: str
    name: str


@dataclass(frozen=True)
class ResourceSelector:
    """Which items an action is for; an empty list is no filter, names may be globs, group resources are plural.group.

    As in Velero any filter of namespaces but `*` leaves cluster-scoped items out.
    """

    included_resources: tuple[str, ...] = ()
    excluded_resources: tuple[str, ...] = ()
    included_namespaces: tuple[str, ...] = ()
    excluded_namespaces: tuple[str, ...] = ()
    label_selector: Mapping[str, Any] | None = None

    def includes(self, group_resource: str) -> bool:
        """Tell whether items of that kind may match at all."""
        return _is_included(group_resource, self.included_resources, self.excluded_resources)

    def matches(self, group_resource: str, *, namespace: str, labels: Mapping[str, str]) -> bool:
        """Tell whether one item matches."""
        return (
            self.includes(group_resource)
            and self._includes_namespace(namespace)
            and (self.label_selector is None or matches_labels(self.label_selector, labels))
        )

    def _includes_namespace(self, namespace: str) -> bool:
        if not namespace:
            return set(self.included_namespaces) <= {"*"} and not self.excluded_namespaces
        return _is_included(namespace, self.included_namespaces, self.excluded_namespaces)


def _is_included(name: str, included: Sequence[str], excluded: Sequence[str]) -> bool:
    return not glob.matches(name, excluded) and (not included or glob.matches(name, included))


@dataclass(frozen=True)
class ActionResult:
    """What is to be stored: the item, and others before it.

    `item_changed` must be set where `item` is not what was given: only then is it written anew, else the bytes that
    the API server sent are stored. `must_include` takes the additional items whatever the Backup's filters say (not
    those that are being deleted), and `at_newest` reads them at their newest instead of at the backup's revision,
    because they were made meanwhile. `skip_item` leaves this one out, silently as in Velero. The annotations by which
    Velero's actions say the same (`backup.velero.io/must-include-additional-items: "true"`,
    `velero.io/skip-from-backup`) are read from a changed item too.
    """

    item: dict[str, Any]
    additional_items: Sequence[ResourceIdentifier] = ()
    must_include: bool = False
    at_newest: bool = False
    skip_item: bool = False
    item_changed: bool = False


class BackupItemAction(Protocol):
    """One action; `name` is told in errors and sorts actions of one item, as Velero sorts them (`velero.io/pod`).

    `execute` gets an item as it came from the API server (or from the action before) and may change it in place.
    Any exception is an error in the results, and the item is not stored.
    """

    name: str
    applies_to: ResourceSelector

    def execute(self, item: dict[str, Any], backup: Backup) -> ActionResult:
        """Say what is to be stored for one item that `applies_to` matches."""


@runtime_checkable
class HoldingAction(Protocol):
    """An action that knows by which fields it recognises its items; of any other each item of its kinds is held.

    What is not held never becomes a Python object, and is archived as fast as it can be listed. `pulls_in` are the
    kinds of all additional items that it may name: items of them may be written before their list brings them.
    """

    pulls_in: tuple[str, ...]

    def hold(self, group_resource: str, *, is_fetched: Callable[[str], bool]) -> Hold:
        """Say which items of a kind that `applies_to` includes must be held.

        `is_fetched` tells of the kind of an additional item whether it would have to be fetched: not where the backup
        lists the whole kind anyway or its filters leave it out. An item need not be held for others.
        """


@runtime_checkable
class ForeseeableAction(Protocol):
    """A HoldingAction of which can be told what it will name before it is its item's turn, so that it is read by then.

    What it names in the end is what counts: a wrong guess costs a request.
    """

    pulls_in: tuple[str, ...]

    def names(self, item: dict[str, Any]) -> Sequence[ResourceIdentifier]:
        """Give what `execute` would name for an item, and change nothing."""


class ItemLists(Protocol):
    """The cluster, for an action that has to know more than one item."""

    def serves(self, group_resource: str) -> bool:
        """Tell whether the cluster has that kind."""

    def list(self, group_resource: str) -> Iterator[dict[str, Any]]:
        """Give every item of a kind, in all namespaces, at the backup's revision, page by page; KubeError."""


@dataclass(frozen=True)
class ActionContext:
    """What an action is made with, once for each run."""

    backup: Backup
    lists: ItemLists
    is_fetched: Callable[[str], bool] = bool
    """As in `HoldingAction.hold`: what nobody would fetch needs no preparation."""
