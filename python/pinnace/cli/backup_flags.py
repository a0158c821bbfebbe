"""Turns the flags of `pinnace backup run` into a Backup, as `velero backup create` does."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.backup import Backup, BackupSpec

__all__ = ["FILTER_FLAGS", "read_backup", "spec_document"]

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
FILTER_FLAGS = frozenset({*_LISTS, "include_cluster_resources", "selector", "or_selector", "ttl", "ordered_resources"})


def spec_document(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Spell the given flags as a Backup's spec; flags that were not given are not in it."""
    document: dict[str, Any] = {
        field: [name.strip() for text in flags[flag] for name in text.split(",") if name.strip()]
        for flag, field in _LISTS.items()
        if flags.get(flag)
    }
    if flags.get("include_cluster_resources") is not None:
        document["includeClusterResources"] = flags["include_cluster_resources"]
    if flags.get("selector"):
        document["labelSelector"] = {"matchLabels": _pairs(flags["selector"], flag="--selector")}
    if flags.get("or_selector"):
        document["orLabelSelectors"] = [
            {"matchLabels": _pairs(part, flag="--or-selector")} for part in flags["or_selector"].split(" or ")
        ]
    if flags.get("ttl"):
        document["ttl"] = flags["ttl"]
    if flags.get("ordered_resources"):
        parts = flags["ordered_resources"].split(";")
        document["orderedResources"] = dict(_pair(part, flag="--ordered-resources") for part in parts)
    return document


def read_backup(name: str, *, spec: Mapping[str, Any], labels: str, from_file: Path | None) -> Backup:
    """Make the Backup from flags, or from a manifest; both at once would hide which filter acts."""
    label_pairs = _pairs(labels, flag="--labels") if labels else {}
    if from_file is None:
        return Backup(name=name, labels=label_pairs, spec=BackupSpec.from_document(spec))
    if spec:
        raise UsageError(f"--from-file {from_file}: it has the whole spec; leave out the flags for {', '.join(spec)}")
    import yaml

    try:
        document = yaml.safe_load(from_file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"--from-file {from_file}: {error}") from error
    backup = Backup.from_document(document)
    return replace(backup, name=name, labels={**backup.labels, **label_pairs})


def _pairs(text: str, *, flag: str) -> dict[str, str]:
    return dict(_pair(part, flag=flag) for part in text.split(","))


def _pair(text: str, *, flag: str) -> tuple[str, str]:
    key, equals, value = text.strip().partition("=")
    if not key or not equals or key.endswith("!") or value.startswith("="):
        raise UsageError(f"{flag}: {text!r} is not key=value")
    return key, value
