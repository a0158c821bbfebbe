"""Reads what the installed CRD of Backups knows, so that no phase or field is written that it would refuse or drop."""

from collections.abc import Mapping
from typing import Any

from pinnace.errors import InstalledCrdError, KubeError
from pinnace.kube.client import Client

__all__ = ["read_installed_crd"]

_PATH = "/openapi/v3/apis/velero.io/v1"
"""Readable by whoever is authenticated, where the CRD itself would need a right of its own."""


def read_installed_crd(client: Client) -> Mapping[str, Any]:
    """Read the published schema, for velero.installed_crd; InstalledCrdError where Backups are not served at all."""
    try:
        document: Mapping[str, Any] = client.get(_PATH)
    except KubeError as error:
        if error.status == 404:
            raise InstalledCrdError(
                reason="the API server knows no velero.io/v1", fix="install the CRDs: pinnace install --crds-only"
            ) from error
        raise
    return document
