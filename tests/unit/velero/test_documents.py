"""What is written equals what Velero wrote: the golden Backups and companions are the reference."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.errors import UsageError
from pinnace.velero import encode
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.duration import format_duration, parse_duration
from pinnace.velero.results import Results
from pinnace.velero.validation import validate

_BACKUPS = sorted(Path(__file__).parents[2].glob("golden/bucket/backups/*"))


@pytest.mark.parametrize("folder", _BACKUPS, ids=lambda folder: folder.name)
def test_documents_are_encoded_as_velero_encodes_them(folder: Path) -> None:
    metadata = (folder / "velero-backup.json").read_bytes()
    assert encode.indented(json.loads(metadata)) == metadata
    for path in folder.glob("*.json.gz"):
        plain = gzip.decompress(path.read_bytes())
        assert encode.compact(json.loads(plain)) == plain


@pytest.mark.parametrize("folder", _BACKUPS, ids=lambda folder: folder.name)
def test_a_golden_backup_is_read_and_written_with_the_same_spec(folder: Path) -> None:
    document = json.loads((folder / "velero-backup.json").read_bytes())
    assert Backup.from_document(document).spec.to_document() == document["spec"]


@given(st.integers(min_value=-(10**8), max_value=10**8))
def test_a_duration_survives_being_written(seconds: int) -> None:
    assert parse_duration(format_duration(seconds), field="ttl") == pytest.approx(seconds)


def test_days_are_not_a_go_duration() -> None:
    with pytest.raises(UsageError, match=r"spec\.ttl: '30d' is not a duration"):
        BackupSpec.from_document({"ttl": "30d"})


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"spec\.includeNamespaces: no such field"):
        BackupSpec.from_document({"includeNamespaces": ["a"]})


def test_what_is_not_there_yet_and_what_velero_refuses_is_named() -> None:
    spec = BackupSpec.from_document(
        {"snapshotMoveData": True, "includedResources": ["*", "pods"], "includedClusterScopedResources": ["x"]}
    )
    texts = validate(Backup(name="b", spec=spec))
    assert [text.partition("\n")[0].partition(":")[0] for text in texts] == [
        "include-resources, exclude-resources and include-cluster-resources are old filter parameters.",
        "Invalid included/excluded resource lists",
        "spec.snapshotMoveData",
    ]


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
