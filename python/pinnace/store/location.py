"""Opens the store of a BackupStorageLocation."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnace.errors import LocationError, UsageError
from pinnace.store.object_store import ObjectStore

__all__ = ["open_location"]

_PROVIDERS = ("aws", "velero.io/aws")


def open_location(
    document: Mapping[str, Any], *, credentials_file: Path | None = None, ca_cert: bytes = b""
) -> ObjectStore:
    """Open a bucket by a location's `spec`; LocationError for a provider or option that can't be used.

    `credentials_file` is the mounted Secret in the AWS tools' INI form, read again while the store lives; without it
    credentials are found as the AWS tools find them. `ca_cert` is what `caCertRef` names, as PEM.
    """
    from pinnace.store import s3_config
    from pinnace.store.s3 import S3Store

    name, spec = str(document["metadata"]["name"]), document.get("spec") or {}
    provider, storage = str(spec.get("provider") or ""), spec.get("objectStorage") or {}
    if provider not in _PROVIDERS:
        raise LocationError(
            location_name=name, reason=f"provider {provider!r} is not supported; aws is, for every S3 server"
        )
    bucket = str(storage.get("bucket") or "").strip("/")
    if not bucket or "/" in bucket:
        raise LocationError(location_name=name, reason=f"spec.objectStorage.bucket {bucket!r} is not a bucket's name")
    encoded = base64.b64encode(ca_cert).decode() if ca_cert else str(storage.get("caCert") or "")
    try:
        config = s3_config.from_location(spec.get("config") or {}, ca_cert=encoded)
        return S3Store(
            bucket=bucket,
            prefix=str(storage.get("prefix") or ""),
            config=replace(config, credentials_file=str(credentials_file or "")),
        )
    except UsageError as error:
        raise LocationError(location_name=name, reason=str(error)) from error
