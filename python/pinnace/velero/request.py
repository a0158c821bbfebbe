"""Prepares a Backup for its run as Velero's prepareBackupRequest does: defaults in, every validation error out.

Pure: what the cluster says is given. The document stays the one that the API server gave, unknown fields included, so
that `merge_patch(before, after)` has only what changed.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.backup import BackupSpec
from pinnace.velero.includes_excludes import select_namespaces
from pinnace.velero.label import EXCLUDE_FROM_BACKUP_LABEL, STORAGE_LOCATION_LABEL, valid_name
from pinnace.velero.locations import Document, Unreadable, choose_location, choose_snapshot_locations
from pinnace.velero.server_defaults import ServerDefaults, cluster_annotations, default_filters, default_spec
from pinnace.velero.timestamps import timestamp
from pinnace.velero.validation import filter_errors, other_errors

__all__ = ["PreparedRequest", "prepare_backup_request"]


@dataclass(frozen=True)
class PreparedRequest:
    """The Backup as it is to be written, without a phase: with errors that is FailedValidation, else InProgress.

    The errors are in its `status.validationErrors` too. `location` is the BackupStorageLocation, if it is there.
    """

    document: dict[str, Any]
    errors: tuple[str, ...]
    location: Document | None


def prepare_backup_request(
    backup_document: Document,
    *,
    server_defaults: ServerDefaults,
    locations: Sequence[Document] | Unreadable,
    snapshot_locations: Sequence[Document] | Unreadable,
    namespaces: Mapping[str, Mapping[str, str]] | Unreadable,
    now: datetime,
    cluster_version: Mapping[str, str],
    takes_volume_snapshots: bool = False,
) -> PreparedRequest:
    """Complete and validate a Backup; the order of defaults and errors is Velero's, ours come last.

    `locations` and `snapshot_locations` are those of the Backup's namespace in list order, `namespaces` the labels of
    every Namespace by its name, `cluster_version` the answer of /version. The rule of the snapshot locations is always
    checked; their names are written back only with `takes_volume_snapshots`, since a Backup must not name a location
    that nothing will use. Preparing a prepared Backup again changes nothing but the expiration.
    """
    document = copy.deepcopy(dict(backup_document))
    spec: dict[str, Any] = document.get("spec") or {}
    labelled = _exclude_labelled(namespaces)
    chosen = choose_location(
        str(spec.get("storageLocation") or ""), locations, server_default=server_defaults.storage_location
    )
    snapshot_names, snapshot_errors = choose_snapshot_locations(
        spec.get("volumeSnapshotLocations") or (),
        snapshot_locations,
        server_defaults=server_defaults.volume_snapshot_locations,
    )
    errors = [*chosen.errors, *snapshot_errors]
    if isinstance(namespaces, Unreadable):
        errors.append(f"error getting namespace list: {namespaces.reason}")
    spec = spec | {"storageLocation": chosen.name}
    ttl_seconds = server_defaults.backup_ttl_seconds
    try:
        spec, filters = _completed(spec, server_defaults, labelled=labelled)
        ttl_seconds = filters.ttl_seconds
        refused = list(filter_errors(filters))
        errors.extend((*refused, *other_errors(filters)))
        spec = _with_filters(spec, filters, namespaces, labelled=labelled, is_refused=bool(refused))
    except UsageError as error:
        errors.append(str(error))
    if takes_volume_snapshots and snapshot_names:
        spec["volumeSnapshotLocations"] = list(snapshot_names)
    document["spec"] = spec
    _write_metadata(document, cluster_annotations(cluster_version, server_defaults), location_name=chosen.name)
    _write_status(document, errors, expiration=timestamp(now + timedelta(seconds=ttl_seconds)))
    return PreparedRequest(document, tuple(errors), chosen.document)


def _exclude_labelled(namespaces: Mapping[str, Mapping[str, str]] | Unreadable) -> list[str]:
    if isinstance(namespaces, Unreadable):
        return []
    return [name for name, labels in namespaces.items() if labels.get(EXCLUDE_FROM_BACKUP_LABEL) == "true"]


def _completed(
    spec: dict[str, Any], server_defaults: ServerDefaults, *, labelled: Sequence[str]
) -> tuple[dict[str, Any], BackupSpec]:
    """Default all but the filters; UsageError for a spec that a Velero server could not even decode."""
    completed = default_spec(spec, server_defaults)
    excluded = list(spec.get("excludedNamespaces") or ())
    excluded += [name for name in labelled if name not in excluded]
    if excluded:
        completed["excludedNamespaces"] = excluded
    return completed, BackupSpec.from_document(completed)


def _with_filters(
    spec: dict[str, Any],
    filters: BackupSpec,
    namespaces: Mapping[str, Mapping[str, str]] | Unreadable,
    *,
    labelled: Sequence[str],
    is_refused: bool,
) -> dict[str, Any]:
    """Write the filters out; those that were refused stay as they are, so that the user finds them again."""
    if is_refused or isinstance(namespaces, Unreadable):
        return spec | {"includedNamespaces": list(spec.get("includedNamespaces") or ["*"])}
    selection = select_namespaces(filters, existing=list(namespaces), exclude_labelled=labelled)
    return default_filters(spec, namespaces_everything=selection.everything)


def _write_metadata(document: dict[str, Any], annotations: Mapping[str, str], *, location_name: str) -> None:
    metadata: dict[str, Any] = document.get("metadata") or {}
    metadata["labels"] = {**(metadata.get("labels") or {}), STORAGE_LOCATION_LABEL: valid_name(location_name)}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    document["metadata"] = metadata


def _write_status(document: dict[str, Any], errors: Sequence[str], *, expiration: str) -> None:
    status = {key: value for key, value in (document.get("status") or {}).items() if key != "validationErrors"}
    status |= {"version": 1, "formatVersion": "1.1.0", "expiration": expiration}
    document["status"] = status | ({"validationErrors": list(errors)} if errors else {})
