"""What a pod of a Job stands in, as its manifest gave it: its Backup, its credentials, its store, its last words."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinnace.dispatcher import termination
from pinnace.dispatcher.job import CREDENTIALS_FOLDER
from pinnace.dispatcher.locations import ca_certificate
from pinnace.errors import KubeError, LocationError, PinnaceError, StoreUnavailableError
from pinnace.kube.client import Client
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, SECRETS
from pinnace.kube.objects import Objects
from pinnace.store.backup_store import BackupStore
from pinnace.store.location import open_location

__all__ = ["JobSurroundings", "is_passing", "reason_of"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobSurroundings:
    """`attempt_id` is the pod's uid, `credentials_file` the mounted Secret, if any.

    `termination_log` is the file from which the kubelet takes the last words.
    """

    namespace: str
    backup_name: str
    backup_uid: str
    attempt_id: str
    termination_log: Path
    credentials_file: Path = Path(CREDENTIALS_FOLDER, "cloud")

    @property
    def credentials(self) -> Path | None:
        """The mounted Secret; None where the pod's own identity is used."""
        return self.credentials_file if self.credentials_file.exists() else None

    def open_store(self, client: Client, backup: Mapping[str, Any]) -> BackupStore:
        """Open the place of the Backup in its location; LocationError, KubeError."""
        name = str(backup["spec"].get("storageLocation") or "")
        location = Objects(client, BACKUP_STORAGE_LOCATIONS, namespace=self.namespace).get(name)
        if location is None:
            raise LocationError(location_name=name, reason="it does not exist")
        ca_cert = ca_certificate(location, Objects(client, SECRETS, namespace=self.namespace))
        store = open_location(location, credentials_file=self.credentials, ca_cert=ca_cert)
        return BackupStore(store, self.backup_name)

    def say(self, ended: termination.Termination) -> None:
        """Leave the last words; one whose file can't be written goes without."""
        try:
            self.termination_log.write_text(termination.write(ended))
        except OSError as error:
            _log.warning("the termination message can't be written: %s", error)


def is_passing(error: PinnaceError) -> bool:
    """Tell whether a later attempt may find mended what ended this one."""
    if isinstance(error, KubeError):
        return error.status in (0, 429, 500, 502, 503, 504)
    return isinstance(error, StoreUnavailableError)


def reason_of(error: PinnaceError) -> str:
    """The sentence of an error, with what was noted on its way."""
    return "; ".join([str(error), *getattr(error, "__notes__", ())])
