"""Decides whether a kind that the cluster has already is replaced: pinnace works beside Velero's own, old or new."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = ["Existing", "kept_because"]

_PART_OF = "app.kubernetes.io/part-of"
_VERSION = "app.kubernetes.io/version"
"""On our CRDs: the Velero whose fields they have."""


class Existing(StrEnum):
    """`--crds`: what happens to kinds that are there already and not ours."""

    KEEP = "keep"
    OVERWRITE = "overwrite"


def kept_because(installed: Mapping[str, Any] | None, *, ours: Mapping[str, Any], existing: Existing) -> str:
    """Say why an installed CRD is kept; "" where it is absent, ours and not newer, or to be overwritten."""
    if installed is None or existing is Existing.OVERWRITE:
        return ""
    labels = installed["metadata"].get("labels") or {}
    if labels.get(_PART_OF) != "pinnace":
        return "kept: not pinnace's, most likely Velero's; pinnace writes only what it knows"
    theirs, own = (str(found.get(_VERSION, "")) for found in (labels, ours["metadata"]["labels"]))
    if _numbers(theirs) > _numbers(own):
        return f"kept: it is of a newer pinnace, with the fields of Velero {theirs}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
