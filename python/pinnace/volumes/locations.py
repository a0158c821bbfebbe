"""VolumeSnapshotLocations, read with their Secrets and opened by their snapshotters."""

import base64
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from pinnace.errors import KubeError, VolumeError
from pinnace.kube.client import Client
from pinnace.kube.kinds import SECRETS, VOLUME_SNAPSHOT_LOCATIONS
from pinnace.kube.objects import Objects
from pinnace.velero.results import Results
from pinnace.volumes.registry import load_snapshotter
from pinnace.volumes.snapshotter import SnapshotterConfig, VolumeSnapshotter

__all__ = ["VolumeLocations"]

_DEFAULT_KEY = "cloud"


class VolumeLocations:
    """Opens those of a namespace; the files with their credentials are there until it is closed.

    `credentials_file` is that of the bucket, which a location without a credential of its own uses too, as in Velero.
    """

    def __init__(self, client: Client, *, namespace: str, credentials_file: Path | None = None) -> None:
        self._locations = Objects(client, VOLUME_SNAPSHOT_LOCATIONS, namespace=namespace)
        self._secrets = Objects(client, SECRETS, namespace=namespace)
        self._credentials_file = credentials_file
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the credentials."""
        self.close()

    def open_all(self, names: Iterable[str], results: Results) -> list[tuple[str, VolumeSnapshotter]]:
        """Give name and snapshotter in that order; one that can't be used is an error in the results."""
        opened = []
        for name in names:
            try:
                opened.append((name, self.open(name)))
            except (KubeError, VolumeError) as error:
                results.add_error("Error getting volume snapshotter for volume snapshot location", error=str(error))
        return opened

    def open(self, name: str) -> VolumeSnapshotter:
        """Open one; VolumeError where it is not there or can't be used, KubeError."""
        location = self._locations.get(name)
        if location is None:
            raise VolumeError(
                reason=f"VolumeSnapshotLocation {name} does not exist", fix="create it, or correct its name"
            )
        spec = location.get("spec") or {}
        config = SnapshotterConfig(
            name, spec.get("config") or {}, self._credentials(name, spec.get("credential") or {})
        )
        return load_snapshotter(str(spec.get("provider") or ""), config)

    def close(self) -> None:
        """Remove the credentials."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _credentials(self, name: str, reference: Mapping[str, Any]) -> Path | None:
        """Write the value of the Secret that a location names into a file, since botocore reads no other thing."""
        secret_name, key = str(reference.get("name") or ""), str(reference.get("key") or _DEFAULT_KEY)
        if not secret_name:
            return self._credentials_file
        value = ((self._secrets.get(secret_name) or {}).get("data") or {}).get(key)
        if value is None:
            reason = f"VolumeSnapshotLocation {name}: there is no key {key} in a Secret {secret_name}"
            raise VolumeError(reason=reason, fix="create it, or correct spec.credential")
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="pinnace-credentials-")
        file = Path(self._folder.name, f"{secret_name}.{key}")
        file.touch(mode=0o600)
        file.write_bytes(base64.b64decode(value))
        return file
