"""The documents of a backup that pinnace adds to Velero's: the manifest, and what is put into the Backup."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pinnace import engine
from pinnace.backup.prepare import Prepared
from pinnace.collect.item_collector import CollectedList
from pinnace.velero import encode
from pinnace.velero.backup import Backup
from pinnace.velero.object_store_layout import BackupKeys
from pinnace.velero.results import Results

__all__ = ["companions", "digest_of", "manifest", "with_cluster_version"]


def with_cluster_version(backup: Backup, version: Mapping[str, str], *, ttl_seconds: float) -> Backup:
    """Annotate the Backup with the cluster's version as Velero does, and put the defaulted ttl into its spec."""
    prefix = "velero.io/source-cluster-k8s"
    annotations = {
        f"{prefix}-gitversion": version["gitVersion"],
        f"{prefix}-major-version": version["major"],
        f"{prefix}-minor-version": version["minor"],
    }
    return replace(
        backup,
        annotations={**backup.annotations, **annotations},
        spec=replace(backup.spec, ttl_seconds=ttl_seconds),
    )


def companions(keys: BackupKeys, results: Results) -> dict[str, bytes]:
    """Give the small objects that Velero reads beside the archive, by key; without volumes they are empty."""
    contents: dict[str, Any] = {
        keys.pod_volume_backups: None,
        keys.volume_snapshots: None,
        keys.item_operations: [],
        keys.volume_info: [],
        keys.results: results.to_document(),
    }
    return {key: encode.gzipped(encode.compact(document)) for key, document in contents.items()}


def digest_of(body: bytes) -> tuple[int, str]:
    """Give an object's bytes and SHA-256, as the manifest has them."""
    return len(body), hashlib.sha256(body).hexdigest()


def manifest(
    backup: Backup,
    digest: "engine.Digest",
    *,
    prepared: Prepared,
    lists: Sequence[CollectedList],
    broken_off_kinds: Collection[tuple[str, str]] = (),
    objects: Mapping[str, tuple[int, str]],
) -> dict[str, Any]:
    """`<B>-manifest.json.gz`: digests of everything else, the revision of every list, how it was compressed.

    `objects` are bytes and SHA-256 by key. A list of `broken_off_kinds` has archived more items than it counts.
    """
    return {
        "backup": backup.name,
        "archive": {
            "bytes": digest.archive_bytes,
            "sha256": digest.archive_sha256,
            "tarBytes": digest.tar_bytes,
            "members": digest.member_count,
        },
        "index": {"sha256": digest.index_sha256},
        "objects": {
            key.rpartition("/")[2]: {"bytes": size, "sha256": sha256} for key, (size, sha256) in objects.items()
        },
        "items": digest.item_count,
        "revision": prepared.revision.resource_version,
        "lists": [_list(collected, broken_off_kinds) for collected in lists],
        "skipped": [{"groupResource": kind.group_resource, "reason": kind.reason} for kind in prepared.skipped],
        "engine": engine.build_info(),
    }


def _list(collected: CollectedList, broken_off_kinds: Collection[tuple[str, str]]) -> dict[str, Any]:
    resource = collected.request.resource
    pairs = {
        "groupResource": resource.group_resource,
        "apiVersion": resource.api_version,
        "namespace": collected.request.namespace,
        "consistency": collected.consistency,
        "resourceVersions": collected.revisions,
        "items": collected.item_count,
        "pages": collected.page_count,
        "pageBytes": collected.page_bytes,
        "warnings": collected.warnings,
        "error": collected.error,
        "brokeOff": "" if (resource.group_resource, resource.api_version) not in broken_off_kinds else True,
    }
    return {key: value for key, value in pairs.items() if value not in ("", [])}
