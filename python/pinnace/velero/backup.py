"""The Backup of velero.io/v1 as data: what this version reads from one and writes into one (backup_types.go)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.duration import format_duration, parse_duration
from pinnace.velero.hook_spec import check_known_fields

__all__ = ["Backup", "BackupSpec", "BackupStatus"]

API_VERSION = "velero.io/v1"
_NAMES = {
    "included_namespaces": "includedNamespaces",
    "excluded_namespaces": "excludedNamespaces",
    "included_resources": "includedResources",
    "excluded_resources": "excludedResources",
    "included_cluster_scoped_resources": "includedClusterScopedResources",
    "excluded_cluster_scoped_resources": "excludedClusterScopedResources",
    "included_namespace_scoped_resources": "includedNamespaceScopedResources",
    "excluded_namespace_scoped_resources": "excludedNamespaceScopedResources",
}
_KNOWN = frozenset(
    {
        *_NAMES.values(), "metadata", "includeClusterResources", "labelSelector", "orLabelSelectors", "snapshotVolumes",
        "ttl", "hooks", "storageLocation", "volumeSnapshotLocations", "defaultVolumesToRestic",
        "defaultVolumesToFsBackup", "orderedResources", "csiSnapshotTimeout", "itemOperationTimeout", "resourcePolicy",
        "snapshotMoveData", "datamover", "uploaderConfig", "volumeGroupSnapshotLabelKey",
    }
)  # fmt: skip
_STATUS = frozenset(
    {
        "version", "formatVersion", "phase", "expiration", "startTimestamp", "completionTimestamp", "failureReason",
        "warnings", "errors", "progress",
    }
)  # fmt: skip
_METADATA = frozenset({"name", "namespace", "uid", "creationTimestamp", "labels", "annotations"})
_NOT_YET = {
    "volumeSnapshotLocations": "volume snapshots",
    "defaultVolumesToRestic": "file-system backups of volumes",
    "defaultVolumesToFsBackup": "file-system backups of volumes",
    "snapshotMoveData": "moving snapshot data",
    "datamover": "moving snapshot data",
    "resourcePolicy": "resource policies",
    "uploaderConfig": "file-system backups of volumes",
    "snapshotVolumes": "volume snapshots",
}
"""Fields that ask for what is not there yet; a Backup that sets one is refused, never thinned out silently."""


@dataclass(frozen=True)
class BackupSpec:
    """What to back up; empty lists are no filter. `others` keeps known fields that a local run only stores."""

    included_namespaces: tuple[str, ...] = ()
    excluded_namespaces: tuple[str, ...] = ()
    included_resources: tuple[str, ...] = ()
    excluded_resources: tuple[str, ...] = ()
    included_cluster_scoped_resources: tuple[str, ...] = ()
    excluded_cluster_scoped_resources: tuple[str, ...] = ()
    included_namespace_scoped_resources: tuple[str, ...] = ()
    excluded_namespace_scoped_resources: tuple[str, ...] = ()
    include_cluster_resources: bool | None = None
    label_selector: Mapping[str, Any] | None = None
    or_label_selectors: tuple[Mapping[str, Any], ...] = ()
    ordered_resources: Mapping[str, str] = field(default_factory=dict)
    ttl_seconds: float = 0.0
    storage_location: str = ""
    others: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, strict: bool = False) -> "BackupSpec":
        """Read `spec`; UsageError for a value of the wrong type.

        `strict` refuses a field that Velero does not have, since a typo must not widen a backup; else it is kept, since
        a newer Velero may have written it.
        """
        if strict and (unknown := sorted(set(document) - _KNOWN)):
            raise UsageError(f"spec.{unknown[0]}: no such field of a Backup; known are {', '.join(sorted(_KNOWN))}")
        if strict:
            check_known_fields(document.get("hooks"))
        lists = {ours: _strings(document, name) for ours, name in _NAMES.items()}
        ordered = _typed(document, "orderedResources", Mapping, "a mapping of a plural to names is wanted") or {}
        taken = {*_NAMES.values(), "includeClusterResources", "labelSelector", "orLabelSelectors", "orderedResources"}
        taken |= {"ttl", "storageLocation"}
        return cls(
            **lists,
            include_cluster_resources=_typed(document, "includeClusterResources", bool, "true or false is wanted"),
            label_selector=_typed(document, "labelSelector", Mapping, "a LabelSelector is wanted"),
            or_label_selectors=tuple(
                _typed(document, "orLabelSelectors", (list, tuple), "a list of LabelSelectors is wanted") or ()
            ),
            ordered_resources={str(key): str(value) for key, value in ordered.items()},
            ttl_seconds=parse_duration(str(document.get("ttl") or "0s"), field="spec.ttl"),
            storage_location=str(document.get("storageLocation") or ""),
            others={key: value for key, value in document.items() if key not in taken},
        )

    def to_document(self) -> dict[str, Any]:
        """Write `spec` in Velero's spelling; durations and struct fields are always there."""
        document: dict[str, Any] = {"metadata": {}, "ttl": format_duration(self.ttl_seconds), "hooks": {}}
        document |= {"csiSnapshotTimeout": "0s", "itemOperationTimeout": "0s", **self.others}
        document |= {name: list(getattr(self, ours)) for ours, name in _NAMES.items() if getattr(self, ours)}
        if self.include_cluster_resources is not None:
            document["includeClusterResources"] = self.include_cluster_resources
        if self.label_selector is not None:
            document["labelSelector"] = dict(self.label_selector)
        if self.or_label_selectors:
            document["orLabelSelectors"] = list(self.or_label_selectors)
        if self.ordered_resources:
            document["orderedResources"] = dict(self.ordered_resources)
        if self.storage_location:
            document["storageLocation"] = self.storage_location
        return document

    @property
    def uses_old_filters(self) -> bool:
        """Tell whether the filters of before 1.11 are in use; without any filter the new ones are."""
        return bool(self.include_cluster_resources is not None or self.included_resources or self.excluded_resources)

    def unsupported(self) -> tuple[str, ...]:
        """Name each field that asks for what this version can't do."""
        return tuple(
            f"spec.{name}: {what} are not there yet; leave it out"
            for name, what in _NOT_YET.items()
            if self.others.get(name)
        )


@dataclass(frozen=True)
class BackupStatus:
    """How it went; times are RFC3339 in UTC without fraction, "" where unknown."""

    phase: str = "New"
    expiration: str = ""
    start_timestamp: str = ""
    completion_timestamp: str = ""
    failure_reason: str = ""
    warnings: int = 0
    errors: int = 0
    total_items: int = 0
    items_backed_up: int = 0
    others: Mapping[str, Any] = field(default_factory=dict)
    """Fields that are only handed on, as a newer Velero wrote them."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "BackupStatus":
        """Read `status`; fields of a newer Velero are kept."""
        progress = document.get("progress") or {}
        return cls(
            phase=str(document.get("phase") or "New"),
            expiration=str(document.get("expiration") or ""),
            start_timestamp=str(document.get("startTimestamp") or ""),
            completion_timestamp=str(document.get("completionTimestamp") or ""),
            failure_reason=str(document.get("failureReason") or ""),
            warnings=int(document.get("warnings") or 0),
            errors=int(document.get("errors") or 0),
            total_items=int(progress.get("totalItems") or 0),
            items_backed_up=int(progress.get("itemsBackedUp") or 0),
            others={key: value for key, value in document.items() if key not in _STATUS},
        )

    def to_document(self) -> dict[str, Any]:
        """Write `status`; zero numbers and empty texts are left out as Go does, `progress` is there once it started."""
        progress = {"totalItems": self.total_items, "itemsBackedUp": self.items_backed_up}
        pairs: dict[str, Any] = {
            "version": 1,
            "formatVersion": "1.1.0",
            "expiration": self.expiration,
            "phase": self.phase,
            "startTimestamp": self.start_timestamp,
            "completionTimestamp": self.completion_timestamp,
            "failureReason": self.failure_reason,
            "warnings": self.warnings,
            "errors": self.errors,
        }
        document = {key: value for key, value in pairs.items() if value} | dict(self.others)
        if self.start_timestamp:
            document["progress"] = {key: value for key, value in progress.items() if value}
        return document


@dataclass(frozen=True)
class Backup:
    """A Backup; the name is used verbatim in keys."""

    name: str
    namespace: str = "velero"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    uid: str = ""
    creation_timestamp: str = ""
    spec: BackupSpec = field(default_factory=BackupSpec)
    status: BackupStatus = field(default_factory=BackupStatus)
    other_metadata: Mapping[str, Any] = field(default_factory=dict)
    """What else the API server put into `metadata` (resourceVersion, managedFields ...), only handed on."""

    @classmethod
    def from_document(cls, document: Any, *, strict: bool = False) -> "Backup":
        """Read a manifest or `velero-backup.json`; UsageError for anything that is not a velero.io/v1 Backup.

        `strict` is for what people write: it refuses unknown fields of `spec`.
        """
        if not isinstance(document, Mapping):
            raise UsageError("not a Backup: the document is not a mapping")
        if document.get("kind") != "Backup" or document.get("apiVersion") != API_VERSION:
            raise UsageError(
                f"not a Backup of {API_VERSION}: it is {document.get('apiVersion')} {document.get('kind')}"
            )
        metadata = document.get("metadata") or {}
        return cls(
            name=str(metadata.get("name") or ""),
            namespace=str(metadata.get("namespace") or "velero"),
            labels=dict(metadata.get("labels") or {}),
            annotations=dict(metadata.get("annotations") or {}),
            uid=str(metadata.get("uid") or ""),
            creation_timestamp=str(metadata.get("creationTimestamp") or ""),
            spec=BackupSpec.from_document(document.get("spec") or {}, strict=strict),
            status=BackupStatus.from_document(document.get("status") or {}),
            other_metadata={key: value for key, value in metadata.items() if key not in _METADATA},
        )

    def to_document(self) -> dict[str, Any]:
        """Write the Backup, kind and apiVersion first."""
        metadata = {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "creationTimestamp": self.creation_timestamp,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
        }
        return {
            "kind": "Backup",
            "apiVersion": API_VERSION,
            "metadata": {key: value for key, value in metadata.items() if value} | dict(self.other_metadata),
            "spec": self.spec.to_document(),
            "status": self.status.to_document(),
        }

    def with_status(self, **changes: Any) -> "Backup":
        """Give the same Backup with other status fields."""
        return replace(self, status=replace(self.status, **changes))


def _typed(document: Mapping[str, Any], name: str, types: Any, wanted: str) -> Any:
    value = document.get(name)
    if value is not None and not isinstance(value, types):
        raise UsageError(f"spec.{name}: {wanted}, not {value!r}")
    return value


def _strings(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = document.get(name) or ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(entry, str) for entry in value):
        raise UsageError(f"spec.{name}: a list of names is wanted")
    return tuple(value)
