"""Items are listed and extracted alike from both kinds of backup, with or without an index."""

import gzip
import json
import tarfile
from pathlib import Path

import pytest

from pinnace.archive.contents import Item, extract, items
from pinnace.errors import BackupNotFoundError, ItemNotFoundError, MalformedObjectError, VerificationError
from pinnace.store.backup_store import BackupStore
from unit.backup.small_backup import GOLDEN, golden_store, write_backup


def test_items_are_the_same_with_and_without_an_index(tmp_path: Path) -> None:
    store = write_backup(tmp_path)
    with_index = list(items(store))
    assert with_index[0] == Item("configmaps", "golden-a", "awkward", 1635)
    body = extract(store, "storageclasses.storage.k8s.io/golden-manual")
    store.put(store.keys.index, b"")
    Path(tmp_path, store.keys.index).unlink()
    assert list(items(store)) == with_index
    assert extract(store, "storageclasses.storage.k8s.io/golden-manual") == body


@pytest.mark.parametrize("name", ["golden-all", "golden-selector"])
def test_what_velero_wrote_is_listed_and_extracted_as_tar_has_it(name: str) -> None:
    store = BackupStore(golden_store(), name)
    with tarfile.open(GOLDEN / "bucket/backups" / name / f"{name}.tar.gz") as tar:
        paths = [path for path in tar.getnames() if "-preferredversion" not in path][1:]
        texts = [tar.extractfile(path).read() for path in paths]  # type: ignore[union-attr]
    listed = list(items(store))
    assert [item.size_bytes for item in listed] == [len(text) for text in texts]
    assert [item.name for item in listed] == [json.loads(text)["metadata"]["name"] for text in texts]
    assert extract(store, listed[-1].item_name) == texts[-1]


def test_an_item_or_backup_that_is_not_there_is_named(tmp_path: Path) -> None:
    store = write_backup(tmp_path)
    with pytest.raises(
        ItemNotFoundError, match="backup small has no item pods/a; `pinnace backup contents small` lists"
    ):
        extract(store, "pods/a")
    with pytest.raises(BackupNotFoundError):
        list(items(BackupStore(golden_store(), "nowhere")))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b'"offset":1536', b'"offset":1537', "configmaps/golden-a/awkward is not what the index says: SHA-256 differs"),
        (b'"member":[0,', b'"member":[1,', "configmaps/golden-a/awkward: the gzip member at byte 1 of "),
        (b'"member":[0,', b'"member":[0,999999999', "configmaps/golden-a/awkward: the index names a gzip member of "),
    ],
)
def test_an_index_that_is_wrong_is_one_sentence(tmp_path: Path, old: bytes, new: bytes, sentence: str) -> None:
    store = write_backup(tmp_path)
    index = gzip.decompress(store.read(store.keys.index))
    store.put(store.keys.index, gzip.compress(index.replace(old, new, 1)))
    with pytest.raises(VerificationError) as raised:
        extract(store, "configmaps/golden-a/awkward")
    assert str(raised.value).startswith(f"folder {tmp_path}: {sentence}")


@pytest.mark.parametrize(
    "line",
    [b"[]", b"nothing", b"{}", b'{"member":[1]}', b'{"member":[1,2,3]}'],
)
def test_a_line_that_is_none_of_an_index_names_it(tmp_path: Path, line: bytes) -> None:
    store = write_backup(tmp_path)
    store.put(store.keys.index, gzip.compress(line + b"\n"))
    with pytest.raises(
        MalformedObjectError, match=r"backups/small/small-index\.jsonl\.gz: line 1 is no line of an index"
    ):
        list(items(store))


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", 1), ("namespace", None), ("offset", -1), ("length", True), ("length", 1.5), ("sha256", "00")],
)
def test_a_field_of_another_type_is_refused(tmp_path: Path, field: str, value: object) -> None:
    store = write_backup(tmp_path)
    line = json.loads(gzip.decompress(store.read(store.keys.index)).splitlines()[0])
    store.put(store.keys.index, gzip.compress(json.dumps({**line, field: value}).encode() + b"\n"))
    with pytest.raises(MalformedObjectError, match="line 1 is no line of an index"):
        list(items(store))
