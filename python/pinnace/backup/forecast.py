"""What a Backup would take, before anything is made: kinds, namespaces, items, and roughly how much and how long."""

from dataclasses import dataclass

from pinnace.backup.prepare import Prepared, prepare
from pinnace.backup.run import RunOptions
from pinnace.collect.item_collector import ItemCollector
from pinnace.errors import ValidationFailedError
from pinnace.kube.client import Client
from pinnace.kube.discovery import SkippedKind
from pinnace.velero import validation
from pinnace.velero.backup import Backup
from pinnace.velero.results import Results

__all__ = ["Forecast", "KindForecast", "forecast"]

_BYTES_PER_SECOND = 50e6
"""What two cores that an API server shares list, compress and store, within a factor of two (docs/benchmarks.md)."""

_LEAST_SECONDS = 1.0


@dataclass(frozen=True)
class KindForecast:
    """One kind: its lists (one, or one for each namespace and selector), items and bytes of lists.

    Bytes are guessed from one item of each list. `is_counted` False: the API server does not count by selectors, and
    there are at least so many.
    """

    group_resource: str
    list_count: int
    item_count: int
    is_counted: bool
    page_bytes: float


@dataclass(frozen=True)
class Forecast:
    """What would be listed, in the archive's order; `namespaces` are those whose items are taken."""

    kinds: tuple[KindForecast, ...]
    namespaces: tuple[str, ...]
    skipped: tuple[SkippedKind, ...]
    results: Results

    @property
    def item_count(self) -> int:
        """Items of all kinds, additional items and Namespaces aside."""
        return sum(kind.item_count for kind in self.kinds)

    @property
    def page_bytes(self) -> float:
        """Bytes of all lists, roughly."""
        return sum(kind.page_bytes for kind in self.kinds)

    @property
    def seconds(self) -> float:
        """How long a run takes, roughly."""
        return _LEAST_SECONDS + self.page_bytes / _BYTES_PER_SECOND


class _NoLog:
    """A run's log, before there is a run."""

    def info(self, message: str, **fields: str | int) -> None:
        """Say nothing."""


def forecast(backup: Backup, *, client: Client, options: RunOptions) -> Forecast:
    """Discover, select and probe as a run does; ValidationFailedError as there. Nothing is written anywhere."""
    if texts := validation.validate(backup):
        raise ValidationFailedError(backup_name=backup.name, errors=texts)
    results = Results()
    collector = ItemCollector(client, client_page_size=options.client_page_size)
    prepared = prepare(client, backup, collector=collector, options=options, results=results, log=_NoLog())
    return Forecast(_kinds(prepared), prepared.selection.names, prepared.skipped, results)


def _kinds(prepared: Prepared) -> tuple[KindForecast, ...]:
    kinds: dict[str, KindForecast] = {}
    for probe in prepared.probes:
        name = probe.request.resource.group_resource
        so_far = kinds.get(name, KindForecast(name, 0, 0, True, 0.0))
        kinds[name] = KindForecast(
            name,
            so_far.list_count + 1,
            so_far.item_count + probe.item_count,
            so_far.is_counted and probe.is_counted,
            so_far.page_bytes + probe.expected_bytes,
        )
    return tuple(kinds.values())
