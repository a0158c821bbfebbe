"""What a store says about a backup is gathered whoever wrote it, and one broken backup does not hide the others."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from pinnace.backup import stored
from pinnace.backup.description import describe, listed_items, stored_backups
from pinnace.backup.stored import StoredResult
from pinnace.errors import BackupNotFoundError, ItemNotFoundError, MalformedObjectError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.results import Results
from unit.backup.small_backup import GOLDEN, golden_store, write_backup


@pytest.fixture
def foreign(tmp_path: Path) -> BackupStore:
    shutil.copytree(GOLDEN / "bucket", tmp_path / "store")
    return BackupStore(FilesystemStore(tmp_path / "store"), "golden-selector")


def test_a_backup_of_velero_has_no_manifest_but_counts() -> None:
    described = describe(BackupStore(golden_store(), "golden-resources"))
    assert (described.manifest, described.results, described.archive_bytes) == (None, (), 3673)
    assert described.kind_counts == {"v1/ConfigMap": 2, "v1/Pod": 3}
    assert described.backup["status"]["phase"] == "Completed"


def test_a_backup_of_pinnace_has_its_manifest_and_results_by_place(tmp_path: Path) -> None:
    results = Results()
    results.add_error("m", namespace="ns", resource="pods", name="p", error="e")
    results.add_error("c", namespace="")
    results.add_warning("w")
    described = describe(write_backup(tmp_path, results=results))
    assert described.manifest is not None
    assert described.manifest.item_count == 5
    assert described.results == (
        StoredResult("error", "cluster", "", " message: /c"),
        StoredResult("error", "namespaces", "ns", " resource: /pods name: /p message: /m error: /e"),
        StoredResult("warning", "velero", "", " message: /w"),
    )


def test_what_is_not_there_is_none(foreign: BackupStore) -> None:
    for key in (foreign.keys.results, foreign.keys.resource_list, foreign.keys.archive):
        foreign._store.delete(key)
    described = describe(foreign)
    assert (described.results, described.kind_counts, described.archive_bytes) == (None, None, None)
    assert list(listed_items(foreign)) == []


def test_a_broken_backup_does_not_hide_the_others(foreign: BackupStore) -> None:
    foreign.put(foreign.keys.metadata, b"{")
    found = list(stored_backups(foreign._store))
    assert [type(each).__name__ for each in found] == ["dict", "dict", "dict", "dict", "MalformedObjectError"]
    assert "backups/golden-selector/velero-backup.json: it is no JSON: " in str(found[-1])


@pytest.mark.parametrize(
    ("part", "value", "wrong"),
    [
        ("status", [], "status"),
        ("spec", {"includedNamespaces": "a"}, "spec.includedNamespaces"),
        ("spec", {"labelSelector": []}, "spec.labelSelector"),
        ("metadata", {"name": "golden-selector", "labels": 1}, "metadata.labels"),
        ("status", {"errors": "1"}, "status.errors"),
        ("status", {"phase": 1}, "status.phase"),
    ],
)
def test_a_field_of_another_type_is_named(foreign: BackupStore, part: str, value: object, wrong: str) -> None:
    document = json.loads(foreign.read_metadata())
    foreign.put(foreign.keys.metadata, json.dumps({**document, part: value}).encode())
    with pytest.raises(MalformedObjectError, match=f"its {wrong} is not of the type that a Backup has there"):
        describe(foreign)


def test_fields_of_a_newer_velero_are_kept(foreign: BackupStore) -> None:
    document = json.loads(foreign.read_metadata())
    document["spec"]["newField"] = {"a": 1}
    foreign.put(foreign.keys.metadata, json.dumps(document).encode())
    assert describe(foreign).backup == document


@pytest.mark.parametrize("results", [b"[]", b'{"errors":{"velero":"text"}}', b'{"errors":{"velero":[1]}}'])
def test_results_that_are_none_are_named(foreign: BackupStore, results: bytes) -> None:
    foreign.put(foreign.keys.results, gzip.compress(results))
    with pytest.raises(
        MalformedObjectError, match=r"golden-selector-results\.gz: it is no pair of errors and warnings"
    ):
        describe(foreign)


def test_a_log_that_was_never_uploaded_is_a_sentence(tmp_path: Path, foreign: BackupStore) -> None:
    store = write_backup(tmp_path / "own")
    assert b"".join(stored.log(store)).startswith(b'time="2026-11-25T03:00:00Z" level=info msg=')
    with pytest.raises(ItemNotFoundError) as raised:
        stored.log(foreign)
    assert str(raised.value).endswith(
        "backup golden-selector has no log: backups/golden-selector/golden-selector-logs.gz is not there, "
        "though the backup is"
    )


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (" resource: /pods message: /and 150 more like it: m", 150),
        (" message: /and 7 more like it: results of other kinds", 7),
        (" resource: /pods name: /and message: /x and 7 more like it: y", 1),
        (" message: /m error: /and 7 more like it: z", 1),
    ],
)
def test_a_capped_result_says_for_how_many_it_stands(text: str, count: int) -> None:
    assert StoredResult("error", "velero", "", text).count == count


def test_the_log_of_a_run_that_failed_is_read_though_there_is_no_backup(tmp_path: Path) -> None:
    store = BackupStore(FilesystemStore(tmp_path), "failed")
    store.put(store.keys.log, gzip.compress(b"why\n"))
    assert b"".join(stored.log(store)) == b"why\n"
    with pytest.raises(BackupNotFoundError):
        stored.log(BackupStore(FilesystemStore(tmp_path), "never"))
