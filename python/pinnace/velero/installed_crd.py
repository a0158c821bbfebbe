"""What the installed `backups.velero.io` knows: it prunes other fields silently and refuses other phases with a 422."""

from collections.abc import Iterator, Mapping
from typing import Any

from pinnace.errors import InstalledCrdError

__all__ = ["known_phases", "prune_status"]

_GROUP, _VERSION, _KIND = "velero.io", "v1", "Backup"


def known_phases(document: Mapping[str, Any]) -> frozenset[str] | None:
    """Give the values of `status.phase` that may be written; None where the schema names none, so that all may.

    `document` is the CustomResourceDefinition, or the OpenAPI v3 document of velero.io/v1, which every account may
    read; InstalledCrdError where it does not describe Backups.
    """
    phase = (_status_schema(document).get("properties") or {}).get("phase") or {}
    values = phase.get("enum")
    return frozenset(map(str, values)) if values else None


def prune_status(status: Mapping[str, Any], *, document: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the fields that the installed version does not know, as the API server would, on every level.

    InstalledCrdError for a phase that it does not know: dropping that would lose what became of the backup.
    """
    phases, phase = known_phases(document), status.get("phase")
    if phase and phases is not None and phase not in phases:
        raise InstalledCrdError(
            reason=f"it does not know phase {phase}, only {', '.join(sorted(phases))}",
            fix="install the CRDs of a newer Velero",
        )
    pruned: dict[str, Any] = _pruned(status, _status_schema(document))
    return pruned


def _pruned(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return dict(value)
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        if isinstance(others, Mapping):
            return {key: _pruned(inner, properties.get(key, others)) for key, inner in value.items()}
        if others:
            return dict(value)
        return {key: _pruned(inner, properties[key]) for key, inner in value.items() if key in properties}
    if isinstance(value, list):
        return [_pruned(inner, schema.get("items") or {}) for inner in value]
    return value


def _status_schema(document: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = next(_schemas(document), None)
    if schema is None:
        raise InstalledCrdError(
            reason=f"the document does not describe {_KIND} of {_GROUP}/{_VERSION}", fix="install Velero's CRDs"
        )
    status: Mapping[str, Any] = (schema.get("properties") or {}).get("status") or {}
    return status


def _schemas(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    spec = document.get("spec") or {}
    if document.get("kind") == "CustomResourceDefinition":
        if (spec.get("group"), (spec.get("names") or {}).get("kind")) == (_GROUP, _KIND):
            for version in spec.get("versions") or ():
                if version.get("name") == _VERSION:
                    yield (version.get("schema") or {}).get("openAPIV3Schema") or {}
        return
    for schema in ((document.get("components") or {}).get("schemas") or {}).values():
        for kind in schema.get("x-kubernetes-group-version-kind") or ():
            if (kind.get("group"), kind.get("version"), kind.get("kind")) == (_GROUP, _VERSION, _KIND):
                yield schema
