"""The deletion of one backup by dispatchers that have just started, or that die after each of their writes."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import generate_latest

from integration.dispatcher_process import Stage, phase
from pinnace.dispatcher.deletion_acts import DeletionActs
from pinnace.dispatcher.deletion_controller import DeletionController
from pinnace.dispatcher.deletion_step import ASKED_ANNOTATION
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.metrics import Metrics
from pinnace.dispatcher.snapshot_removal import SnapshotRemoval
from pinnace.kube.client import Client
from pinnace.kube.events import EventRecorder
from pinnace.kube.kinds import BACKUPS, DELETE_BACKUP_REQUESTS
from pinnace.kube.objects import Objects
from pinnace.store.backup_store import BackupStore
from pinnace.store.s3 import S3Store

__all__ = ["Deletion"]

_SECONDS = 60.0


class Killed(BaseException):
    """The dispatcher dies."""


@dataclass
class KilledClient(Client):
    """Dies after every write that it has not done before; `writes` outlives it."""

    client: Client
    writes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.client.api_client)

    def send(self, method: str, path: str, **keywords: Any) -> Any:
        answer = super().send(method, path, **keywords)
        write = json.dumps([method, path, keywords], sort_keys=True, default=str)
        if write not in self.writes and "/events" not in path:
            self.writes.append(write)
            raise Killed
        return answer


@dataclass
class Deletion:
    """One backup in a prefix of its own, and the request for its deletion."""

    stage: Stage
    client: Client
    stage_store: S3Store
    store: BackupStore
    name: str
    passed: timedelta = timedelta(0)
    metrics: Metrics = field(default_factory=Metrics)

    def controller(self, client: Client | None = None) -> DeletionController:
        """As a dispatcher that has just started."""
        used = client or self.client
        locations = Locations(used, namespace=self.stage.namespace)
        snapshots = SnapshotRemoval(used, namespace=self.stage.namespace, locations=locations)

        def clock() -> datetime:
            return datetime.now(UTC) + self.passed

        acts = DeletionActs(
            used, namespace=self.stage.namespace, locations=locations, snapshots=snapshots, metrics=self.metrics,
            events=EventRecorder(used, namespace=self.stage.namespace, component="pinnace-dispatcher"), clock=clock,
        )  # fmt: skip
        return DeletionController(
            used, acts, namespace=self.stage.namespace, locations=locations, snapshots=snapshots, clock=clock
        )

    def ask(self, request: str = "") -> None:
        metadata = {"name": request or self.name, "namespace": self.stage.namespace}
        document = {"apiVersion": "velero.io/v1", "kind": "DeleteBackupRequest", "metadata": metadata}
        assert self.requests.create({**document, "spec": {"backupName": self.name}})

    @property
    def requests(self) -> Objects:
        return self.stage.objects(DELETE_BACKUP_REQUESTS)

    def walk(self, request: str = "", *, until: Callable[[], bool] = lambda: False) -> list[str]:
        """Do all steps, each by a new dispatcher; the errors of the request, [] once it is gone."""
        name, deadline = request or self.name, time.monotonic() + _SECONDS
        while not until():
            assert time.monotonic() < deadline, self.requests.get(name)
            pause = self.controller().reconcile(name)
            if pause is None:
                return []
            found = self.requests.get(name)
            if found is not None and phase(found) == "Processed":
                errors: list[str] = found["status"]["errors"]
                return errors
            time.sleep(0.05 if pause else 0)
        return []

    def walk_killed_after_each_write(self) -> list[str]:
        """The same, by dispatchers that die after each write; what was written, once each."""
        writes: list[str] = []
        deadline = time.monotonic() + _SECONDS
        while True:
            assert time.monotonic() < deadline, writes
            try:
                pause = self.controller(KilledClient(self.client, writes)).reconcile(self.name)
            except Killed:
                continue
            if pause is None:
                return writes
            time.sleep(0.05 if pause else 0)

    def waits(self, request: str) -> bool:
        """Whether all drivers were asked."""
        found = self.requests.get(request) or {"metadata": {}}
        return ASKED_ANNOTATION in (found["metadata"].get("annotations") or {})

    def metric_lines(self) -> list[str]:
        return generate_latest(self.metrics.registry).decode().splitlines()

    def is_gone(self) -> bool:
        """Backup, request and every object of the bucket."""
        return (self.stage.objects(BACKUPS).get(self.name), self.store.has_objects()) == (None, False)
