"""A backup described for people, with the sections and words of `velero backup describe`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pinnace.backup import documents
from pinnace.backup.description import Description
from pinnace.cli import human
from pinnace.cli.describe_hooks import hook_lines
from pinnace.cli.describe_volumes import operation_lines, volume_lines
from pinnace.collect.collected_list import LEFT_OUT_WORDS

__all__ = ["description_lines"]


def description_lines(
    description: Description, *, listed_items: Iterable[tuple[str, str]] | None = None
) -> Iterator[str]:
    """Give the text line by line; `listed_items` adds the resource list and how each list went (`--details`)."""
    backup = description.backup
    yield from _head(backup)
    yield ""
    yield from _results(description)
    yield from _filters(backup["spec"])
    yield ""
    yield from _times(backup)
    yield from _items(description)
    details = listed_items is not None
    yield from operation_lines(description, details=details)
    if listed_items is None:
        yield from _counts(description.kind_counts)
    else:
        yield from _resource_list(description, listed_items)
    yield ""
    yield from volume_lines(description, details=details)
    yield from _hook_counts(backup["status"])
    if details:
        yield from _lists(description)
        yield from _not_taken(description)


def _head(backup: Mapping[str, Any]) -> Iterator[str]:
    metadata, status = backup["metadata"], backup["status"]
    yield f"Name:         {metadata.get('name')}"
    yield f"Namespace:    {metadata.get('namespace')}"
    yield from _pairs("Labels:       ", metadata.get("labels") or {})
    yield from _pairs("Annotations:  ", metadata.get("annotations") or {})
    yield ""
    yield f"Phase:  {status.get('phase') or 'New'}"
    if status.get("failureReason"):
        yield f"Failure reason:  {status['failureReason']}"
    if policy := backup["spec"].get("resourcePolicy"):
        yield ""
        yield "Resource policies:"
        yield f"  Type:  {policy.get('kind')}"
        yield f"  Name:  {policy.get('name')}"
    errors = status.get("validationErrors") or ()
    if errors:
        yield "Validation errors:"
        yield from (f"  {text}" for text in errors)


def _pairs(label: str, pairs: Mapping[str, Any]) -> Iterator[str]:
    texts = [f"{key}={value}" for key, value in sorted(pairs.items())] or ["<none>"]
    yield label + texts[0]
    yield from (" " * len(label) + text for text in texts[1:])


def _results(description: Description) -> Iterator[str]:
    """Errors and warnings, each by where they belong; the counts alone where there are no results to read."""
    status = description.backup["status"]
    for title, severity in (("Errors", "error"), ("Warnings", "warning")):
        count = status.get(f"{severity}s", 0)
        kept = [result for result in description.results or () if result.severity == severity]
        if not kept:
            yield f"{title + ':':10} {count}" + (" (there are no results to read)" if count else "")
            continue
        yield f"{title + ':':10} {count}"
        yield from _places(kept)
    yield ""


def _places(results: Sequence[Any]) -> Iterator[str]:
    for title, place in (("Velero", "velero"), ("Cluster", "cluster")):
        texts = [result.text.strip() for result in results if result.place == place]
        yield f"  {title + ':':10} {texts[0] if texts else '<none>'}"
        yield from (" " * 13 + text for text in texts[1:])
    namespaces = sorted({result.namespace for result in results if result.place == "namespaces"})
    yield "  Namespaces:" + ("" if namespaces else " <none>")
    for namespace in namespaces:
        texts = [result.text.strip() for result in results if result.namespace == namespace]
        yield f"    {namespace}:  {texts[0]}"
        yield from (" " * (len(namespace) + 7) + text for text in texts[1:])


def _filters(spec: Mapping[str, Any]) -> Iterator[str]:
    yield "Namespaces:"
    yield f"  Included:  {_names(spec, 'includedNamespaces', empty='*')}"
    yield f"  Excluded:  {_names(spec, 'excludedNamespaces')}"
    yield ""
    yield "Resources:"
    if _is_old(spec):
        yield f"  Included:        {_names(spec, 'includedResources', empty='*')}"
        yield f"  Excluded:        {_names(spec, 'excludedResources')}"
        cluster = {True: "included", False: "excluded", None: "auto"}[spec.get("includeClusterResources")]
        yield f"  Cluster-scoped:  {cluster}"
    else:
        yield f"  Included cluster-scoped:    {_names(spec, 'includedClusterScopedResources')}"
        yield f"  Excluded cluster-scoped:    {_names(spec, 'excludedClusterScopedResources')}"
        yield f"  Included namespace-scoped:  {_names(spec, 'includedNamespaceScopedResources', empty='*')}"
        yield f"  Excluded namespace-scoped:  {_names(spec, 'excludedNamespaceScopedResources')}"
    yield ""
    yield f"Label selector:  {human.selector(spec.get('labelSelector'))}"
    yield ""
    either = " or ".join(human.selector(part) for part in spec.get("orLabelSelectors") or ())
    yield f"Or label selector:  {either or '<none>'}"
    yield ""
    yield f"Storage Location:  {spec.get('storageLocation') or '<none>'}"
    yield ""
    yield f"Velero-Native Snapshot PVs:    {_choice(spec.get('snapshotVolumes'))}"
    if spec.get("defaultVolumesToFsBackup") is not None:
        yield f"File System Backup (Default):  {_choice(spec['defaultVolumesToFsBackup'])}"
    yield f"Snapshot Move Data:            {_choice(spec.get('snapshotMoveData'))}"
    yield f"Data Mover:                    {spec.get('datamover') or 'velero'}"


def _choice(value: Any) -> str:
    return {True: "true", False: "false"}.get(value, "auto")


def _is_old(spec: Mapping[str, Any]) -> bool:
    return bool(
        spec.get("includedResources")
        or spec.get("excludedResources")
        or spec.get("includeClusterResources") is not None
    )


def _names(spec: Mapping[str, Any], field: str, *, empty: str = "<none>") -> str:
    return ", ".join(map(str, spec.get(field) or ())) or empty


def _times(backup: Mapping[str, Any]) -> Iterator[str]:
    spec, status = backup["spec"], backup["status"]
    yield f"TTL:  {spec.get('ttl') or '<none>'}"
    yield ""
    yield f"CSISnapshotTimeout:    {spec.get('csiSnapshotTimeout') or '<none>'}"
    yield f"ItemOperationTimeout:  {spec.get('itemOperationTimeout') or '<none>'}"
    yield ""
    yield from hook_lines(spec)
    yield ""
    if spec.get("orderedResources"):
        yield from _pairs("Ordered resources:  ", spec["orderedResources"])
        yield ""
    yield f"Backup Format Version:  {status.get('formatVersion') or '<unknown>'}"
    yield ""
    yield f"Started:     {human.created_at(str(status.get('startTimestamp') or ''))}"
    yield f"Completed:   {human.created_at(str(status.get('completionTimestamp') or ''))}"
    yield f"Expiration:  {human.created_at(str(status.get('expiration') or ''))}"
    yield ""


def _items(description: Description) -> Iterator[str]:
    progress = description.backup["status"].get("progress") or {}
    size = description.archive_bytes
    yield f"Total items to be backed up:  {progress.get('totalItems', 0)}"
    yield f"Items backed up:              {progress.get('itemsBackedUp', 0)}"
    yield f"Archive:                      {'<not there>' if size is None else human.byte_size(size)}"
    if description.manifest is not None:
        yield f"Consistency:                  {_consistency(description.manifest.document)}"
    yield ""


def _hook_counts(status: Mapping[str, Any]) -> Iterator[str]:
    if hooks := status.get("hookStatus"):
        yield ""
        yield f"HooksAttempted:  {hooks.get('hooksAttempted', 0)}"
        yield f"HooksFailed:     {hooks.get('hooksFailed', 0)}"


def _consistency(manifest: Mapping[str, Any]) -> str:
    lists = [entry for entry in manifest["lists"] if not entry.get("error")]
    apart = sorted({entry["groupResource"] for entry in lists if entry.get("consistency") != "revision"})
    if not manifest.get("revision"):
        return "each kind in itself"
    return f"revision {manifest['revision']}" + (f"; in themselves: {', '.join(apart)}" if apart else "")


def _counts(kind_counts: Mapping[str, int] | None) -> Iterator[str]:
    if kind_counts is None:
        yield "Resource List:  <not there>"
        return
    yield "Resource List:" + ("" if kind_counts else "  <none>")
    yield from (f"  {kind}:  {count}" for kind, count in sorted(kind_counts.items()))


def _resource_list(description: Description, listed_items: Iterable[tuple[str, str]]) -> Iterator[str]:
    if not description.kind_counts:
        yield from _counts(description.kind_counts)
        return
    yield "Resource List:"
    last = ""
    for kind, name in listed_items:
        if kind != last:
            yield f"  {kind}:"
            last = kind
        yield f"    - {name}"


def _lists(description: Description) -> Iterator[str]:
    """How each list went, of a backup that has a manifest."""
    if description.manifest is None:
        return
    yield ""
    yield "Lists:"
    for entry in description.manifest.document["lists"]:
        place = entry["groupResource"] + (f" in {entry['namespace']}" if entry.get("namespace") else "")
        revisions = ", then ".join(map(str, entry.get("resourceVersions") or ())) or "unknown"
        how = f"revision {revisions}" if entry.get("consistency") == "revision" else f"in itself, revision {revisions}"
        notes = "".join(f"; {note}" for note in (*(entry.get("warnings") or ()), entry.get("error")) if note)
        yield f"  {place}:  {human.counted(entry['items'], 'item')}, {how}{notes}"


_REASONS = {documents.camel(reason): words for reason, words in LEFT_OUT_WORDS.items()}


def _not_taken(description: Description) -> Iterator[str]:
    """What the backup does not have, and why: items of kinds that were listed, then whole kinds."""
    if description.manifest is None:
        return
    document = description.manifest.document
    counts: Counter[tuple[str, str]] = Counter()
    for entry in document["lists"]:
        for reason, count in (entry.get("leftOut") or {}).items():
            counts[(entry["groupResource"], reason)] += count
    kinds: dict[str, list[str]] = {}
    for kind in document.get("skipped") or ():
        kinds.setdefault(str(kind["reason"]), []).append(str(kind["groupResource"]))
    yield ""
    yield "Not taken:" + ("" if counts or kinds else "  <none>")
    for (group_resource, reason), count in sorted(counts.items()):
        yield f"  {group_resource}:  {human.counted(count, 'item')} {_REASONS.get(reason, reason)}"
    for reason, names in sorted(kinds.items()):
        yield f"  {', '.join(sorted(names))}:  {reason}"
