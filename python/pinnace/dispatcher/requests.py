"""Gathers what a Backup's request preparation needs to know, and asks velero.request, which decides."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pinnace.dispatcher.locations import Locations
from pinnace.errors import KubeError, LocationError
from pinnace.kube.client import Client
from pinnace.kube.kinds import CONFIG_MAPS, NAMESPACES, VOLUME_SNAPSHOT_LOCATIONS, VOLUME_SNAPSHOTS
from pinnace.kube.objects import Objects
from pinnace.velero.installed_crd import prune_status
from pinnace.velero.request import PreparedRequest, prepare_backup_request
from pinnace.velero.server_defaults import ServerDefaults
from pinnace.volumes.registry import known_providers

__all__ = ["Requests"]

_NOT_FOUND = 404
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_FIRST_VALIDATION = timedelta(seconds=60)
"""A location and a Backup that come in one `kubectl apply`: the Backup waits for the location's first validation."""


class Requests:
    """Prepares Backups with what the cluster says now."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        defaults: ServerDefaults,
        locations: Locations,
        crd: Mapping[str, Any],
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._defaults = defaults
        self._locations = locations
        self._crd = crd
        self._clock = clock
        self._snapshot_locations = Objects(client, VOLUME_SNAPSHOT_LOCATIONS, namespace=namespace)
        self._config_maps = Objects(client, CONFIG_MAPS, namespace=namespace)
        self._cluster_version: Mapping[str, str] = {}

    def prepare(self, backup: Mapping[str, Any]) -> PreparedRequest:
        """Apply the defaults and collect all validation errors; LocationError while a new location is not validated."""
        locations = self._locations.documents()
        self._wait_for_first_validation(locations)
        self._cluster_version = self._cluster_version or self._client.version()
        return prepare_backup_request(
            backup,
            server_defaults=self._defaults,
            locations=locations,
            snapshot_locations=self._snapshot_locations.list(),
            namespaces=self._namespace_labels(),
            now=self._clock(),
            cluster_version=self._cluster_version,
            snapshot_providers=known_providers(),
            resource_policies=self._resource_policies(backup),
        )

    def serves_csi_snapshots(self) -> bool:
        """Tell whether the cluster has the kinds of CSI snapshots; whoever has logged in may ask."""
        try:
            self._client.get(f"/apis/{VOLUME_SNAPSHOTS.api_version}")
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        return True

    def namespaces(self) -> Iterator[str]:
        """Name all namespaces."""
        return iter(self._namespace_labels())

    def known_status(self, status: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out what the installed CRD does not know."""
        return prune_status(status, document=self._crd)

    def _resource_policies(self, backup: Mapping[str, Any]) -> Mapping[str, Any] | str:
        """Read the ConfigMap that the Backup names, or say why there is none."""
        name = str(((backup.get("spec") or {}).get("resourcePolicy") or {}).get("name") or "")
        if not name:
            return "it has no name"
        return self._config_maps.get(name) or f'configmaps "{name}" not found'

    def _namespace_labels(self) -> dict[str, Mapping[str, str]]:
        items = self._client.get(NAMESPACES.path(), accept=_METADATA_ONLY).get("items") or []
        return {str(item["metadata"]["name"]): item["metadata"].get("labels") or {} for item in items}

    def _wait_for_first_validation(self, locations: list[dict[str, Any]]) -> None:
        for location in locations:
            created = datetime.fromisoformat(str(location["metadata"]["creationTimestamp"]))
            is_new = self._clock() - created < _FIRST_VALIDATION
            if is_new and not (location.get("status") or {}).get("phase"):
                raise LocationError(location_name=str(location["metadata"]["name"]), reason="it was not validated yet")
