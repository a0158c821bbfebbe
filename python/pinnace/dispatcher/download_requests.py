"""The DownloadRequest controller: answers each with a URL that is good for ten minutes, and removes it after that."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pinnace.dispatcher.controllers import QueueController
from pinnace.dispatcher.locations import Locations
from pinnace.errors import DownloadRefusedError, LocationError, StoreError, StoreUnavailableError, UsageError
from pinnace.kube.client import Client
from pinnace.kube.events import EventRecorder
from pinnace.kube.kinds import BACKUPS, DOWNLOAD_REQUESTS, RESTORES
from pinnace.kube.objects import Objects
from pinnace.velero.download_target import RESTORE_TARGETS, TARGETS, target_key
from pinnace.velero.phase import phase_of
from pinnace.velero.timestamps import timestamp

__all__ = ["DownloadRequestController", "Remove", "Sign", "Wait", "download_step"]

_URL_SECONDS = 600
"""As Velero: how long a URL is good, and how long a request without an answer is tried."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sign:
    """Write the URL."""


@dataclass(frozen=True)
class Remove:
    """Delete the request: its URL is good no more, or none was found in that time."""


@dataclass(frozen=True)
class Wait:
    """It is answered; it expires in so many seconds."""

    seconds: float


def download_step(request: Mapping[str, Any], *, now: datetime) -> Sign | Remove | Wait:
    """Decide; a request that can't be answered is tried for as long as a URL would be good."""
    status = request.get("status") or {}
    created = datetime.fromisoformat(str(request["metadata"]["creationTimestamp"]))
    expiration = status.get("expiration")
    ends = datetime.fromisoformat(str(expiration)) if expiration else created + timedelta(seconds=_URL_SECONDS)
    if ends <= now:
        return Remove()
    return Wait((ends - now).total_seconds()) if phase_of(request) == "Processed" else Sign()


class DownloadRequestController(QueueController):
    """A request says nothing of what is wrong with it: that stands in its Events, and the CLI gives up by itself."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        locations: Locations,
        events: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__("download request")
        self._requests = Objects(client, DOWNLOAD_REQUESTS, namespace=namespace)
        self._backups = Objects(client, BACKUPS, namespace=namespace)
        self._restores = Objects(client, RESTORES, namespace=namespace)
        self._locations = locations
        self._events = events.about("velero.io/v1", "DownloadRequest")
        self._clock = clock
        self._namespace = namespace
        self._copies = self.watch(client, DOWNLOAD_REQUESTS, namespace=namespace)

    def reconcile(self, name: str) -> float | None:
        """Sign, remove, or wait for the end of a URL's time."""
        request = self._copies.get(name, namespace=self._namespace)
        if request is None:
            return None
        match download_step(request, now=self._clock()):
            case Wait(seconds):
                return seconds
            case Remove():
                self._requests.delete(name, uid=request["metadata"]["uid"])
            case Sign():
                self._answer(request)
        return None

    def _answer(self, request: Mapping[str, Any]) -> None:
        try:
            url = self._url(request)
        except (DownloadRefusedError, LocationError, StoreError, UsageError) as error:
            if not isinstance(error, StoreUnavailableError):
                self._events.warn(request, "NoURL", str(error))
            raise
        expiration = timestamp(self._clock() + timedelta(seconds=_URL_SECONDS))
        status = {"phase": "Processed", "downloadURL": url, "expiration": expiration}
        self._requests.merge_patch(request["metadata"]["name"], {"status": status})

    def _url(self, request: Mapping[str, Any]) -> str:
        request_name, target = str(request["metadata"]["name"]), request["spec"]["target"]
        kind, name = str(target["kind"]), str(target["name"])
        if kind not in TARGETS:
            raise DownloadRefusedError(request_name=request_name, reason=f"{kind} is no kind of download")
        backup_name = name
        if kind in RESTORE_TARGETS:
            restore = self._restores.get(name)
            if restore is None:
                raise DownloadRefusedError(request_name=request_name, reason=f"Restore {name} does not exist")
            backup_name = str((restore.get("spec") or {}).get("backupName") or "")
        backup = self._backups.get(backup_name)
        if backup is None:
            raise DownloadRefusedError(request_name=request_name, reason=f"Backup {backup_name} does not exist")
        location = str((backup.get("spec") or {}).get("storageLocation") or "")
        return self._locations.open(location).presigned_get(target_key(kind, name), expires_seconds=_URL_SECONDS)
