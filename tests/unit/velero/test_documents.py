"""What is written equals what Velero wrote: the golden Backups and companions are the reference."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.backup.documents import with_cluster_version
from pinnace.errors import UsageError
from pinnace.velero import encode
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.duration import format_duration, parse_duration
from pinnace.velero.results import Results

_BACKUPS = sorted(Path(__file__).parents[2].glob("golden/bucket/backups/*"))
_ASKED = (
    "includedNamespaces",
    "includedResources",
    "includeClusterResources",
    "includedClusterScopedResources",
    "includedNamespaceScopedResources",
    "labelSelector",
)
"""What the flags of the golden backups set (README there)."""


@pytest.mark.parametrize("folder", _BACKUPS, ids=lambda folder: folder.name)
def test_documents_are_encoded_as_velero_encodes_them(folder: Path) -> None:
    metadata = (folder / "velero-backup.json").read_bytes()
    assert encode.indented(json.loads(metadata)) == metadata
    for path in folder.glob("*.json.gz"):
        plain = gzip.decompress(path.read_bytes())
        assert encode.compact(json.loads(plain)) == plain


@pytest.mark.parametrize("folder", _BACKUPS, ids=lambda folder: folder.name)
def test_what_velero_wrote_is_read_and_written_whole(folder: Path) -> None:
    document = json.loads((folder / "velero-backup.json").read_bytes())
    assert Backup.from_document(document).to_document() == document


def test_fields_of_a_newer_velero_are_kept_when_reading() -> None:
    document = {
        "kind": "Backup",
        "apiVersion": "velero.io/v1",
        "metadata": {"name": "b", "namespace": "velero", "selfLink": "x", "ownerReferences": [{"kind": "Schedule"}]},
        "spec": {
            "metadata": {},
            "hooks": {},
            "ttl": "1h30m0.5s",
            "csiSnapshotTimeout": "10m0s",
            "itemOperationTimeout": "4h0m0s",
            "newField": {"a": [1]},
        },
        "status": {"version": 1, "formatVersion": "1.1.0", "phase": "Completed", "newCount": 3},
    }
    assert Backup.from_document(document).to_document() == document


@pytest.mark.parametrize("folder", _BACKUPS, ids=lambda folder: folder.name)
def test_a_run_from_here_writes_what_a_velero_server_would_have_written(folder: Path) -> None:
    """The golden Backup is taken back to what `velero backup create` sent, and completed by us."""
    golden = json.loads((folder / "velero-backup.json").read_bytes())
    asked = {name: golden["spec"][name] for name in _ASKED if name in golden["spec"]}
    for name in ("excludedResources", "excludedClusterScopedResources", "excludedNamespaceScopedResources"):
        asked.pop(name, None)
    backup = Backup(name=folder.name, spec=BackupSpec.from_document(asked, strict=True))
    version = {"gitVersion": "v1.35.4", "major": "1", "minor": "35"}
    status = golden["status"]
    written = with_cluster_version(backup, version, ttl_seconds=30 * 24 * 3600).with_status(
        phase="Completed",
        expiration=status["expiration"],
        start_timestamp=status["startTimestamp"],
        completion_timestamp=status["completionTimestamp"],
        total_items=status["progress"]["totalItems"],
        items_backed_up=status["progress"]["itemsBackedUp"],
    )
    for assigned_by_the_api_server in ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"):
        del golden["metadata"][assigned_by_the_api_server]
    assert written.to_document() == golden


def test_a_backup_of_everything_does_not_say_that_it_is_filtered() -> None:
    version = {"gitVersion": "v1.35.4", "major": "1", "minor": "35"}
    written = with_cluster_version(Backup(name="b"), version, ttl_seconds=3600).to_document()
    assert (written["metadata"]["labels"], written["spec"]) == (
        {"velero.io/storage-location": "default"},
        {
            "metadata": {},
            "includedNamespaces": ["*"],
            "ttl": "1h0m0s",
            "volumeGroupSnapshotLabelKey": "velero.io/volume-group",
            "hooks": {},
            "storageLocation": "default",
            "defaultVolumesToFsBackup": False,
            "csiSnapshotTimeout": "10m0s",
            "itemOperationTimeout": "4h0m0s",
            "snapshotMoveData": False,
        },
    )


@given(st.integers(min_value=-(10**8), max_value=10**8))
def test_a_duration_survives_being_written(seconds: int) -> None:
    assert parse_duration(format_duration(seconds), field="ttl") == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "seconds", "written"),
    [
        ("0", 0, "0s"),
        ("720h", 2592000, "720h0m0s"),
        ("90m", 5400, "1h30m0s"),
        ("1h0.5s", 3600.5, "1h0m0.5s"),
        ("-1m", -60, "-1m0s"),
        ("+1.5h", 5400, "1h30m0s"),
        ("1500us", 0.0015, "1.5ms"),
        ("2µs", 0.000002, "2µs"),
        ("1ns", 1e-9, "1ns"),
    ],
)
def test_durations_are_gos(text: str, seconds: float, written: str) -> None:
    assert parse_duration(text, field="ttl") == pytest.approx(seconds)
    assert format_duration(seconds) == written


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("30d", "spec.ttl: '30d' is not a duration: days are written as hours, 720h"),
        ("x", "spec.ttl: 'x' is not a duration such as 720h or 1h30m0s; days are written as hours"),
        ("1h30", "spec.ttl: '1h30' is not a duration such as 720h or 1h30m0s; days are written as hours"),
    ],
)
def test_what_is_no_go_duration_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        BackupSpec.from_document({"ttl": text})
    assert str(raised.value) == sentence


def test_an_unknown_field_is_refused_by_name_in_a_manifest() -> None:
    manifest = {"kind": "Backup", "apiVersion": "velero.io/v1", "spec": {"includeNamespaces": ["a"]}}
    with pytest.raises(UsageError, match=r"spec\.includeNamespaces: no such field"):
        Backup.from_document(manifest, strict=True)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"includedNamespaces": "a"}, "spec.includedNamespaces: a list of names is wanted"),
        ({"includedNamespaces": [1]}, "spec.includedNamespaces: a list of names is wanted"),
        ({"includeClusterResources": "no"}, "spec.includeClusterResources: true or false is wanted, not 'no'"),
        ({"labelSelector": "a=b"}, "spec.labelSelector: a LabelSelector is wanted, not 'a=b'"),
        ({"orLabelSelectors": {}}, "spec.orLabelSelectors: a list of LabelSelectors is wanted, not {}"),
        (
            {"orderedResources": ["a"]},
            "spec.orderedResources: a mapping of a plural to names is wanted, not ['a']",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(spec: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        BackupSpec.from_document(spec)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (["a"], "not a Backup: the document is not a mapping"),
        ({"kind": "Restore", "apiVersion": "velero.io/v1"}, "not a Backup of velero.io/v1: it is velero.io/v1 Restore"),
    ],
)
def test_what_is_no_backup_is_refused(document: object, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        Backup.from_document(document)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("namespace", "place"),
    [(None, ["velero"]), ("", ["cluster"]), ("ns", ["namespaces", "ns"])],
)
def test_a_result_is_put_where_velero_puts_it_with_veleros_text(namespace: str | None, place: list[str]) -> None:
    results = Results()
    results.add_error("m", namespace=namespace, resource="pods", name="n", error="e")
    results.add_error("m", namespace=namespace)
    entries = results.to_document()["errors"]
    for key in place:
        entries = entries[key]
    assert entries == [" resource: /pods name: /n message: /m error: /e", " message: /m"]


@pytest.mark.parametrize("folder", _BACKUPS, ids=lambda folder: folder.name)
def test_results_without_entries_are_the_golden_ones(folder: Path) -> None:
    golden = gzip.decompress((folder / f"{folder.name}-results.gz").read_bytes())
    assert encode.compact(Results().to_document()) == golden


def test_results_have_veleros_shape_and_equal_ones_are_counted() -> None:
    results = Results()
    results.add_warning("odd", namespace="ns", resource="pods", name="p")
    for number in range(250):
        results.add_error("bad", namespace="", resource="nodes", name=str(number))
    document = results.to_document()
    assert results.error_count == 250
    assert document["warnings"] == {"namespaces": {"ns": [" resource: /pods name: /p message: /odd"]}}
    assert len(document["errors"]["cluster"]) == 101
    assert document["errors"]["cluster"][-1] == " resource: /nodes message: /and 150 more like it: bad"
