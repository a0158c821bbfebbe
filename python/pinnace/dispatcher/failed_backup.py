"""What is done in the bucket for a backup whose Job can't: was it committed? Clear it, and keep the last lines."""

import gzip
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pinnace.dispatcher.locations import Locations
from pinnace.errors import KubeError, PinnaceError
from pinnace.kube.client import Client
from pinnace.kube.kinds import PODS
from pinnace.store.backup_store import BackupStore
from pinnace.velero.log_line import log_line

__all__ = ["FailedBackup"]

_LOG_LINES = 1000
_LOG_BYTES = 1 << 20
_log = logging.getLogger(__name__)


class FailedBackup:
    """The bucket's side of a Backup that its Job did not bring to an end."""

    def __init__(self, client: Client, *, namespace: str, locations: Locations) -> None:
        self._client = client
        self._namespace = namespace
        self._locations = locations

    def committed_status(self, backup: Mapping[str, Any]) -> dict[str, Any] | None:
        """The status in the bucket if this very Backup was committed, else None; StoreError, LocationError."""
        return self._store(backup).committed_status(uid=str(backup["metadata"]["uid"]))

    def clear(self, backup: Mapping[str, Any], *, pod_name: str = "", reason: str = "") -> None:
        """Abort its uploads and remove its objects; with a reason, leave a log if the Job could not.

        The log is what the pod printed last, if it still can be read, and the reason as the last line.

        A bucket that can't be reached must not keep the Backup from its phase: a later run of the name, or
        `pinnace backup cleanup`, clears it.
        """
        try:
            store = self._store(backup)
            store.discard(keep_log=True)
            if reason and not store.has_log():
                lines = self._last_lines(pod_name) if pod_name else b""
                store.put(store.keys.log, gzip.compress(lines + self._last_line(backup, reason), mtime=0))
        except PinnaceError as error:
            _log.warning("backup %s: its location can't be cleared: %s", backup["metadata"]["name"], error)

    def _last_line(self, backup: Mapping[str, Any], reason: str) -> bytes:
        name = f"{self._namespace}/{backup['metadata']['name']}"
        return log_line(datetime.now(UTC), "error", "backup failed", {"backup": name, "error": reason}).encode()

    def _last_lines(self, pod_name: str) -> bytes:
        path = f"{PODS.path(namespace=self._namespace, name=pod_name)}/log"
        query = {"tailLines": str(_LOG_LINES), "limitBytes": str(_LOG_BYTES)}
        try:
            with self._client.open(path, query, accept="*/*") as response:
                return response.read()
        except KubeError as error:
            return f"pinnace: the log of pod {pod_name} can't be read: {error}\n".encode()

    def _store(self, backup: Mapping[str, Any]) -> BackupStore:
        location = str((backup.get("spec") or {}).get("storageLocation") or "")
        return BackupStore(self._locations.open(location), str(backup["metadata"]["name"]))
