"""A stored backup is proven, or the first difference is one sentence that names item or object."""

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinnace.backup.verify import verify
from pinnace.errors import VerificationError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.results import Results
from unit.backup.small_backup import CONFIG_MAPS, GOLDEN, golden_store, page_of, write_backup


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one backup of pinnace that nobody changes."""
    folder = tmp_path_factory.mktemp("whole")
    write_backup(folder)
    return folder


@pytest.fixture
def own(whole: Path, tmp_path: Path) -> BackupStore:
    shutil.copytree(whole, tmp_path / "store")
    return BackupStore(FilesystemStore(tmp_path / "store"), "small")


@pytest.fixture
def foreign(tmp_path: Path) -> BackupStore:
    shutil.copytree(GOLDEN / "bucket", tmp_path / "store")
    return BackupStore(FilesystemStore(tmp_path / "store"), "golden-selector")


def change(store: BackupStore, key: str, edit: Callable[[bytes], bytes]) -> None:
    """Write an object anew; gzipped ones are edited gunzipped."""
    body = store.read(key)
    store.put(key, gzip.compress(edit(gzip.decompress(body))) if key.endswith("gz") else edit(body))


def change_json(store: BackupStore, key: str, edit: Callable[[Any], Any]) -> None:
    """Change a document in its place."""

    def edited(body: bytes) -> bytes:
        document = json.loads(body)
        edit(document)
        return json.dumps(document).encode()

    change(store, key, edited)


def difference(store: BackupStore) -> str:
    with pytest.raises(VerificationError) as raised:
        verify(store)
    return str(raised.value).partition(": ")[2]


class Watched:
    """What an observer was told."""

    def __init__(self) -> None:
        self.archive_bytes = 0
        self.read_bytes = 0

    def opened(self, *, archive_bytes: int) -> None:
        self.archive_bytes = archive_bytes

    def read(self, *, chunk_bytes: int) -> None:
        self.read_bytes += chunk_bytes


def test_a_backup_of_pinnace_is_proven_and_its_observer_saw_every_byte(own: BackupStore) -> None:
    watched = Watched()
    verified = verify(own, observer=watched)
    assert (verified.written_by, verified.item_count) == ("pinnace", 5)
    assert watched.archive_bytes == watched.read_bytes == verified.archive_bytes
    assert verified.proven[-1] == "every other object by its SHA-256 in the manifest"


@pytest.mark.parametrize(
    ("name", "items"),
    [
        ("golden-all", 226),
        ("golden-namespace", 32),
        ("golden-selector", 18),
        ("golden-resources", 5),
        ("golden-newfilters", 6),
    ],
)
def test_what_velero_wrote_is_proven_as_far_as_it_can_be(name: str, items: int) -> None:
    verified = verify(BackupStore(golden_store(), name))
    assert (verified.written_by, verified.item_count) == ("another tool", items)
    assert verified.not_proven[0].startswith("that archive and documents are as they were written")


def test_an_empty_backup_is_whole(tmp_path: Path) -> None:
    assert verify(write_backup(tmp_path, pages=[])).item_count == 0


def test_items_over_many_members_and_long_paths_are_proven(tmp_path: Path) -> None:
    filler = "x" * 300_000
    items = [
        {"metadata": {"name": f"{n}-{'n' * 200}", "namespace": "ns", "uid": str(n)}, "data": {"a": filler}}
        for n in range(9)
    ]
    assert verify(write_backup(tmp_path, pages=[(CONFIG_MAPS, page_of(*items))])).item_count == 9


def test_capped_results_count_for_all_that_they_stand_for(tmp_path: Path) -> None:
    results = Results()
    for number in range(250):
        results.add_error("Error backing up item", namespace="ns", resource="pods", name=f"p{number}")
    results.add_warning("w")
    assert verify(write_backup(tmp_path, results=results)).item_count == 5


_LIST = "backups/small/small-resource-list.json.gz"
OWN_DIFFERENCES: list[tuple[str, Callable[[BackupStore], None], str]] = [
    (
        "an object that is missing",
        lambda own: own._store.delete(own.keys.index),
        "backup small is not whole: ",
    ),
    (
        "a manifest that is missing",
        lambda own: own._store.delete(own.keys.manifest),
        "backups/small/small-manifest.json.gz is missing, though there is an index",
    ),
    (
        "another digest in the index",
        lambda own: change(
            own, own.keys.index, lambda body: re.sub(b'"sha256":"[0-9a-f]{8}', b'"sha256":"00000000', body, count=1)
        ),
        "backup small: configmaps/golden-a/awkward is not what the index says: SHA-256 differs",
    ),
    (
        "another length in the index",
        lambda own: change(own, own.keys.index, lambda body: body.replace(b'"length":1', b'"length":2', 1)),
        "backup small: configmaps/golden-a/awkward: the index says 2635 bytes, its file has 1635",
    ),
    (
        "another place in the index",
        lambda own: change(own, own.keys.index, lambda body: body.replace(b'"offset":1536', b'"offset":1535', 1)),
        (
            "configmaps/golden-a/awkward: the index says that it is in the gzip member at byte 0 of "
            "backups/small/small.tar.gz, and it is not"
        ),
    ),
    (
        "an item that the index lacks",
        lambda own: change(own, own.keys.index, lambda body: body.partition(b"\n")[2]),
        (
            "backup small: configmaps/golden-a/kube-root-ca.crt: its file "
            "resources/configmaps/namespaces/golden-a/kube-root-ca.crt.json is wanted next in the archive, "
            "not resources/configmaps/namespaces/golden-a/awkward.json"
        ),
    ),
    (
        "an item at the end that the index lacks",
        lambda own: change(own, own.keys.index, lambda body: b"".join(body.splitlines(keepends=True)[:-1])),
        (
            "backup small: the archive has resources/storageclasses.storage.k8s.io/cluster/golden-manual.json, "
            "which the index does not have"
        ),
    ),
    (
        "an item that the archive lacks",
        lambda own: change(own, own.keys.index, lambda body: body + body.splitlines(keepends=True)[-1]),
        (
            "backup small: storageclasses.storage.k8s.io/golden-manual: its file "
            "resources/storageclasses.storage.k8s.io/cluster/golden-manual.json is wanted next in the archive, "
            "not nothing"
        ),
    ),
    (
        "an index of other bytes",
        lambda own: change(own, own.keys.index, lambda body: body),
        "backup small: the index's SHA-256: ",
    ),
    (
        "an archive of other bytes",
        lambda own: own.put(own.keys.archive, own.read(own.keys.archive)[:4] + b"\1" + own.read(own.keys.archive)[5:]),
        "backup small: the archive's SHA-256: ",
    ),
    (
        "an item that the resource list lacks",
        lambda own: change(own, own.keys.resource_list, lambda body: body.replace(b'"golden-a/awkward",', b"")),
        f"{_LIST} does not name v1/ConfigMap golden-a/awkward, which is in the archive",
    ),
    (
        "an item that only the resource list has",
        lambda own: change(own, own.keys.resource_list, lambda body: body.replace(b"awkward", b"awkwarder")),
        f"{_LIST} does not name v1/ConfigMap golden-a/awkward, which is in the archive",
    ),
    (
        "a kind that only the resource list has",
        lambda own: change(own, own.keys.resource_list, lambda body: body.replace(b"}", b',"v1/X":["a"]}')),
        "v1/X a is in backups/small/small-resource-list.json.gz, but not in the archive",
    ),
    (
        "another count in the manifest",
        lambda own: change_json(own, own.keys.manifest, lambda document: document["lists"][0].update(items=9)),
        "backup small: configmaps of v1: 2 items, but the manifest says 9",
    ),
    (
        "another total in the manifest",
        lambda own: change_json(own, own.keys.manifest, lambda document: document.update(items=9)),
        "backup small: 5 items, but the manifest says 9",
    ),
    (
        "another count of items in the Backup",
        lambda own: change_json(own, own.keys.metadata, lambda document: document["status"].update(progress={})),
        "backups/small/velero-backup.json: status.progress.itemsBackedUp is 0, but the archive has 5 items",
    ),
    (
        "an error that the results lack",
        lambda own: change_json(own, own.keys.metadata, lambda document: document["status"].update(errors=1)),
        "backups/small/velero-backup.json: status.errors is 1, but backups/small/small-results.gz has 0",
    ),
    (
        "a Backup of other bytes",
        lambda own: change_json(
            own, own.keys.metadata, lambda document: document["metadata"].update(labels={"a": "b"})
        ),
        "backup small: backups/small/velero-backup.json is not what the manifest says: bytes or SHA-256 differ",
    ),
    (
        "a log of other bytes",
        lambda own: change(own, own.keys.log, lambda body: body),
        "backup small: backups/small/small-logs.gz is not what the manifest says: bytes or SHA-256 differ",
    ),
    (
        "a malformed manifest",
        lambda own: change(own, own.keys.manifest, lambda _: b"[]"),
        "backups/small/small-manifest.json.gz: it is no manifest: ",
    ),
    (
        "a malformed index",
        lambda own: change(own, own.keys.index, lambda _: b"{}\n"),
        "backups/small/small-index.jsonl.gz: line 1 is no line of an index: ",
    ),
    (
        "a Backup that is none",
        lambda own: own.put(own.keys.metadata, b'{"kind":"Restore"}'),
        "backups/small/velero-backup.json: it is no Backup of velero.io/v1",
    ),
    (
        "a Backup of another name",
        lambda own: change_json(own, own.keys.metadata, lambda document: document["metadata"].update(name="x")),
        "backups/small/velero-backup.json: its metadata.name is not small",
    ),
]


@pytest.mark.parametrize(
    ("damage", "sentence"), [each[1:] for each in OWN_DIFFERENCES], ids=[each[0] for each in OWN_DIFFERENCES]
)
def test_a_difference_is_named(own: BackupStore, damage: Callable[[BackupStore], None], sentence: str) -> None:
    damage(own)
    found = difference(own)
    assert found.startswith(sentence) if sentence.endswith(": ") else found == sentence


def retar(body: bytes, edit: Callable[[bytes], bytes]) -> bytes:
    return gzip.compress(edit(gzip.decompress(body)))


def resealed(tar: bytes, *, at: int, mode: bytes) -> bytes:
    """The same tar with another mode in the header at a byte, its checksum right."""
    header = bytearray(tar[at : at + 512])
    header[100:107] = mode
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return tar[:at] + bytes(header) + tar[at + 512 :]


FOREIGN_DIFFERENCES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    (
        "a second copy that differs",
        lambda tar: tar[:3072] + tar[3072:].replace(b"PriorityClass", b"PriorityKlass", 1),
        (
            "backup golden-selector: priorityclasses.scheduling.k8s.io/golden-high: its second copy is missing after "
            "resources/priorityclasses.scheduling.k8s.io/cluster/golden-high.json, or differs from the first"
        ),
    ),
    (
        "a damaged header",
        lambda tar: tar[:1030] + b"X" + tar[1031:],
        "backups/golden-selector/golden-selector.tar.gz: the tar header at byte 1024 of the tar has a wrong checksum",
    ),
    (
        "a tar that ends early",
        lambda tar: tar[:-1024],
        "backups/golden-selector/golden-selector.tar.gz: the tar ends early, at byte ",
    ),
    (
        "a tar without its last block",
        lambda tar: tar[:-512],
        "backups/golden-selector/golden-selector.tar.gz: the tar ends early: one of its two last blocks is missing",
    ),
    (
        "something after the tar",
        lambda tar: tar + b"x",
        "backups/golden-selector/golden-selector.tar.gz: something follows the tar's end",
    ),
    (
        "an item that is no JSON",
        lambda tar: tar.replace(b'{"apiVersion":"scheduling', b'["apiVersion":"scheduling'),
        (
            "backups/golden-selector/golden-selector.tar.gz: resources/priorityclasses.scheduling.k8s.io/cluster/"
            "golden-high.json is no item: "
        ),
    ),
    (
        "an item of another name",
        lambda tar: tar.replace(b'"name":"golden-high"', b'"name":"golden-hihg"'),
        (
            "backups/golden-selector/golden-selector.tar.gz: resources/priorityclasses.scheduling.k8s.io/cluster/"
            "golden-high.json holds an item of another name: /golden-hihg"
        ),
    ),
    (
        "no metadata/version first",
        lambda tar: tar[1024:],
        "backups/golden-selector/golden-selector.tar.gz: its first entry is not metadata/version",
    ),
]


@pytest.mark.parametrize(
    ("edit", "sentence"), [each[1:] for each in FOREIGN_DIFFERENCES], ids=[each[0] for each in FOREIGN_DIFFERENCES]
)
def test_a_difference_in_what_velero_wrote_is_named(
    foreign: BackupStore, edit: Callable[[bytes], bytes], sentence: str
) -> None:
    foreign.put(foreign.keys.archive, retar(foreign.read(foreign.keys.archive), edit))
    found = difference(foreign)
    assert found.startswith(sentence) if sentence.endswith((": ", "byte ")) else found == sentence


def test_a_resource_list_of_other_items_is_named(foreign: BackupStore) -> None:
    change(foreign, foreign.keys.resource_list, lambda body: body.replace(b"golden-a/web-vbtpt", b"golden-a/web-x"))
    assert difference(foreign) == (
        "backups/golden-selector/golden-selector-resource-list.json.gz does not name "
        "discovery.k8s.io/v1/EndpointSlice golden-a/web-vbtpt, which is in the archive"
    )


def test_a_backup_with_errors_may_list_items_that_failed(foreign: BackupStore) -> None:
    change(foreign, foreign.keys.resource_list, lambda body: body.replace(b"}", b',"v1/X":["a"]}'))
    assert difference(foreign).startswith("v1/X a is in ")
    change_json(
        foreign,
        foreign.keys.metadata,
        lambda document: document["status"].update(errors=1, progress={"itemsBackedUp": 19}),
    )
    change(foreign, foreign.keys.results, lambda _: b'{"errors":{"velero":[" message: /m"]},"warnings":{}}')
    assert verify(foreign).item_count == 18


def test_a_document_that_velero_reads_must_be_a_list(foreign: BackupStore) -> None:
    change(foreign, foreign.keys.volume_info, lambda _: b"{}")
    assert difference(foreign) == "backups/golden-selector/golden-selector-volumeinfo.json.gz: a list or null is wanted"


def test_an_archive_of_another_mode_is_named(own: BackupStore) -> None:
    own.put(own.keys.archive, retar(own.read(own.keys.archive), lambda tar: resealed(tar, at=1024, mode=b"0000644")))
    assert difference(own) == "backup small: configmaps/golden-a/awkward: a file has a mode other than 0755"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_a_byte_that_changed_anywhere_is_found_or_means_nothing(own: BackupStore, choice: st.DataObject) -> None:
    """Only the manifest has no SHA-256 of itself: there the gunzipped bytes must be the same."""
    key = choice.draw(st.sampled_from(own.keys.all()))
    whole = own.read(key)
    at = choice.draw(st.integers(0, len(whole) - 1))
    changed = bytes([choice.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))])
    own.put(key, whole[:at] + changed + whole[at + 1 :])
    try:
        verify(own)
    except VerificationError:
        pass
    else:
        assert key == own.keys.manifest
        assert gzip.decompress(own.read(key)) == gzip.decompress(whole)
    finally:
        own.put(key, whole)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_contents_that_changed_are_found_or_a_sentence_but_never_a_traceback(
    own: BackupStore, choice: st.DataObject
) -> None:
    key = choice.draw(st.sampled_from([key for key in own.keys.all() if key != own.keys.archive]))
    whole = own.read(key)
    plain = gzip.decompress(whole) if key.endswith("gz") else whole
    at = choice.draw(st.integers(0, len(plain)))
    cut = choice.draw(st.integers(0, 3))
    edited = plain[:at] + choice.draw(st.binary(max_size=3)) + plain[at + cut :]
    own.put(key, gzip.compress(edited) if key.endswith("gz") else edited)
    try:
        verify(own)
    except VerificationError:
        pass
    else:
        assert key == own.keys.manifest or edited == plain
    finally:
        own.put(key, whole)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_a_foreign_archive_that_changed_is_never_a_traceback(foreign: BackupStore, choice: st.DataObject) -> None:
    key = choice.draw(st.sampled_from([foreign.keys.archive, foreign.keys.resource_list, foreign.keys.results]))
    whole = foreign.read(key)
    plain = gzip.decompress(whole)
    at = choice.draw(st.integers(0, len(plain)))
    edited = plain[:at] + choice.draw(st.binary(max_size=3)) + plain[at + choice.draw(st.integers(0, 600)) :]
    foreign.put(key, gzip.compress(edited, compresslevel=1))
    try:
        verify(foreign)
    except VerificationError:
        pass
    finally:
        foreign.put(key, whole)
