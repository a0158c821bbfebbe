"""Reads the small documents of a stored backup, whoever wrote it; what is malformed names its object."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from pinnace.archive.gzip_stream import GzipStream
from pinnace.errors import ItemNotFoundError, MalformedObjectError
from pinnace.store.backup_store import BackupStore
from pinnace.velero.backup import API_VERSION

__all__ = [
    "Manifest",
    "StoredResult",
    "digest",
    "log",
    "read_backup",
    "read_entries",
    "read_json",
    "read_manifest",
    "read_results",
]

_LARGEST_BYTES = 256 << 20
"""Gunzipped. Ours are bounded (10,000 results); Velero writes a result for each log line, and 200 bytes are usual."""

_FIELDS: Mapping[str, Mapping[type, tuple[str, ...]]] = {
    "metadata": {str: ("name", "namespace", "creationTimestamp"), dict: ("labels", "annotations")},
    "spec": {
        str: ("ttl", "storageLocation"),
        bool: ("includeClusterResources",),
        dict: ("labelSelector", "orderedResources", "resourcePolicy"),
        list: (
            "includedNamespaces", "excludedNamespaces", "includedResources", "excludedResources",
            "includedClusterScopedResources", "excludedClusterScopedResources", "includedNamespaceScopedResources",
            "excludedNamespaceScopedResources", "orLabelSelectors",
        ),
    },
    "status": {
        str: ("phase", "startTimestamp", "completionTimestamp", "expiration", "failureReason", "formatVersion"),
        int: ("errors", "warnings", "backupItemOperationsAttempted"),
        dict: ("progress", "hookStatus"),
        list: ("validationErrors",),
    },
}  # fmt: skip
"""The fields of a Backup that are read here, by the type that their CRD gives them."""

_CLOSING = re.compile(r"(?: resource: /[^ ]*)? message: /and ([0-9]+) more like it: ")


@dataclass(frozen=True)
class StoredResult:
    """An error or warning; `place` is "velero", "cluster" or "namespaces", and `text` Velero's concatenation."""

    severity: str
    place: str
    namespace: str
    text: str

    @property
    def count(self) -> int:
        """How many this entry stands for: more than one where equal results were capped."""
        closing = _CLOSING.match(self.text)
        return int(closing[1]) if closing else 1


@dataclass(frozen=True)
class Manifest:
    """What `verify` compares with; `document` is all of it."""

    document: Mapping[str, Any]
    archive_bytes: int
    archive_stretches: tuple[tuple[int, str], ...]
    """Bytes and SHA-256 of the archive's parts, in order: one, or one for each process that made some of it."""

    index_sha256: str
    item_count: int
    kind_counts: Mapping[tuple[str, str], int]
    """Items by group resource and apiVersion, summed up over the lists and what was pulled in."""

    objects: Mapping[str, tuple[int, str]]
    """Bytes and SHA-256 of the other objects, by file name; empty in a manifest that does not have them."""


def read_json(store: BackupStore, key: str) -> Any:
    """Read a gzipped JSON document; None for `null`, ObjectNotFoundError where there is none."""
    stream = GzipStream(store.chunks(key), location=store.location, key=key)
    body = stream.read(_LARGEST_BYTES + 1)
    if len(body) > _LARGEST_BYTES:
        stream.fail(f"it has more than {_LARGEST_BYTES:,} bytes")
    return _parsed(store, key, body)


def read_entries(store: BackupStore, key: str) -> list[Mapping[str, Any]] | None:
    """Read a list of documents, such as what is said of volumes; None where there is no such object."""
    if not store.has(key):
        return None
    document = read_json(store, key) or []
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise MalformedObjectError(location=store.location, key=key, reason="it is no list of documents")
    return document


def read_backup(store: BackupStore) -> dict[str, Any]:
    """Read `velero-backup.json` as it is, with whatever fields a newer Velero put there."""
    key = store.keys.metadata
    document = _parsed(store, key, store.read_metadata())
    reason = ""
    if not isinstance(document, dict) or document.get("kind") != "Backup" or document.get("apiVersion") != API_VERSION:
        reason = f"it is no Backup of {API_VERSION}"
    elif wrong := _wrong_field(document):
        reason = f"its {wrong} is not of the type that a Backup has there"
    elif (document.get("metadata") or {}).get("name") != store.backup_name:
        reason = f"its metadata.name is not {store.backup_name}"
    if reason:
        raise MalformedObjectError(location=store.location, key=key, reason=reason)
    return {**document, **{part: document.get(part) or {} for part in ("metadata", "spec", "status")}}


def _wrong_field(document: Mapping[str, Any]) -> str:
    """Name a field of another type than the CRD allows; null is allowed anywhere."""
    for part, types in _FIELDS.items():
        fields = document.get(part)
        if fields is not None and not isinstance(fields, dict):
            return part
        for wanted, names in types.items():
            for name in names:
                value = (fields or {}).get(name)
                if value is not None and type(value) is not wanted:
                    return f"{part}.{name}"
    return ""


def read_results(store: BackupStore) -> list[StoredResult] | None:
    """Read errors and warnings; None where Velero before 1.10 wrote none."""
    key = store.keys.results
    if not store.has(key):
        return None
    document = read_json(store, key)
    try:
        return [
            result
            for name, severity in (("errors", "error"), ("warnings", "warning"))
            for result in _results(document.get(name) or {}, severity=severity)
        ]
    except (AttributeError, TypeError) as error:
        reason = "it is no pair of errors and warnings"
        raise MalformedObjectError(location=store.location, key=key, reason=reason) from error


def _results(part: Mapping[str, Any], *, severity: str) -> list[StoredResult]:
    places = [(place, "", texts) for place, texts in part.items() if place != "namespaces"]
    places += [("namespaces", namespace, texts) for namespace, texts in (part.get("namespaces") or {}).items()]
    results = []
    for place, namespace, texts in places:
        for text in texts or ():
            if not isinstance(text, str) or isinstance(texts, str):
                raise TypeError("a list of texts is wanted")
            results.append(StoredResult(severity, place, namespace, text))
    return results


def read_manifest(store: BackupStore) -> Manifest | None:
    """Read the manifest; None for a backup that another tool wrote."""
    key = store.keys.manifest
    if not store.has(key):
        return None
    document = read_json(store, key)
    try:
        return _manifest(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"it is no manifest: {error!r}"
        raise MalformedObjectError(location=store.location, key=key, reason=reason) from error


def _manifest(document: Mapping[str, Any]) -> Manifest:
    counts: dict[tuple[str, str], int] = {}
    for entry in (*document["lists"], *(document.get("additional") or ())):
        kind = (str(entry["groupResource"]), str(entry["apiVersion"]))
        counts[kind] = counts.get(kind, 0) + _number(entry["items"])
        if not all(isinstance(entry.get(name, []), list) for name in ("resourceVersions", "warnings")):
            raise TypeError("a list is wanted")
    return Manifest(
        document=document,
        archive_bytes=_number(document["archive"]["bytes"]),
        archive_stretches=tuple(_stretches(document["archive"])),
        index_sha256=str(document["index"]["sha256"]),
        item_count=_number(document["items"]),
        kind_counts=counts,
        objects={
            str(name): (_number(entry["bytes"]), str(entry["sha256"]))
            for name, entry in (document.get("objects") or {}).items()
        },
    )


def _stretches(archive: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for stretch in archive.get("stretches") or (archive,):
        yield _number(stretch["bytes"]), str(stretch["sha256"])


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"a count is wanted, not {value!r}")
    return value


def log(store: BackupStore) -> Iterator[bytes]:
    """Give the log in pieces, also that of a run which failed and left no backup; ItemNotFoundError where none is."""
    key = store.keys.log
    if not store.has(key):
        store.read_metadata()
        raise ItemNotFoundError(
            f"{store.location}: backup {store.backup_name} has no log: {key} is not there, though the backup is"
        )
    return GzipStream(store.chunks(key), location=store.location, key=key).pieces()


def digest(store: BackupStore, key: str) -> tuple[int, str]:
    """Read an object of any size; its length and SHA-256."""
    size, sha256 = 0, hashlib.sha256()
    for chunk in store.chunks(key):
        size += len(chunk)
        sha256.update(chunk)
    return size, sha256.hexdigest()


def _parsed(store: BackupStore, key: str, body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise MalformedObjectError(location=store.location, key=key, reason=f"it is no JSON: {error}") from error
