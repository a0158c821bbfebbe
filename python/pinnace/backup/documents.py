"""The documents of a backup that pinnace adds to Velero's: the manifest, and what is put into the Backup."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pinnace import engine
from pinnace.backup.prepare import Prepared
from pinnace.collect.collected_list import CollectedList, Span
from pinnace.kube.discovery import ApiResource
from pinnace.velero import encode
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.label import STORAGE_LOCATION_LABEL, valid_name
from pinnace.velero.object_store_layout import BackupKeys
from pinnace.velero.results import Results
from pinnace.velero.server_defaults import ServerDefaults, cluster_annotations, default_filters, default_spec
from pinnace.velero.volume_documents import volume_infos
from pinnace.volumes.outcome import VolumeOutcome

__all__ = ["camel", "companions", "digest_of", "manifest", "with_cluster_version"]


def with_cluster_version(backup: Backup, version: Mapping[str, str], *, ttl_seconds: float) -> Backup:
    """Complete the Backup as a Velero server would have: its defaults, label and annotations.

    A Velero that syncs the backup puts its own location's name in the place of `default`.
    """
    defaults = ServerDefaults(backup_ttl_seconds=ttl_seconds)
    spec = default_spec(backup.spec.to_document(), defaults)
    spec["storageLocation"] = backup.spec.storage_location or defaults.storage_location
    spec = default_filters(spec, namespaces_everything=_takes_all_namespaces(backup.spec))
    return replace(
        backup,
        labels={**backup.labels, STORAGE_LOCATION_LABEL: valid_name(spec["storageLocation"])},
        annotations={**backup.annotations, **cluster_annotations(version, defaults)},
        spec=BackupSpec.from_document(spec),
        status=replace(backup.status, others={**backup.status.others, "hookStatus": {}}),
    )


def _takes_all_namespaces(spec: BackupSpec) -> bool:
    return set(spec.included_namespaces) <= {"*"} and not spec.excluded_namespaces


def companions(keys: BackupKeys, results: Results, backup: Backup, volumes: VolumeOutcome) -> dict[str, bytes]:
    """Give the small objects that Velero reads beside the archive, by key; without volumes they are empty.

    Those about CSI are there only where a snapshot was tried, as Velero writes them only with its feature EnableCSI.
    """
    names = {"backup_name": backup.name, "backup_uid": backup.uid}
    contents: dict[str, Any] = {
        keys.pod_volume_backups: None,
        keys.volume_snapshots: [snapshot.to_document(**names) for snapshot in volumes.native] or None,
        keys.item_operations: [snapshot.operation_document(**names) for snapshot in volumes.csi],
        keys.volume_info: volume_infos(volumes.infos),
        keys.results: results.to_document(),
    }
    bodies = {key: encode.gzipped(encode.compact(document)) for key, document in contents.items()}
    if volumes.csi_attempted:
        bodies[keys.csi_volume_snapshots] = volumes.snapshots.finish()
        bodies[keys.csi_volume_snapshot_contents] = volumes.contents.finish()
        bodies[keys.csi_volume_snapshot_classes] = volumes.classes.finish()
    return bodies


def digest_of(body: bytes) -> tuple[int, str]:
    """Give an object's bytes and SHA-256, as the manifest has them."""
    return len(body), hashlib.sha256(body).hexdigest()


def manifest(
    backup: Backup,
    digest: "engine.Digest",
    *,
    prepared: Prepared,
    lists: Sequence[CollectedList],
    kind_counts: Mapping[ApiResource, int],
    objects: Mapping[str, tuple[int, str]],
) -> dict[str, Any]:
    """`<B>-manifest.json.gz`: digests of everything else, the revision of every list, what was not taken.

    `objects` are bytes and SHA-256 by key. `kind_counts` are all items, of which some are in no list: `additional`.
    """
    return {
        "backup": backup.name,
        "archive": {
            "bytes": digest.archive_bytes,
            **_hashes(digest),
            "tarBytes": digest.tar_bytes,
            "members": digest.member_count,
        },
        "index": {"sha256": digest.index_sha256},
        "objects": {
            key.rpartition("/")[2]: {"bytes": size, "sha256": sha256} for key, (size, sha256) in objects.items()
        },
        "items": digest.item_count,
        "revision": prepared.revision.resource_version,
        "lists": [_list(collected) for collected in lists],
        "additional": list(_additional(kind_counts, lists)),
        "skipped": [{"groupResource": kind.group_resource, "reason": kind.reason} for kind in prepared.skipped],
        "engine": engine.build_info(),
    }


def _hashes(digest: "engine.Digest") -> dict[str, Any]:
    """Of the archive: its own, or where several processes made it those of their stretches, in order."""
    if not digest.stretches:
        return {"sha256": digest.archive_sha256}
    return {"stretches": [{"bytes": size, "sha256": sha256} for size, sha256 in digest.stretches]}


def _additional(kind_counts: Mapping[ApiResource, int], lists: Sequence[CollectedList]) -> Iterator[dict[str, Any]]:
    """Count the items that others pulled in, by kind."""
    counts = Counter(kind_counts)
    for collected in lists:
        counts[collected.request.resource] -= collected.item_count
    for resource, count in sorted(counts.items(), key=lambda pair: pair[0].group_resource):
        if count > 0:
            kind = {"groupResource": resource.group_resource, "apiVersion": resource.api_version}
            yield {**kind, "items": count}


def _list(collected: CollectedList) -> dict[str, Any]:
    resource = collected.request.resource
    pairs = {
        "groupResource": resource.group_resource,
        "apiVersion": resource.api_version,
        "namespace": collected.request.namespace,
        "consistency": collected.consistency,
        "encodings": collected.encodings if collected.encodings != ["json"] else [],
        "protobufError": collected.protobuf_error,
        "resourceVersions": collected.revisions,
        "spans": [_span(span) for span in collected.spans] if len(collected.spans) > 1 else [],
        "items": collected.item_count,
        "pages": collected.page_count,
        "pageBytes": collected.page_bytes,
        "leftOut": {camel(reason): count for reason, count in sorted(collected.left_out.items())},
        "warnings": collected.warnings,
        "error": collected.error,
    }
    return {key: value for key, value in pairs.items() if value not in ("", [], {})}


def camel(reason: str) -> str:
    """Spell an engine's reason as the manifest does: `excludeLabel`."""
    first, *rest = reason.split("_")
    return first + "".join(map(str.title, rest))


def _span(span: Span) -> dict[str, Any]:
    """A part of a list at one revision; `upTo` is the `namespace/name` of its last item, where that is known."""
    document = {"resourceVersion": span.resource_version, "items": span.item_count, "upTo": span.up_to}
    return {key: value for key, value in document.items() if value != ""}
