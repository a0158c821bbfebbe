"""Only what the installed version knows is written."""

from typing import Any

import pytest

from pinnace.errors import InstalledCrdError
from pinnace.velero.installed_crd import known_phases, prune_status

_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}


def schema(*phases: str, **fields: dict[str, Any]) -> dict[str, Any]:
    phase = {**_TEXT, "enum": list(phases)} if phases else _TEXT
    return {"properties": {"status": {"type": "object", "properties": {"phase": phase, **fields}}}}


def crd(backup: dict[str, Any], *, kind: str = "Backup", version: str = "v1") -> dict[str, Any]:
    return {
        "kind": "CustomResourceDefinition",
        "spec": {
            "group": "velero.io",
            "names": {"kind": kind},
            "versions": [{"name": "v0"}, {"name": version, "schema": {"openAPIV3Schema": backup}}],
        },
    }


def openapi(backup: dict[str, Any], *, kind: str = "Backup") -> dict[str, Any]:
    named = {"x-kubernetes-group-version-kind": [{"group": "velero.io", "version": "v1", "kind": kind}]}
    return {"openapi": "3.0.0", "components": {"schemas": {"other": {}, "io.velero.v1.Backup": {**named, **backup}}}}


_OLD = ("New", "FailedValidation", "InProgress", "Completed", "PartiallyFailed", "Failed", "Deleting")


@pytest.mark.parametrize("wrapped", [crd, openapi])
def test_the_phases_are_those_of_the_enum(wrapped: Any) -> None:
    assert known_phases(wrapped(schema(*_OLD))) == frozenset(_OLD)
    assert known_phases(wrapped(schema())) is None
    assert known_phases(wrapped({})) is None


_STATUS = {
    "phase": "Completed",
    "errors": 1,
    "queuePosition": 2,
    "hookStatus": {},
    "progress": {"totalItems": 3, "new": 4},
    "validationErrors": ["a"],
    "byName": {"x": {"known": 1, "new": 2}},
    "list": [{"known": 1, "new": 2}],
    "any": {"x": {"y": 1}},
    "raw": {"x": 1},
}


@pytest.mark.parametrize("wrapped", [crd, openapi])
def test_fields_that_are_not_known_are_dropped_on_every_level(wrapped: Any) -> None:
    inner = {"type": "object", "properties": {"known": _NUMBER}}
    installed = schema(
        *_OLD,
        errors=_NUMBER,
        progress={"type": "object", "properties": {"totalItems": _NUMBER}},
        validationErrors={"type": "array", "items": _TEXT},
        byName={"type": "object", "additionalProperties": inner},
        list={"type": "array", "items": inner},
        any={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        raw={"type": "object", "additionalProperties": True},
    )
    assert prune_status(_STATUS, document=wrapped(installed)) == {
        "phase": "Completed",
        "errors": 1,
        "progress": {"totalItems": 3},
        "validationErrors": ["a"],
        "byName": {"x": {"known": 1}},
        "list": [{"known": 1}],
        "any": {"x": {"y": 1}},
        "raw": {"x": 1},
    }


def test_a_phase_that_is_not_known_is_refused_and_no_phase_is_none() -> None:
    installed = crd(schema("New", "Failed"))
    with pytest.raises(InstalledCrdError) as raised:
        prune_status({"phase": "Queued"}, document=installed)
    assert str(raised.value) == (
        "CustomResourceDefinition backups.velero.io: it does not know phase Queued, only Failed, New; "
        "install the CRDs of a newer Velero"
    )
    assert prune_status({"phase": "Queued"}, document=crd(schema())) == {"phase": "Queued"}
    assert prune_status({}, document=installed) == {}


@pytest.mark.parametrize(
    "document",
    [{}, {"kind": "Status"}, crd(schema(), kind="Restore"), crd(schema(), version="v2"), openapi({}, kind="Restore")],
)
def test_a_document_that_does_not_describe_backups_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InstalledCrdError) as raised:
        known_phases(document)
    assert str(raised.value) == (
        "CustomResourceDefinition backups.velero.io: the document does not describe Backup of velero.io/v1; "
        "install Velero's CRDs"
    )
