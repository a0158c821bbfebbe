"""What actions are made with in tests: a cluster that is a few items, and a backup that fetches some kinds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pinnace.actions.protocol import ActionContext
from pinnace.velero.backup import Backup

__all__ = ["BACKUP", "Items", "context"]

BACKUP = Backup(name="b")


@dataclass
class Items:
    """An ItemLists; `listed` has what was asked for."""

    items: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)

    def serves(self, group_resource: str) -> bool:
        return group_resource in self.items

    def list(self, group_resource: str) -> Iterator[dict[str, Any]]:
        self.listed.append(group_resource)
        yield from self.items[group_resource]


def context(*fetched: str, lists: Items | None = None) -> ActionContext:
    return ActionContext(BACKUP, lists=lists or Items(), is_fetched=lambda kind: kind in fetched)
