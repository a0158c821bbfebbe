"""The CRDs: one source of truth for each kind, every field explained, no status subresource."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

_FOLDER = Path(__file__).parents[3] / "k8s" / "crds"
_KINDS = {
    "backuprepositories": "v1",
    "backups": "v1",
    "backupstoragelocations": "v1",
    "datadownloads": "v2alpha1",
    "datauploads": "v2alpha1",
    "deletebackuprequests": "v1",
    "downloadrequests": "v1",
    "podvolumebackups": "v1",
    "podvolumerestores": "v1",
    "restores": "v1",
    "schedules": "v1",
    "serverstatusrequests": "v1",
    "volumesnapshotlocations": "v1",
}
"""Kinds that a Velero 1.18 server needs to start."""


def crd(plural: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((_FOLDER / f"{plural}.yaml").read_text())
    return document


def version(plural: str) -> dict[str, Any]:
    [only] = crd(plural)["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def properties(plural: str) -> dict[str, Any]:
    found: dict[str, Any] = version(plural)["schema"]["openAPIV3Schema"]["properties"]
    return found


def undescribed(schema: dict[str, Any], path: str) -> Iterator[str]:
    """Paths of properties that `kubectl explain` would show without a word."""
    for name, field in schema.get("properties", {}).items():
        if not field.get("description", "").endswith("."):
            yield f"{path}.{name}"
        yield from undescribed(field, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from undescribed(schema["items"], f"{path}[]")


def test_every_kind_that_velero_needs_is_there_in_its_version() -> None:
    found = {path.stem: version(path.stem)["name"] for path in _FOLDER.glob("*.yaml") if path.stem != "kustomization"}
    assert found == _KINDS


def test_the_kustomization_applies_every_file() -> None:
    listed = yaml.safe_load((_FOLDER / "kustomization.yaml").read_text())["resources"]
    assert listed == [f"{plural}.yaml" for plural in _KINDS]


@pytest.mark.parametrize("plural", _KINDS)
def test_status_is_written_through_the_main_resource(plural: str) -> None:
    assert "subresources" not in version(plural)


@pytest.mark.parametrize("plural", _KINDS)
def test_every_field_is_explained(plural: str) -> None:
    assert list(undescribed(version(plural)["schema"]["openAPIV3Schema"], plural)) == []


def test_a_schedules_template_is_a_backups_spec() -> None:
    template = dict(properties("schedules")["spec"]["properties"]["template"])
    spec = dict(properties("backups")["spec"])
    del template["description"], spec["description"]
    assert template == spec


def test_short_names_are_veleros() -> None:
    names = {plural: crd(plural)["spec"]["names"].get("shortNames") for plural in _KINDS}
    assert {plural: short for plural, short in names.items() if short} == {
        "backupstoragelocations": ["bsl"],
        "serverstatusrequests": ["ssr"],
        "volumesnapshotlocations": ["vsl"],
    }
