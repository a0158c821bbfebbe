"""Our CRDs beside those of the real Velero: every field, type and enum is the same, so either can replace the other."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

_OURS = Path(__file__).parents[2] / "k8s" / "crds"
_VELERO = "github.com/vmware-tanzu/velero@v1.18.1"
_IMPLIED = ("apiVersion", "kind", "metadata")
"""The API server puts these in where a schema leaves them out."""


@pytest.fixture(scope="module")
def veleros() -> dict[str, dict[str, Any]]:
    """Velero's CRDs by plural, from the Go module cache."""
    cache = Path(os.environ.get("GOMODCACHE") or Path.home() / "go/pkg/mod")
    documents = [yaml.safe_load(path.read_text()) for path in (cache / _VELERO).glob("config/crd/*/bases/*.yaml")]
    if not documents:
        pytest.skip(f"Velero's source is not cached; `go mod download {_VELERO}` fetches it")
    return {document["spec"]["names"]["plural"]: document for document in documents}


def ours(plural: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((_OURS / f"{plural}.yaml").read_text())
    return document


def structure(schema: Any) -> Any:
    """A schema without its words; a property may be named `description`, so properties are gone through by name."""
    if isinstance(schema, list):
        return [structure(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: structure(value) for key, value in schema.items() if key not in ("description", "properties")}
    if "properties" in schema:
        plain["properties"] = {name: structure(field) for name, field in schema["properties"].items()}
    if "required" in schema:
        plain["required"] = sorted(schema["required"])
    return plain


def fields(document: dict[str, Any]) -> dict[str, Any]:
    [version] = document["spec"]["versions"]
    schema: dict[str, Any] = structure(version["schema"]["openAPIV3Schema"])
    schema["properties"] = {name: field for name, field in schema["properties"].items() if name not in _IMPLIED}
    return {
        "names": document["spec"]["names"],
        "scope": document["spec"]["scope"],
        "version": version["name"],
        **schema,
    }


def columns(document: dict[str, Any]) -> list[dict[str, Any]]:
    [version] = document["spec"]["versions"]
    return [
        {key: value for key, value in column.items() if key != "description"}
        for column in version.get("additionalPrinterColumns", [])
    ]


def test_every_field_is_veleros(veleros: dict[str, dict[str, Any]]) -> None:
    assert {plural: fields(ours(plural)) for plural in veleros} == {
        plural: fields(document) for plural, document in veleros.items()
    }


def test_velero_has_no_status_subresource_either(veleros: dict[str, dict[str, Any]]) -> None:
    assert [p for p, d in veleros.items() if d["spec"]["versions"][0].get("subresources")] == []


def test_columns_are_veleros_but_for_backups_and_one_that_reads_no_field(veleros: dict[str, dict[str, Any]]) -> None:
    different = {plural for plural, document in veleros.items() if columns(ours(plural)) != columns(document)}
    assert different == {"backups", "podvolumebackups"}
    assert columns(veleros["backups"]) == []
    veleros_columns = columns(veleros["podvolumebackups"])
    for column in veleros_columns:
        if column["name"] == "Node":
            column["jsonPath"] = column["jsonPath"].replace(".status.", ".spec.")
    assert columns(ours("podvolumebackups")) == veleros_columns
