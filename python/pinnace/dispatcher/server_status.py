"""The ServerStatusRequest controller: says which server this is and what it can do, and forgets a minute later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import metadata
from typing import Any

from pinnace.actions.registry import registered_names
from pinnace.dispatcher.controllers import QueueController
from pinnace.kube.client import Client
from pinnace.kube.kinds import SERVER_STATUS_REQUESTS
from pinnace.kube.objects import Objects
from pinnace.velero.phase import phase_of
from pinnace.velero.timestamps import timestamp

__all__ = ["Answer", "Remove", "ServerStatusController", "Wait", "plugins", "server_status_step", "server_version"]

_VELERO_VERSION = "v1.18.1"
"""Whose API this is: the CLI compares it with its own and advises an update where they differ."""

_KEPT_SECONDS = 60.0

_OBJECT_STORE = ("ObjectStore", "velero.io/aws")


@dataclass(frozen=True)
class Answer:
    """Write version and plugins."""


@dataclass(frozen=True)
class Remove:
    """Delete it: a minute is over."""


@dataclass(frozen=True)
class Wait:
    """Its minute ends in so many seconds."""

    seconds: float


def server_version(pinnace_version: str) -> str:
    """The API's version with ours as its build, `v1.18.1+pinnace.0.1.0`: which of the two a client minds it can see."""
    return f"{_VELERO_VERSION}+pinnace.{pinnace_version}"


def plugins() -> list[dict[str, str]]:
    """What there is, in Velero's words: the actions that Jobs run, and the object store."""
    actions = [("BackupItemAction", name) for name in registered_names()]
    return [{"kind": kind, "name": name} for kind, name in (*actions, _OBJECT_STORE)]


def server_status_step(request: Mapping[str, Any], *, now: datetime) -> Answer | Remove | Wait:
    """Decide."""
    if phase_of(request) != "Processed":
        return Answer()
    processed = (request.get("status") or {}).get("processedTimestamp") or request["metadata"]["creationTimestamp"]
    left = (datetime.fromisoformat(str(processed)) + timedelta(seconds=_KEPT_SECONDS) - now).total_seconds()
    return Wait(left) if left > 0 else Remove()


class ServerStatusController(QueueController):
    """Answers `velero version` and `velero plugin get`."""

    def __init__(self, client: Client, *, namespace: str, clock: Callable[[], datetime]) -> None:
        super().__init__("server status request")
        self._requests = Objects(client, SERVER_STATUS_REQUESTS, namespace=namespace)
        self._namespace = namespace
        self._clock = clock
        self._version = server_version(metadata.version("pinnace"))
        self._copies = self.watch(client, SERVER_STATUS_REQUESTS, namespace=namespace)

    def reconcile(self, name: str) -> float | None:
        """Answer, remove, or wait."""
        request = self._copies.get(name, namespace=self._namespace)
        if request is None:
            return None
        match server_status_step(request, now=self._clock()):
            case Wait(seconds):
                return seconds
            case Remove():
                self._requests.delete(name, uid=request["metadata"]["uid"])
            case Answer():
                status = {
                    "phase": "Processed",
                    "processedTimestamp": timestamp(self._clock()),
                    "serverVersion": self._version,
                    "plugins": plugins(),
                }
                self._requests.merge_patch(name, {"status": status})
        return None
