"""What a Velero server writes into a Backup that leaves it open: the flags of the server and their defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pinnace.velero.duration import format_duration, parse_duration
from pinnace.velero.includes_excludes import AUTO_EXCLUDED_CLUSTER_SCOPED, AUTO_EXCLUDED_NAMESPACE_SCOPED

__all__ = ["ServerDefaults", "cluster_annotations", "default_filters", "default_spec"]

_OLD_LISTS = ("includedResources", "excludedResources")
_CLUSTER_LISTS = ("includedClusterScopedResources", "excludedClusterScopedResources")
_NAMESPACED_LISTS = ("includedNamespaceScopedResources", "excludedNamespaceScopedResources")


@dataclass(frozen=True)
class ServerDefaults:
    """The flags of `velero server` that complete a Backup, with Velero 1.18's defaults (pkg/cmd/server/config)."""

    backup_ttl_seconds: float = 30 * 24 * 3600.0
    csi_snapshot_timeout_seconds: float = 600.0
    item_operation_timeout_seconds: float = 4 * 3600.0
    resource_timeout_seconds: float = 600.0
    """Only written into an annotation."""
    storage_location: str = "default"
    """Taken where neither the Backup names one nor one of the locations is marked as the default."""
    volume_group_snapshot_label_key: str = "velero.io/volume-group"
    volumes_to_fs_backup: bool = False
    snapshot_move_data: bool = False
    volume_snapshot_locations: Mapping[str, str] = field(default_factory=dict)
    """Provider to the name of its location, for providers that have several."""


def default_spec(spec: Mapping[str, Any], defaults: ServerDefaults) -> dict[str, Any]:
    """Complete durations, the label key of volume groups and the ways of backing volumes up, in Velero's order.

    Unset durations are zero ones; UsageError for one that is no Go duration. `defaultVolumesToRestic: true` counts
    as `defaultVolumesToFsBackup: true`.
    """
    completed = dict(spec)
    for name, seconds in (
        ("ttl", defaults.backup_ttl_seconds),
        ("csiSnapshotTimeout", defaults.csi_snapshot_timeout_seconds),
        ("itemOperationTimeout", defaults.item_operation_timeout_seconds),
    ):
        if not parse_duration(str(spec.get(name) or "0s"), field=f"spec.{name}"):
            completed[name] = format_duration(seconds)
    if not spec.get("volumeGroupSnapshotLabelKey"):
        completed["volumeGroupSnapshotLabelKey"] = defaults.volume_group_snapshot_label_key
    if spec.get("defaultVolumesToRestic"):
        completed["defaultVolumesToFsBackup"] = True
    if completed.get("defaultVolumesToFsBackup") is None:
        completed["defaultVolumesToFsBackup"] = defaults.volumes_to_fs_backup
    if spec.get("snapshotMoveData") is None:
        completed["snapshotMoveData"] = defaults.snapshot_move_data
    return completed


def default_filters(spec: Mapping[str, Any], *, namespaces_everything: bool) -> dict[str, Any]:
    """Write out that no included namespace means all, and that the two kinds of snapshots are excluded.

    The latter is not written where it would make Velero's filters leave out the cluster-scoped kinds of a backup of
    everything, nor is the last name of an include list taken away, which would include everything.
    """
    completed = dict(spec)
    if not spec.get("includedNamespaces"):
        completed["includedNamespaces"] = ["*"]
    if any(spec.get(name) for name in _OLD_LISTS) or spec.get("includeClusterResources") is not None:
        autos = (AUTO_EXCLUDED_NAMESPACE_SCOPED, AUTO_EXCLUDED_CLUSTER_SCOPED)
        return _excluding(completed, _OLD_LISTS, autos)
    if namespaces_everything and _has_all_kinds(spec):
        return completed
    completed = _excluding(completed, _CLUSTER_LISTS, (AUTO_EXCLUDED_CLUSTER_SCOPED,))
    return _excluding(completed, _NAMESPACED_LISTS, (AUTO_EXCLUDED_NAMESPACE_SCOPED,))


def cluster_annotations(cluster_version: Mapping[str, str], defaults: ServerDefaults) -> dict[str, str]:
    """Name the cluster's version (`gitVersion`, `major`, `minor` of /version) and the server's resource timeout."""
    prefix = "velero.io/source-cluster-k8s"
    return {
        f"{prefix}-gitversion": cluster_version["gitVersion"],
        f"{prefix}-major-version": cluster_version["major"],
        f"{prefix}-minor-version": cluster_version["minor"],
        "velero.io/resource-timeout": format_duration(defaults.resource_timeout_seconds),
    }


def _has_all_kinds(spec: Mapping[str, Any]) -> bool:
    lists = [spec.get(name) or [] for name in (*_CLUSTER_LISTS, *_NAMESPACED_LISTS)]
    return lists[2] in ([], ["*"]) and not (lists[0] or lists[1] or lists[3])


def _excluding(spec: dict[str, Any], names: tuple[str, str], autos: Sequence[str]) -> dict[str, Any]:
    included, excluded = (list(spec.get(name) or []) for name in names)
    rest = [name for name in included if name not in autos] or included
    changed = {names[0]: rest, names[1]: [*excluded, *(name for name in autos if name not in excluded)]}
    return spec | {name: value for name, value in changed.items() if value}
