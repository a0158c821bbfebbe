"""Puts together what a run does with volumes, and ends it: kept where the backup is there, removed where it is not."""

import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pinnace.actions.registry import Factory
from pinnace.backup.additional_items import AdditionalItems
from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.claim_snapshots import ClaimSnapshots
from pinnace.backup.log import VeleroLog
from pinnace.backup.snapshot_watch import CLAIMS, SnapshotTimeouts
from pinnace.backup.untaken_snapshots import Untaken, untaken
from pinnace.backup.volume_station import VolumeStation
from pinnace.errors import KubeError
from pinnace.kube.client import Client
from pinnace.velero.backup import Backup
from pinnace.velero.duration import parse_duration
from pinnace.velero.results import Results
from pinnace.velero.timestamps import timestamp
from pinnace.volumes import csi_actions
from pinnace.volumes.csi_snapshots import CsiSnapshots
from pinnace.volumes.locations import VolumeLocations
from pinnace.volumes.native import NativeSnapshots
from pinnace.volumes.outcome import VolumeOutcome

if TYPE_CHECKING:
    from pinnace.backup.prepare import Prepared
    from pinnace.backup.run import RunOptions

__all__ = ["RunVolumes", "run_volumes"]

_log = logging.getLogger(__name__)


class RunVolumes:
    """The station of a run's volumes, the actions on what it makes, and what comes of it."""

    def __init__(
        self,
        station: VolumeStation,
        outcome: VolumeOutcome,
        *,
        actions: tuple[Factory, ...],
        claims: ClaimSnapshots | None,
        native: NativeSnapshots,
        tell_untaken: Callable[[], None],
    ) -> None:
        self.station = station
        self.outcome = outcome
        self.actions = actions
        self.tell_untaken = tell_untaken
        self._claims = claims
        self._native = native

    def keep(self) -> None:
        """Before the backup becomes visible: snapshots by CSI outlive the objects that stand for them here."""
        if self._claims is not None:
            self._claims.keep()

    def release(self) -> None:
        """After that: remove those objects; one that stays does no harm, and is told to who runs pinnace."""
        if self._claims is None:
            return
        sentences = self._claims.release()
        try:
            self._claims.discard_leftovers()
        except KubeError as error:
            sentences.append(str(error))
        for sentence in sentences:
            _log.warning("the backup is whole, but an object of it stays in the cluster: %s", sentence)

    def discard(self, error: BaseException) -> None:
        """Remove every snapshot, because the backup failed; what stays is noted on the error."""
        sentences = self._native.discard_all()
        if self._claims is not None:
            sentences += self._claims.discard()
        for sentence in sentences:
            error.add_note(f"and a snapshot stays, which nothing refers to: {sentence}")


@contextmanager
def run_volumes(
    prepared: "Prepared",
    *,
    backup: Backup,
    client: Client,
    sink: ArchiveSink,
    additional: AdditionalItems,
    results: Results,
    log: VeleroLog,
    clock: Callable[[], datetime],
    options: "RunOptions | None",
    is_hooked: Callable[[Mapping[str, Any]], bool],
) -> Iterator[RunVolumes]:
    """Make everything for one run; leaving it ends what it made."""
    outcome = VolumeOutcome()
    takes_snapshots = backup.spec.others.get("snapshotVolumes") is not False
    takes_csi_snapshots = options is None or options.takes_csi_snapshots
    names = [str(name) for name in backup.spec.others.get("volumeSnapshotLocations") or ()] if takes_snapshots else []
    credentials_file = options.credentials_file if options else None
    locations = VolumeLocations(client, namespace=backup.namespace, credentials_file=credentials_file)
    try:
        native = NativeSnapshots(backup, locations.open_all(names, results), now=lambda: timestamp(clock()))
        claims: ClaimSnapshots | None = None
        actions: tuple[Factory, ...] = ()
        serves = all(kind in prepared.resources for kind in (csi_actions.SNAPSHOTS, csi_actions.CONTENTS))
        reason = untaken(
            backup.spec,
            serves_csi_snapshots=serves,
            takes_csi_snapshots=takes_csi_snapshots,
            has_locations=bool(native),
            refused=options.no_snapshots_because if options else "",
        )
        if takes_snapshots and takes_csi_snapshots and serves:
            log.info(message="Volumes of claims are snapshotted by VolumeSnapshots, which are in the cluster meanwhile")
            snapshots = CsiSnapshots(client, backup)
            claims = ClaimSnapshots(
                backup,
                snapshots,
                outcome,
                archive=sink,
                additional=additional,
                results=results,
                timeouts=_timeouts(backup),
                clock=clock,
            )
            actions = _actions(snapshots, outcome)
            if backup.uid and (count := claims.discard_leftovers()):
                log.info(message=f"Removed {count} VolumeSnapshots of an unfinished run")
        station = VolumeStation(
            policies=prepared.policies,
            claims=claims,
            native=native,
            outcome=outcome,
            additional=additional,
            takes_snapshots=takes_snapshots,
            takes_claims=prepared.resource_filter.includes(CLAIMS, namespaced=True),
            is_hooked=is_hooked,
        )
        volumes = RunVolumes(
            station,
            outcome,
            actions=actions,
            claims=claims,
            native=native,
            tell_untaken=functools.partial(_tell_untaken, reason, sink=sink, results=results, log=log),
        )
        try:
            yield volumes
        except BaseException as error:
            volumes.discard(error)
            raise
        volumes.release()
    finally:
        locations.close()


def _tell_untaken(reason: Untaken | None, *, sink: ArchiveSink, results: Results, log: VeleroLog) -> None:
    """After the last claim: say of how many the volumes have no snapshot."""
    count = sum(count for resource, count in sink.kind_counts.items() if resource.group_resource == CLAIMS)
    if reason is None or not count:
        return
    if reason.is_warning:
        results.add_warning(reason.sentence(count))
    else:
        log.info(message=reason.sentence(count))


def _actions(snapshots: CsiSnapshots, outcome: VolumeOutcome) -> tuple[Factory, ...]:
    return (
        lambda _: csi_actions.VolumeSnapshotAction(snapshots, outcome),
        lambda _: csi_actions.VolumeSnapshotContentAction(outcome),
    )


def _timeouts(backup: Backup) -> SnapshotTimeouts:
    defaults = SnapshotTimeouts()

    def seconds(name: str) -> float:
        return parse_duration(str(backup.spec.others.get(name) or "0s"), field=f"spec.{name}")

    return SnapshotTimeouts(
        taken_seconds=seconds("csiSnapshotTimeout") or defaults.taken_seconds,
        ready_seconds=seconds("itemOperationTimeout") or defaults.ready_seconds,
    )
