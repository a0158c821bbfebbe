"""The documents of a backup that pinnace adds to Velero's: the manifest, and what is put into the Backup."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pinnace import engine
from pinnace.backup.prepare import Prepared
from pinnace.collect.collected_list import CollectedList, Span
from pinnace.velero.backup import Backup

__all__ = ["manifest", "with_cluster_version"]


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


def manifest(
    backup: Backup, digest: "engine.Digest", *, prepared: Prepared, lists: Sequence[CollectedList]
) -> dict[str, Any]:
    """`<B>-manifest.json.gz`: digests of the streams, the revision of every list, how it was compressed."""
    return {
        "backup": backup.name,
        "archive": {
            "bytes": digest.archive_bytes,
            "sha256": digest.archive_sha256,
            "tarBytes": digest.tar_bytes,
            "members": digest.member_count,
        },
        "index": {"sha256": digest.index_sha256},
        "items": digest.item_count,
        "revision": prepared.revision.resource_version,
        "lists": [_list(collected) for collected in lists],
        "skipped": [{"groupResource": kind.group_resource, "reason": kind.reason} for kind in prepared.skipped],
        "engine": engine.build_info(),
    }


def _list(collected: CollectedList) -> dict[str, Any]:
    pairs = {
        "groupResource": collected.request.resource.group_resource,
        "apiVersion": collected.request.resource.api_version,
        "namespace": collected.request.namespace,
        "consistency": collected.consistency,
        "resourceVersions": collected.revisions,
        "spans": [_span(span) for span in collected.spans] if len(collected.spans) > 1 else [],
        "items": collected.item_count,
        "pages": collected.page_count,
        "pageBytes": collected.page_bytes,
        "warnings": collected.warnings,
        "error": collected.error,
    }
    return {key: value for key, value in pairs.items() if value not in ("", [])}


def _span(span: Span) -> dict[str, Any]:
    """A part of a list at one revision; `upTo` is the `namespace/name` of its last item, where that is known."""
    document = {"resourceVersion": span.resource_version, "items": span.item_count, "upTo": span.up_to}
    return {key: value for key, value in document.items() if value != ""}
