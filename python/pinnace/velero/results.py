"""Errors and warnings of a run as data: log lines, counts, status and `<B>-results.gz` are all written from here."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Entry", "Results"]

_EQUAL_ENTRIES = 100
"""After so many equal results only a count is kept: a kind of 300,000 broken items has one cause."""

_ALL_ENTRIES = 10_000
"""The bound of what is kept in memory whatever the cluster's size; more are counted."""


@dataclass(frozen=True)
class Entry:
    """One result; `namespace` None is Velero's own part, "" the cluster-scoped one; `fields` are for the log alone."""

    severity: str
    message: str
    namespace: str | None = None
    resource: str = ""
    name: str = ""
    error: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The entry as Velero concatenates it, each part with a leading space (log_counter_hook.go)."""
        parts = (("resource", self.resource), ("name", self.name), ("message", self.message), ("error", self.error))
        return "".join(f" {key}: /{value}" for key, value in parts if value)


class Results:
    """Collects entries; `on_entry` sees each kept one, so that the log is written from the results."""

    def __init__(self, on_entry: Callable[[Entry], None] | None = None) -> None:
        self._on_entry = on_entry
        self._kept: list[Entry] = []
        self._equal: Counter[tuple[str, str, str | None, str]] = Counter()
        self._dropped: Counter[tuple[str, str, str | None, str]] = Counter()
        self._counts: Counter[str] = Counter()

    def add_error(
        self,
        message: str,
        *,
        namespace: str | None = None,
        resource: str = "",
        name: str = "",
        error: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Record what makes the backup PartiallyFailed; `fields` are added to its log line."""
        self._add(Entry("error", message, namespace, resource, name, error, fields or {}))

    def add_warning(
        self, message: str, *, namespace: str | None = None, resource: str = "", name: str = "", error: str = ""
    ) -> None:
        """Record what the operator should know but what loses nothing."""
        self._add(Entry("warning", message, namespace, resource, name, error))

    @property
    def error_count(self) -> int:
        """All errors, kept or only counted."""
        return self._counts["error"]

    @property
    def warning_count(self) -> int:
        """All warnings, kept or only counted."""
        return self._counts["warning"]

    def entries(self) -> Sequence[Entry]:
        """The kept entries, and one closing entry for each group of which more were counted."""
        return [*self._kept, *self.closing_entries()]

    def closing_entries(self) -> Sequence[Entry]:
        """What ends the results, and the log: how many more there were of each group that was capped."""
        return [
            Entry(severity, f"and {count} more like it: {message}", namespace, resource)
            for (severity, message, namespace, resource), count in self._dropped.items()
        ]

    def to_document(self) -> dict[str, Any]:
        """`<B>-results.gz`: `errors` and `warnings`, each by velero, cluster and namespaces; empty parts are absent."""
        return {
            key: _by_place([entry for entry in self.entries() if entry.severity == severity])
            for key, severity in (("errors", "error"), ("warnings", "warning"))
        }

    def to_shared(self) -> dict[str, Any]:
        """Give all of it as JSON may have it, for the process that puts several together; fields of log lines aside."""
        dropped = [[*group, count] for group, count in self._dropped.items()]
        return {"kept": [{**asdict(entry), "fields": {}} for entry in self._kept], "dropped": dropped}

    def absorb(self, shared: Mapping[str, Any]) -> None:
        """Add what `to_shared` gave; `on_entry` is not told, since it was told there."""
        on_entry, self._on_entry = self._on_entry, None
        for document in shared["kept"]:
            self._add(Entry(**document))
        for *group, count in shared["dropped"]:
            severity, message, namespace, resource = group
            self._counts[severity] += count
            self._dropped[(severity, message, namespace, resource)] += count
        self._on_entry = on_entry

    def _add(self, entry: Entry) -> None:
        group = (entry.severity, entry.message, entry.namespace, entry.resource)
        self._counts[entry.severity] += 1
        self._equal[group] += 1
        if self._equal[group] > _EQUAL_ENTRIES:
            self._dropped[group] += 1
        elif len(self._kept) >= _ALL_ENTRIES:
            del self._equal[group]
            self._dropped[(entry.severity, "results of other kinds", None, "")] += 1
        else:
            self._kept.append(entry)
            if self._on_entry is not None:
                self._on_entry(entry)


def _by_place(entries: Sequence[Entry]) -> dict[str, Any]:
    velero = [entry.text for entry in entries if entry.namespace is None]
    cluster = [entry.text for entry in entries if entry.namespace == ""]
    namespaces: dict[str, list[str]] = {}
    for entry in entries:
        if entry.namespace:
            namespaces.setdefault(entry.namespace, []).append(entry.text)
    parts = {"velero": velero, "cluster": cluster, "namespaces": dict(sorted(namespaces.items()))}
    return {key: part for key, part in parts.items() if part}
