"""How one list went, as data for results, log and manifest."""

import base64
import binascii
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from pinnace.collect.plan import ListRequest

__all__ = ["LEFT_OUT_WORDS", "CollectedList", "Span", "last_key"]


LEFT_OUT = ("exclude_label", "deleting", "namespace")

LEFT_OUT_WORDS = {
    "exclude_label": "labelled velero.io/exclude-from-backup=true",
    "deleting": "being deleted",
    "namespace": "of excluded namespaces",
    "refused": "that can't be stored (errors above)",
}
"""What stands behind a count of items in sentences."""


@dataclass
class Span:
    """A part of a list that was read at one resourceVersion.

    `up_to` is the `namespace/name` of its last item; "" for a list's last span, and where the server does not tell.
    """

    resource_version: str
    item_count: int = 0
    up_to: str = ""


@dataclass
class CollectedList:
    """How one list went; `error` is a sentence, and the items before it stay in the archive."""

    request: ListRequest
    consistency: str = "revision"
    spans: list[Span] = field(default_factory=list)
    item_count: int = 0
    page_count: int = 0
    page_bytes: int = 0
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    encodings: list[str] = field(default_factory=list)
    """In which its pages came, each once: `json`, `protobuf`, or both where the latter could not be read on."""

    protobuf_error: str = ""
    """Why protobuf could not be read on; what came before it stays in the archive, and nothing is missing."""

    left_out: Counter[str] = field(default_factory=Counter)
    """Items that were not taken, by the engine's reason (`exclude_label`, `deleting`, `namespace`) or `refused`."""

    @property
    def revisions(self) -> list[str]:
        """Every resourceVersion it was read at, in order; more than one after it expired in its middle."""
        return [span.resource_version for span in self.spans if span.resource_version]

    def add_left_out(self, skipped: Mapping[str, int], *, refused_count: int) -> None:
        """Count what one response held and the archive did not take; what another one brought is not left out."""
        self.left_out.update({reason: skipped[reason] for reason in LEFT_OUT if skipped.get(reason)})
        if refused_count:
            self.left_out["refused"] += refused_count

    def add(self, *, resource_version: str, item_count: int, page_bytes: int) -> None:
        """Count what the archive took of one response."""
        self.item_count += item_count
        self.page_bytes += page_bytes
        if not self.spans or (resource_version and self.spans[-1].resource_version != resource_version):
            self.spans.append(Span(resource_version))
        self.spans[-1].item_count += item_count


def last_key(continue_token: str, *, namespace: str = "") -> str:
    """The `namespace/name` after which a continue token goes on; "" where the token is not of the form that we know.

    Tokens mean nothing to clients by contract; what is read here is only told, in the manifest (storage/continue.go).
    In the list of one namespace they leave that out.
    """
    try:
        padding = "=" * (-len(continue_token) % 4)
        start = orjson.loads(base64.urlsafe_b64decode(continue_token + padding))["start"]
    except (binascii.Error, KeyError, TypeError, ValueError):
        return ""
    key = str(start).rstrip("\0").strip("/")
    return f"{namespace}/{key}" if namespace else key
