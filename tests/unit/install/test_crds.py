"""Which of the kinds that a cluster has already are kept."""

from typing import Any

import pytest

from pinnace.install.crds import Existing, kept_because

_PART_OF, _VERSION = "app.kubernetes.io/part-of", "app.kubernetes.io/version"
_FOREIGN = "kept: not pinnace's, most likely Velero's; pinnace writes only what it knows"


def crd(labels: dict[str, str] | None) -> dict[str, Any]:
    return {"metadata": {"labels": labels}}


def ours(version: str) -> dict[str, Any]:
    return crd({_PART_OF: "pinnace", _VERSION: version})


@pytest.mark.parametrize(
    ("installed", "reason"),
    [
        (None, ""),
        (ours("1.18"), ""),
        (ours("1.9"), ""),
        (ours("1.18.1"), "kept: it is of a newer pinnace, with the fields of Velero 1.18.1"),
        (ours("2.0"), "kept: it is of a newer pinnace, with the fields of Velero 2.0"),
        (crd({"component": "velero"}), _FOREIGN),
        (crd(None), _FOREIGN),
    ],
)
def test_kept_are_those_of_others_and_newer_ones(installed: dict[str, Any] | None, reason: str) -> None:
    assert kept_because(installed, ours=ours("1.18"), existing=Existing.KEEP) == reason


@pytest.mark.parametrize("installed", [ours("2.0"), crd({"component": "velero"}), crd(None)])
def test_overwrite_keeps_none(installed: dict[str, Any]) -> None:
    assert kept_because(installed, ours=ours("1.18"), existing=Existing.OVERWRITE) == ""
