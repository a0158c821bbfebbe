"""What a run came to, for people: one table of the backup, and its errors and warnings below each other."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pinnace.cli import human

if TYPE_CHECKING:
    from pinnace.backup.run import Outcome
    from pinnace.velero.results import Entry

__all__ = ["outcome_rows", "result_rows"]


def outcome_rows(outcome: "Outcome", *, seconds: float, location: str) -> Sequence[Mapping[str, object]]:
    """Give the summary as pairs of a word and its value."""
    status = outcome.backup.status
    page_bytes = sum(collected.page_bytes for collected in outcome.lists)
    kinds = {collected.request.resource.group_resource for collected in outcome.lists if collected.item_count}
    rate = f"{status.items_backed_up / seconds:,.0f} items/s, {human.byte_size(page_bytes / seconds)}/s"
    values = {
        "Name": outcome.backup.name,
        "Phase": status.phase,
        "Items": f"{status.items_backed_up:,}",
        "Kinds": len(kinds),
        "Archive": f"{human.byte_size(outcome.digest.archive_bytes)} from {human.byte_size(page_bytes)} of lists",
        "Duration": f"{seconds:.1f} s, {rate}",
        "Consistency": _consistency(outcome),
        "Errors": status.errors,
        "Warnings": status.warnings,
        "Location": f"{location}, backups/{outcome.backup.name}/",
    }
    return [{"backup": key, "value": value} for key, value in values.items()]


def _consistency(outcome: "Outcome") -> str:
    """Say at which revision, and how many kinds could only be listed each in itself."""
    lists = [collected for collected in outcome.lists if not collected.error]
    revisions = Counter(
        revision for collected in lists if collected.consistency == "revision" for revision in collected.revisions
    )
    apart = sorted({each.request.resource.group_resource for each in lists if each.consistency != "revision"})
    if not revisions:
        return "each kind in itself"
    shown = f"revision {revisions.most_common(1)[0][0]}"
    return f"{shown}; each in itself: {', '.join(apart)}" if apart else shown


def result_rows(entries: Sequence["Entry"]) -> Iterator[Mapping[str, object]]:
    """Give errors, then warnings: which item or kind, and the cause."""
    for severity in ("error", "warning"):
        for entry in entries:
            if entry.severity == severity:
                yield {
                    severity.upper(): entry.resource or "-",
                    "NAMESPACE": entry.namespace or "-",
                    "NAME": entry.name or "-",
                    "CAUSE": ": ".join(filter(None, (entry.message, entry.error))),
                }
