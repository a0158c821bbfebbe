"""The place in the bucket where a run and the pods of its shards leave each other word: order, progress, outcome.

Below `shards/<attempt>/` each shard has `<number>/order.json`, `progress.json` and `made.json`, and each pod that makes
it a directory of its own, so that of two pods of one shard that live at once neither writes over what the other made.
An order is wanted as long as it is there. Whoever takes it away looks afterwards what there is to remove; whoever
finds it gone removes what it has stored itself: so nothing stays, whoever comes first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from pinnace.backup.shard_order import ShardMade, ShardOrder
from pinnace.store.backup_store import BackupStore
from pinnace.store.object_store import StretchPlace

__all__ = ["Said", "ShardExchange", "ToldProgress"]

_ORDER, _PROGRESS, _MADE = "order.json", "progress.json", "made.json"


@dataclass(frozen=True)
class Said:
    """What a shard has said by the time of a look: when it told its progress last, and whether it is made."""

    told_at: datetime | None = None
    is_made: bool = False


@dataclass(frozen=True)
class ToldProgress:
    """How far a pod is with a shard, as the arguments of `Observer.progressed`; `maker` is the pod's uid."""

    maker: str
    group_resource: str
    item_count: int
    page_bytes: int


class ShardExchange:
    """The place of one attempt at a backup; every method is one request but for `said`, `clear` and `remove`."""

    def __init__(self, store: BackupStore, *, attempt_id: str) -> None:
        self._store = store
        self._folder = f"{store.keys.shards}{attempt_id}/"

    def order(self, order: ShardOrder) -> None:
        """Say what a shard is."""
        self._store.put(self._key(order.place.number, _ORDER), order.to_json())

    def said(self) -> Mapping[int, Said]:
        """Look what each shard has said, by one listing of at most a few hundred objects."""
        said: dict[int, Said] = {}
        for found in self._store.list_unfinished(self._folder):
            number, _, name = found.key.removeprefix(self._folder).partition("/")
            heard = said.get(int(number), Said())
            if name == _PROGRESS:
                said[int(number)] = replace(heard, told_at=found.modified)
            elif name == _MADE:
                said[int(number)] = replace(heard, is_made=True)
        return said

    def progress(self, number: int) -> ToldProgress | None:
        """How far a shard is."""
        text = self._store.read_unfinished(self._key(number, _PROGRESS))
        return None if text is None else ToldProgress(**orjson.loads(text))

    def made(self, order: ShardOrder) -> tuple[StretchPlace, ShardMade] | None:
        """Where a pod stored what it made of an order, and what that came to."""
        text = self._store.read_unfinished(self._key(order.place.number, _MADE))
        if text is None:
            return None
        said = orjson.loads(text)
        return replace(order.place, folder=said["folder"]), ShardMade.from_document(said["made"], order)

    def withdraw(self, number: int) -> None:
        """Want a shard no more: a pod that makes it stops."""
        self._store.remove_unfinished(self._key(number, _ORDER))

    def clear(self) -> None:
        """Remove everything, once no order is there any more."""
        self._store.remove_unfinished_below(self._folder)

    def read_order(self, number: int, *, maker: str) -> ShardOrder | None:
        """Read what a shard is, if it is wanted by now; its place is that of one pod."""
        text = self._store.read_unfinished(self._key(number, _ORDER))
        if text is None:
            return None
        order = ShardOrder.from_json(text)
        return replace(order, place=replace(order.place, folder=self._key(number, f"{maker}/")))

    def is_wanted(self, number: int) -> bool:
        """Tell whether an order is there still."""
        return self._store.has(self._key(number, _ORDER))

    def is_made(self, number: int) -> bool:
        """Tell whether a pod has made a shard."""
        return self._store.has(self._key(number, _MADE))

    def tell(self, number: int, progress: ToldProgress) -> None:
        """Say how far a pod is."""
        self._store.put(self._key(number, _PROGRESS), orjson.dumps(progress))

    def leave(self, place: StretchPlace, made: Mapping[str, Any]) -> None:
        """Say what a shard came to, a `ShardMade`; of two pods the first one is believed."""
        document = {"folder": place.folder, "made": made}
        self._store.put_first(self._key(place.number, _MADE), orjson.dumps(document))

    def remove(self, place: StretchPlace) -> None:
        """Remove what one pod stored of a shard that is not wanted any more."""
        for what in (_PROGRESS, _MADE):
            self._store.remove_unfinished(self._key(place.number, what))
        self._store.remove_unfinished_below(place.folder)

    def _key(self, number: int, what: str) -> str:
        return f"{self._folder}{number}/{what}"
