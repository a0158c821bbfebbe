"""What a Backup would take, before anything is made: kinds, namespaces, items, and roughly how much and how long."""

from dataclasses import dataclass

from pinnace.backup.missed_kinds import warn_of_what_will_be_missed
from pinnace.backup.prepare import Prepared, prepare
from pinnace.backup.run import RunOptions
from pinnace.backup.snapshot_watch import CLAIMS
from pinnace.backup.untaken_snapshots import untaken
from pinnace.collect.item_collector import ItemCollector
from pinnace.errors import ValidationFailedError
from pinnace.kube.client import Client
from pinnace.kube.discovery import SkippedKind
from pinnace.velero import validation
from pinnace.velero.backup import Backup
from pinnace.velero.results import Results
from pinnace.volumes.csi_actions import CONTENTS, SNAPSHOTS

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
    snapshots: str = ""
    """Whether the volumes of claims will have any; "" where there are no claims."""

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
    warn_of_what_will_be_missed(prepared, results=results)
    kinds = _kinds(prepared)
    count = sum(kind.item_count for kind in kinds if kind.group_resource == CLAIMS)
    snapshots = _snapshots(prepared, count, options=options, results=results) if count else ""
    return Forecast(kinds, prepared.selection.names, prepared.skipped, results, snapshots)


def _snapshots(prepared: Prepared, claim_count: int, *, options: RunOptions, results: Results) -> str:
    """Say what becomes of the volumes of claims; where a run would warn of it, warn."""
    reason = untaken(
        prepared.spec,
        serves_csi_snapshots=all(kind in prepared.resources for kind in (SNAPSHOTS, CONTENTS)),
        takes_csi_snapshots=options.takes_csi_snapshots,
        has_locations=bool(prepared.spec.others.get("volumeSnapshotLocations")),
        refused=options.no_snapshots_because,
    )
    if reason is None:
        return f"snapshots of the volumes of about {claim_count} claims are made in the cluster and stay in its storage"
    if reason.is_warning:
        results.add_warning(reason.sentence(claim_count))
    return reason.sentence(claim_count)


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
