"""BackupStorageLocations: their documents, the Secrets they name, and the stores behind them."""

import base64
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pinnace.dispatcher.job import StoreAccess
from pinnace.errors import LocationError
from pinnace.kube.client import Client
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, SECRETS
from pinnace.kube.objects import Objects
from pinnace.store.location import open_location
from pinnace.store.object_store import ObjectStore

__all__ = ["Locations", "ca_certificate"]

_DEFAULT_SECRET = "cloud-credentials"  # noqa: S105 - a name
_DEFAULT_KEY = "cloud"
"""What Velero mounts for locations that name no credential."""


class Locations:
    """The locations of one namespace; stores stay open until location or Secret change, which counts at once.

    Each client of its own would cost tens of megabytes and a tenth of a second: botocore reads S3's model anew.
    """

    def __init__(self, client: Client, *, namespace: str) -> None:
        self._locations = Objects(client, BACKUP_STORAGE_LOCATIONS, namespace=namespace)
        self._secrets = Objects(client, SECRETS, namespace=namespace)
        # botocore reads credentials from files only; these hold what the Secrets held when they were last asked for.
        self._folder = tempfile.TemporaryDirectory(prefix="pinnace-credentials-")
        self._opened: dict[str, tuple[str, ObjectStore]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the credentials' files at once; a process that ends does it, too."""
        self._folder.cleanup()

    def documents(self) -> list[dict[str, Any]]:
        """All of them; a namespace has a few."""
        documents = self._locations.list()
        names = {document["metadata"]["name"] for document in documents}
        with self._lock:
            self._opened = {name: opened for name, opened in self._opened.items() if name in names}
        return documents

    def patch(self, location: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        """Change the given fields."""
        self._locations.merge_patch(location["metadata"]["name"], patch)

    def open(self, name: str) -> ObjectStore:
        """Open the store of a location; LocationError where it or its Secret is missing, UsageError for its options."""
        document = self._locations.get(name)
        if document is None:
            raise LocationError(location_name=name, reason="it does not exist")
        return self.open_document(document)

    def open_document(self, document: Mapping[str, Any]) -> ObjectStore:
        """Open the store of a location that was read already."""
        name = str(document["metadata"]["name"])
        access = self._access(document)
        file, credentials = self._file(access), b""
        if file is not None:
            credentials = _secret_value(self._secrets, access, location_name=name)
        ca_cert = ca_certificate(document, self._secrets)
        made_of = _digest(
            json.dumps(document.get("spec"), sort_keys=True).encode(), str(file).encode(), credentials, ca_cert
        )
        with self._lock:
            known, store = self._opened.get(name, ("", None))
            if store is None or known != made_of:
                if file is not None:
                    self._write(file, credentials)
                store = open_location(document, credentials_file=file, ca_cert=ca_cert)
                self._opened[name] = (made_of, store)
            return store

    def credentials_file(self, name: str) -> Path | None:
        """Give the file with the credentials of a location whose store was opened; None where it names none."""
        return self._file(self.access(name))

    def _file(self, access: StoreAccess) -> Path | None:
        return Path(self._folder.name, f"{access.secret_name}.{access.secret_key}") if access.secret_name else None

    def _write(self, file: Path, credentials: bytes) -> None:
        """Replace the file at once: another controller's thread may be reading it."""
        descriptor, hidden = tempfile.mkstemp(dir=self._folder.name)  # for nobody else to read
        with os.fdopen(descriptor, "wb") as output:
            output.write(credentials)
        Path(hidden).rename(file)

    def access(self, name: str) -> StoreAccess:
        """Say what the Job mounts for a location."""
        document = self._locations.get(name)
        if document is None:
            raise LocationError(location_name=name, reason="it does not exist")
        return self._access(document)

    def _access(self, document: Mapping[str, Any]) -> StoreAccess:
        credential = (document.get("spec") or {}).get("credential") or {}
        if credential.get("name"):
            return StoreAccess(str(credential["name"]), str(credential.get("key") or _DEFAULT_KEY))
        if self._secrets.get(_DEFAULT_SECRET) is not None:
            return StoreAccess(_DEFAULT_SECRET, _DEFAULT_KEY)
        return StoreAccess()


def _digest(*parts: bytes) -> str:
    """What tells contents apart without keeping them."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def ca_certificate(location: Mapping[str, Any], secrets: Objects) -> bytes:
    """Read the PEM that a location's `caCertRef` names, b"" if it names none; LocationError where that is missing."""
    reference = ((location.get("spec") or {}).get("objectStorage") or {}).get("caCertRef") or {}
    if not reference.get("name"):
        return b""
    access = StoreAccess(str(reference["name"]), str(reference.get("key") or ""))
    return _secret_value(secrets, access, location_name=str(location["metadata"]["name"]))


def _secret_value(secrets: Objects, access: StoreAccess, *, location_name: str) -> bytes:
    secret = secrets.get(access.secret_name)
    value = ((secret or {}).get("data") or {}).get(access.secret_key)
    if value is None:
        what = "does not exist" if secret is None else f"has no key {access.secret_key}"
        raise LocationError(location_name=location_name, reason=f"Secret {access.secret_name} {what}")
    return base64.b64decode(value)
