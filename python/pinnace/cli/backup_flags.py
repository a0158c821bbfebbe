"""Turns the flags of `pinnace backup run` into a Backup, as `velero backup create` does."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnace.backup.untaken_snapshots import NOT_FROM_A_SHELL
from pinnace.errors import UsageError
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.duration import parse_duration
from pinnace.velero.label_selectors import parse_selector

__all__ = ["read_backup", "spec_document", "with_snapshots_decided"]

_LISTS = {
    "include_namespaces": "includedNamespaces",
    "exclude_namespaces": "excludedNamespaces",
    "include_resources": "includedResources",
    "exclude_resources": "excludedResources",
    "include_cluster_scoped_resources": "includedClusterScopedResources",
    "exclude_cluster_scoped_resources": "excludedClusterScopedResources",
    "include_namespace_scoped_resources": "includedNamespaceScopedResources",
    "exclude_namespace_scoped_resources": "excludedNamespaceScopedResources",
}


def spec_document(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Spell the given flags as a Backup's spec; flags that were not given are not in it.

    Of `flags` only those that a spec has are read, so that a command may hand over all that it was given.
    """
    document: dict[str, Any] = {
        field: [name.strip() for text in flags[flag] for name in text.split(",") if name.strip()]
        for flag, field in _LISTS.items()
        if flags.get(flag)
    }
    if flags.get("include_cluster_resources") is not None:
        document["includeClusterResources"] = flags["include_cluster_resources"]
    if flags.get("selector"):
        document["labelSelector"] = parse_selector(flags["selector"], flag="--selector")
    if flags.get("or_selector"):
        document["orLabelSelectors"] = [
            parse_selector(part, flag="--or-selector") for part in flags["or_selector"].split(" or ")
        ]
    if flags.get("ttl"):
        if parse_duration(flags["ttl"], field="--ttl") < 0:
            raise UsageError(f"--ttl: {flags['ttl']!r} is negative: the backup would have expired before it is made")
        document["ttl"] = flags["ttl"]
    if flags.get("ordered_resources"):
        document["orderedResources"] = _ordered_resources(flags["ordered_resources"])
    return document | _volume_fields(flags)


def _volume_fields(flags: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if flags.get("snapshot_volumes") is not None:
        document["snapshotVolumes"] = flags["snapshot_volumes"]
    if flags.get("volume_snapshot_locations"):
        document["volumeSnapshotLocations"] = [
            name.strip() for name in flags["volume_snapshot_locations"].split(",") if name.strip()
        ]
    if flags.get("resource_policies_configmap"):
        document["resourcePolicy"] = {"kind": "configmap", "name": flags["resource_policies_configmap"]}
    if flags.get("csi_snapshot_timeout"):
        parse_duration(flags["csi_snapshot_timeout"], field="--csi-snapshot-timeout")
        document["csiSnapshotTimeout"] = flags["csi_snapshot_timeout"]
    return document


def read_backup(
    name: str, *, spec: Mapping[str, Any], labels: str, from_file: Path | None, annotations: str = ""
) -> Backup:
    """Make the Backup from flags, or from a manifest; both at once would hide which filter acts.

    Of a manifest's metadata only what a run may keep is taken: one that was dumped from a cluster has a uid, a
    resourceVersion and a status of its own.
    """
    label_pairs = _pairs(labels, flag="--labels") if labels else {}
    annotation_pairs = _pairs(annotations, flag="--annotations") if annotations else {}
    if from_file is None:
        return Backup(
            name=name,
            labels=label_pairs,
            annotations=annotation_pairs,
            spec=BackupSpec.from_document(spec, strict=True),
        )
    if spec:
        raise UsageError(f"--from-file {from_file}: it has the whole spec; leave out the flags for {', '.join(spec)}")
    import yaml

    try:
        document = yaml.safe_load(from_file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"--from-file {from_file}: {error}") from error
    given = Backup.from_document(document, strict=True)
    return Backup(
        name=name,
        namespace=given.namespace,
        labels={**given.labels, **label_pairs},
        annotations={**given.annotations, **annotation_pairs},
        spec=given.spec,
    )


def with_snapshots_decided(backup: Backup) -> tuple[Backup, str]:
    """Write into a Backup that leaves it open that no snapshots are taken, and give the reason (decision 16).

    One that names a location for them wants some.
    """
    others = backup.spec.others
    if others.get("snapshotVolumes") is not None or others.get("volumeSnapshotLocations"):
        return backup, ""
    return replace(backup, spec=replace(backup.spec, others={**others, "snapshotVolumes": False})), NOT_FROM_A_SHELL


def _pairs(text: str, *, flag: str) -> dict[str, str]:
    """Read `a=b,"c=d,e"`: quotes keep a comma in a value (pkg/cmd/util/flag/map.go)."""
    try:
        parts = next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise UsageError(f"{flag}: {text!r}: {error}") from error
    return dict(_pair(part, flag=flag) for part in parts)


def _pair(text: str, *, flag: str) -> tuple[str, str]:
    key, equals, value = text.strip().partition("=")
    if not key or not equals:
        raise UsageError(f"{flag}: {text!r} is not key=value")
    return key, value


def _ordered_resources(text: str) -> dict[str, str]:
    """Read `pods=ns/a,ns/b;persistentvolumes=pv1`; the plural is matched without its group."""
    ordered: dict[str, str] = {}
    for part in text.split(";"):
        plural, equals, names = (piece.strip() for piece in part.partition("="))
        if not plural or not equals or not names or "=" in names:
            raise UsageError(f"--ordered-resources: {part!r} is not plural=namespace/name,namespace/name")
        if plural in ordered:
            raise UsageError(f"--ordered-resources: {plural} is given twice; write all of its names in one list")
        ordered[plural] = names
    return ordered
