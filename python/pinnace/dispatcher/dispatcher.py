"""The dispatcher's process: wires the controllers, leads by a Lease, and says whether it lives."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pinnace.dispatcher import health
from pinnace.dispatcher.backup_sync import BackupSync
from pinnace.dispatcher.controller import BackupController
from pinnace.dispatcher.controllers import Controller, Copies
from pinnace.dispatcher.deletion_acts import DeletionActs
from pinnace.dispatcher.deletion_controller import DeletionController
from pinnace.dispatcher.download_requests import DownloadRequestController
from pinnace.dispatcher.garbage_collector import GarbageCollector
from pinnace.dispatcher.installed_crd import read_installed_crd
from pinnace.dispatcher.job import JobSettings
from pinnace.dispatcher.location_controller import LocationController
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.metrics import Metrics
from pinnace.dispatcher.requests import Requests
from pinnace.dispatcher.schedule_controller import ScheduleController
from pinnace.dispatcher.server_status import ServerStatusController
from pinnace.dispatcher.snapshot_removal import SnapshotRemoval
from pinnace.dispatcher.steps import Steps
from pinnace.dispatcher.upkeep_metrics import UpkeepMetrics
from pinnace.errors import InstalledCrdError, KubeError, LeaseLostError
from pinnace.kube.client import Client
from pinnace.kube.events import EventRecorder
from pinnace.kube.leader_election import Candidate, lead
from pinnace.velero.installed_crd import known_phases
from pinnace.velero.server_defaults import ServerDefaults

__all__ = ["Dispatcher", "DispatcherSettings", "UpkeepSettings"]

_LEASE_NAME = "pinnace-dispatcher"
_COMPONENT = "pinnace-dispatcher"
_CRD_LOOK_SECONDS = 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UpkeepSettings:
    """How backups come and go by themselves, with Velero's defaults; the guard is ours."""

    backup_sync_period_seconds: float = 60.0
    garbage_collection_seconds: float = 3600.0
    schedule_skip_immediately: bool = False
    retention_guard: bool = True


@dataclass(frozen=True)
class DispatcherSettings:
    """What an operator decides once; `identity` is the pod's name, ports are TCP, 0 takes a free one."""

    job: JobSettings
    identity: str
    concurrent_backups: int = 1
    defaults: ServerDefaults = field(default_factory=ServerDefaults)
    upkeep: UpkeepSettings = field(default_factory=UpkeepSettings)
    leader_election: bool = True
    health_port: int = 8081
    metrics_port: int = 8085


class Dispatcher:
    """One replica; of several, one leads and the others wait."""

    def __init__(
        self,
        client: Client,
        settings: DispatcherSettings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self.metrics = Metrics()
        self._upkeep_metrics = UpkeepMetrics(self.metrics.registry)
        self._stopping = threading.Event()
        self._waits_for_crd = False
        self._controllers: list[Controller] = []

    def run(self) -> None:
        """Work until a signal ends it as an exception; LeaseLostError where another one may lead now."""
        settings = self._settings
        servers = [
            health.serve(port=port, registry=self.metrics.registry, is_alive=self._is_alive, is_ready=self._is_ready)
            for port in (settings.health_port, settings.metrics_port)
        ]
        try:
            if not settings.leader_election:
                self._work()
                return
            candidate = Candidate(settings.job.namespace, _LEASE_NAME, settings.identity)
            lead(self._client, candidate, run=self._work, on_lost=self._stopping.set)
            raise LeaseLostError(namespace=settings.job.namespace, lease_name=_LEASE_NAME)
        finally:
            self._stop()
            for server in servers:
                server.shutdown()

    def _work(self) -> None:
        """Start the controllers and stay, since the library takes the end of this call for the end of the work."""
        settings = self._settings
        crd = self._installed_crd()
        if crd is None:
            return
        _log.info("leading as %s in namespace %s", settings.identity, settings.job.namespace)
        for controller in self._made_controllers(crd):
            controller.start()
            self._controllers.append(controller)
        self._stopping.wait()

    def _made_controllers(self, crd: Mapping[str, Any]) -> Sequence[Controller]:
        """In the order in which they start."""
        settings, namespace = self._settings, self._settings.job.namespace
        locations = Locations(self._client, namespace=namespace)
        events = EventRecorder(self._client, namespace=namespace, component=_COMPONENT, host=settings.identity)
        steps = Steps(
            self._client,
            settings=settings.job,
            requests=Requests(
                self._client,
                namespace=namespace,
                defaults=settings.defaults,
                locations=locations,
                crd=crd,
                clock=self._clock,
            ),
            locations=locations,
            metrics=self.metrics,
            events=events,
            clock=self._clock,
        )
        locations_controller = LocationController(
            locations,
            metrics=self.metrics,
            default_name=settings.defaults.storage_location,
            clock=self._clock,
        )
        backups = BackupController(
            self._client,
            steps,
            namespace=namespace,
            concurrent_backups=settings.concurrent_backups,
            knows_queue="Queued" in (known_phases(crd) or ("Queued",)),
            clock=self._clock,
        )
        return (
            locations_controller,
            backups,
            *self._serving_controllers(locations, events),
            *self._upkeep_controllers(locations, events, backups.copies),
        )

    def _serving_controllers(self, locations: Locations, events: EventRecorder) -> Sequence[Controller]:
        """Those that answer the requests of the `velero` CLI."""
        client, namespace, clock = self._client, self._settings.job.namespace, self._clock
        snapshots = SnapshotRemoval(client, namespace=namespace, locations=locations)
        acts = DeletionActs(
            client,
            namespace=namespace,
            locations=locations,
            snapshots=snapshots,
            metrics=self.metrics,
            events=events,
            clock=clock,
        )
        return (
            DeletionController(
                client, acts, namespace=namespace, locations=locations, snapshots=snapshots, clock=clock
            ),
            DownloadRequestController(client, namespace=namespace, locations=locations, events=events, clock=clock),
            ServerStatusController(client, namespace=namespace, clock=clock),
        )

    def _upkeep_controllers(self, locations: Locations, events: EventRecorder, backups: Copies) -> Sequence[Controller]:
        """Those by which backups come and go without anybody."""
        client, namespace, upkeep = self._client, self._settings.job.namespace, self._settings.upkeep
        metrics, clock = self._upkeep_metrics, self._clock
        schedules = ScheduleController(
            client,
            namespace=namespace,
            backups=backups,
            skip_immediately=upkeep.schedule_skip_immediately,
            metrics=metrics,
            begin_series=self.metrics.begin,
            events=events,
            clock=clock,
        )
        garbage = GarbageCollector(
            client,
            namespace=namespace,
            backups=backups,
            locations=locations,
            frequency_seconds=upkeep.garbage_collection_seconds,
            guard=upkeep.retention_guard,
            metrics=metrics,
            events=events,
            clock=clock,
        )
        sync = BackupSync(
            client,
            namespace=namespace,
            backups=backups,
            locations=locations,
            period_seconds=upkeep.backup_sync_period_seconds,
            metrics=metrics,
            events=events,
            clock=clock,
        )
        return (schedules, garbage, sync)

    def _installed_crd(self) -> Mapping[str, Any] | None:
        """What Backups are here, once it is known: an API server that has just started does not serve it at once.

        None where the dispatcher is to stop before that.
        """
        while not self._stopping.is_set():
            try:
                crd = read_installed_crd(self._client)
            except (InstalledCrdError, KubeError) as error:
                self._waits_for_crd = True
                _log.warning("%s; looked again in %.0f s", error, _CRD_LOOK_SECONDS)
                self._stopping.wait(_CRD_LOOK_SECONDS)
            else:
                self._waits_for_crd = False
                return crd
        return None

    def _stop(self) -> None:
        self._stopping.set()
        for controller in self._controllers:
            controller.stop()

    def _is_alive(self) -> bool:
        return all(controller.alive for controller in self._controllers)

    def _is_ready(self) -> bool:
        return not self._waits_for_crd and all(controller.synced for controller in self._controllers)
