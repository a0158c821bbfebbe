"""A Schedule, its Backups and as much of the API server as the controller asks, which may end it at a write."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pinnace.dispatcher.schedule_controller import ScheduleController
from pinnace.dispatcher.upkeep_metrics import UpkeepMetrics
from pinnace.errors import KubeError
from pinnace.kube.events import EventRecorder

__all__ = ["Api", "Killed", "dispatcher"]


class Killed(BaseException):
    """The dispatcher's process is gone."""


class Api:
    """One Schedule and its Backups, as copies and as the API server's; it kills the dispatcher after so many writes."""

    def __init__(self, *, killed_after: int = -1, created: str = "2026-01-01T12:00:00Z", **spec: Any) -> None:
        metadata = {"name": "nightly", "namespace": "velero", "uid": "u-1", "resourceVersion": "0"}
        metadata |= {"creationTimestamp": created}
        self.schedule: dict[str, Any] = {
            "metadata": metadata, "spec": {"schedule": "0 2 * * *", "template": {}, **spec}, "status": {},
        }  # fmt: skip
        self.backups: dict[str, Any] = {}
        self.events: list[tuple[str, str]] = []
        self.refusal: int = 0
        self.begun: list[str] = []
        self.synced = True
        self._killed_after = killed_after

    def list(self) -> list[dict[str, Any]]:
        return list(self.backups.values())

    def get(self, path: str, *_: Any, **__: Any) -> Any:
        """The copy of the Schedule, or a Backup of the API server."""
        return self.schedule if path == "nightly" else self.backups[path.rsplit("/", maxsplit=1)[-1]]

    def send(self, method: str, path: str, *, body: Any, **_: Any) -> Any:
        if path.endswith("/events"):
            self.events.append((body["reason"], body["message"]))
            return {}
        if method == "POST":
            self._create(path, body)
        else:
            self._patch(body)
        self._killed_after -= 1
        if self._killed_after == 0:
            raise Killed
        return {}

    def _create(self, path: str, body: Any) -> None:
        name = body["metadata"]["name"]
        if self.refusal or name in self.backups:
            raise KubeError(request=f"POST {path}", status=self.refusal or 409, reason="no")
        self.backups[name] = {**body, "status": {"phase": "New"}}

    def _patch(self, body: Any) -> None:
        metadata = self.schedule["metadata"]
        if body["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise KubeError(request="PATCH", status=409, reason="it was changed")
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        self.schedule["spec"] |= body.get("spec") or {}
        self.schedule["status"] |= body.get("status") or {}


def dispatcher(api: Api, clock: Any, monkeypatch: pytest.MonkeyPatch) -> ScheduleController:
    client: Any = api
    made = ScheduleController(
        client,
        namespace="velero",
        backups=api,
        skip_immediately=False,
        metrics=UpkeepMetrics(CollectorRegistry()),
        begin_series=api.begun.append,
        events=EventRecorder(client, namespace="velero", component="test"),
        clock=clock,
    )
    monkeypatch.setattr(made, "_schedules", api)
    return made
