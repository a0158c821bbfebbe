"""What a backup keeps outside of the bucket, read from the objects of pinnace and of every Velero since 1.9."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pinnace.dispatcher.stored_snapshots import StoredSnapshots
from pinnace.errors import MalformedObjectError
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.kept_snapshots import CsiSnapshotKept, NativeSnapshotKept
from unit.backup.small_backup import golden_store

_ROOT = "resources/volumesnapshot{}.snapshot.storage.k8s.io"
_OURS = {"velero.io/backup-name": "b"}
_SECRET = {
    "snapshot.storage.kubernetes.io/deletion-secret-name": "login",
    "snapshot.storage.kubernetes.io/deletion-secret-namespace": "vault",
}


def content(handle: str, *, labels: Any = _OURS, annotations: Any = None) -> dict[str, Any]:
    metadata = {"name": f"c-{handle}", "labels": labels, "annotations": annotations}
    return {"metadata": metadata, "spec": {"driver": "d"}, "status": {"snapshotHandle": handle}}


def snapshot(handle: str, *, labels: Any = _OURS) -> dict[str, Any]:
    annotations = {"velero.io/csi-driver-name": "d", "velero.io/csi-volumesnapshot-handle": handle}
    return {"metadata": {"name": f"s-{handle}", "namespace": "n", "labels": labels, "annotations": annotations}}


def info(handle: str) -> dict[str, Any]:
    return {"backupMethod": "CSISnapshot", "csiSnapshotInfo": {"driver": "d", "snapshotHandle": handle}}


def native(snapshot_id: str, location: str = "ebs") -> dict[str, Any]:
    return {"spec": {"location": location}, "status": {"providerSnapshotID": snapshot_id}}


def written(folder: Path, **documents: Any) -> BackupStore:
    """A backup `b` with the given documents, by the ends of their keys."""
    store = BackupStore(FilesystemStore(folder), "b")
    for suffix, document in documents.items():
        body = document if isinstance(document, bytes) else gzip.compress(json.dumps(document).encode())
        store.put(f"backups/b/b-{suffix.replace('_', '-')}.json.gz", body)
    return store


def with_archive(store: BackupStore, *items: dict[str, Any]) -> BackupStore:
    """An archive as Velero writes it, each item twice."""
    with io.BytesIO() as buffer:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for item in items:
                body, metadata = json.dumps(item).encode(), item["metadata"]
                is_snapshot = "namespace" in metadata
                place = f"namespaces/{metadata['namespace']}" if is_snapshot else "cluster"
                root = _ROOT.format("s" if is_snapshot else "contents")
                for version in ("", "v1-preferredversion/"):
                    entry = tarfile.TarInfo(f"{root}/{version}{place}/{metadata['name']}.json")
                    entry.size, entry.mode = len(body), 0o755
                    tar.addfile(entry, io.BytesIO(body))
        store.put(store.keys.archive, buffer.getvalue())
    return store


def csi(store: BackupStore) -> list[CsiSnapshotKept]:
    return list(StoredSnapshots(store).csi())


def test_a_backup_without_lists_keeps_none(tmp_path: Path) -> None:
    stored = StoredSnapshots(written(tmp_path))
    assert (stored.in_repositories(), list(stored.native()), list(stored.csi())) == ([], [], [])


@pytest.mark.parametrize("name", ["golden-all", "golden-selector"])
def test_a_backup_of_velero_without_snapshots_keeps_none(name: str) -> None:
    """Its archive is not even opened, since its resource list has no such kind."""
    stored = StoredSnapshots(BackupStore(golden_store(), name))
    assert (stored.in_repositories(), list(stored.native()), list(stored.csi())) == ([], [], [])


def test_native_snapshots_are_those_with_an_id(tmp_path: Path) -> None:
    store = written(
        tmp_path, volumesnapshots=[native("snap-1"), {"status": {"phase": "Failed"}}, native("snap-2", "x")]
    )
    assert list(StoredSnapshots(store).native()) == [
        NativeSnapshotKept("ebs", "snap-1"),
        NativeSnapshotKept("x", "snap-2"),
    ]


def test_lists_beside_the_archive_are_enough_and_the_archive_is_not_opened(tmp_path: Path) -> None:
    """As pinnace and Velero up to 1.16 write them; in Velero 1.9 that of VolumeSnapshots is null."""
    store = written(
        tmp_path,
        csi_volumesnapshotcontents=[content("h1", annotations=_SECRET), content("h2", labels=None)],
        csi_volumesnapshots=[snapshot("h1"), snapshot("h3")],
        volumeinfo=[info("h2"), info("h4"), {"skipped": True}],
    )
    store.put(store.keys.archive, b"not even gzip")
    assert csi(store) == [
        CsiSnapshotKept("d", "h1", ("vault", "login")),
        CsiSnapshotKept("d", "h2"),
        CsiSnapshotKept("d", "h3"),
        CsiSnapshotKept("d", "h4"),
    ]
    store = written(tmp_path, csi_volumesnapshots=None, volumeinfo=[])
    assert csi(store) == [CsiSnapshotKept("d", "h1", ("vault", "login")), CsiSnapshotKept("d", "h2")]


def test_without_such_lists_the_archive_has_them_and_those_of_others_stay(tmp_path: Path) -> None:
    """As since Velero 1.17: the content names the Secret, wherever in the archive it stands."""
    listed = {"snapshot.storage.k8s.io/v1/VolumeSnapshotContent": ["c-h1"], "v1/Pod": ["n/p"]}
    store = written(tmp_path, resource_list=listed, volumeinfo=[info("h1"), info("h5")])
    others = {"velero.io/backup-name": "another"}
    with_archive(
        store,
        snapshot("h1"),
        snapshot("h4"),
        content("h1", annotations=_SECRET),
        content("h2", labels=others),
        content("h3", labels=None),
        snapshot("h2", labels=others),
    )
    assert csi(store) == [
        CsiSnapshotKept("d", "h1", ("vault", "login")),
        CsiSnapshotKept("d", "h4"),
        CsiSnapshotKept("d", "h5"),
    ]


@pytest.mark.parametrize(
    ("resource_list", "is_read"),
    [
        ({"snapshot.storage.k8s.io/v1beta1/VolumeSnapshot": ["n/s"]}, True),
        ({"snapshot.storage.k8s.io/v1/VolumeSnapshotClass": ["s"], "v1/Pod": ["n/VolumeSnapshotContent"]}, False),
        ({}, False),
        (None, True),
    ],
)
def test_an_archive_is_read_only_if_it_may_have_such_items(tmp_path: Path, resource_list: Any, is_read: bool) -> None:
    store = written(tmp_path, **({} if resource_list is None else {"resource_list": resource_list}))
    with_archive(store, content("h1"))
    assert csi(store) == ([CsiSnapshotKept("d", "h1")] if is_read else [])


def test_a_kind_is_found_where_two_pieces_of_the_list_meet(tmp_path: Path) -> None:
    for padding in range((1 << 20) - 80, 1 << 20, 7):
        listed = {"a": ["x" * padding], "snapshot.storage.k8s.io/v1/VolumeSnapshotContent": ["c"]}
        assert csi(with_archive(written(tmp_path, resource_list=listed), content("h1"))) != []


def test_an_archive_that_is_gone_is_no_error(tmp_path: Path) -> None:
    """As after a run that failed in its middle, or somebody's hand."""
    listed = {"snapshot.storage.k8s.io/v1/VolumeSnapshotContent": ["c-h1"]}
    assert csi(written(tmp_path, resource_list=listed, volumeinfo=[info("h1")])) == [CsiSnapshotKept("d", "h1")]


_REST = (
    ", whose data is in a repository that only a Velero server can change; delete the backup with a Velero that uses "
    "this location"
)


@pytest.mark.parametrize(
    ("documents", "what"),
    [
        ({"podvolumebackups": [{}, {}]}, ["2 pod volume backups"]),
        ({"volumeinfo": [{"snapshotDataMoved": True}, info("h")]}, ["1 volumes that a data mover has copied"]),
        (
            {"podvolumebackups": [{}], "volumeinfo": [{"snapshotDataMoved": True}]},
            ["1 pod volume backups", "1 volumes that a data mover has copied"],
        ),
        (
            {
                "podvolumebackups": None,
                "volumeinfo": [info("h")],
                "resource_list": {"velero.io/v2alpha1/DataUpload": ["velero/u"]},
            },
            [],
        ),
    ],
)
def test_what_is_in_a_repository_is_named(tmp_path: Path, documents: dict[str, Any], what: list[str]) -> None:
    assert StoredSnapshots(written(tmp_path, **documents)).in_repositories() == [
        f"backup b has {each}{_REST}" for each in what
    ]


@pytest.mark.parametrize(
    ("spec", "volume_info", "what"),
    [
        ({"snapshotMoveData": True}, None, ["volumes that a data mover has copied"]),
        ({"snapshotMoveData": True}, [{"skipped": True}], []),
        ({"snapshotMoveData": False}, None, []),
        (None, None, []),
    ],
)
def test_velero_1_12_moves_data_without_a_list(tmp_path: Path, spec: Any, volume_info: Any, what: list[str]) -> None:
    store = written(tmp_path, **({} if volume_info is None else {"volumeinfo": volume_info}))
    store.put(store.keys.metadata, json.dumps({"kind": "Backup", "spec": spec}).encode())
    assert StoredSnapshots(store).in_repositories() == [f"backup b has {each}{_REST}" for each in what]


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_backup_that_is_none_is_named(tmp_path: Path, body: bytes) -> None:
    store = written(tmp_path)
    store.put(store.keys.metadata, body)
    with pytest.raises(MalformedObjectError, match=r"velero-backup\.json: it is no Backup"):
        StoredSnapshots(store).in_repositories()


@pytest.mark.parametrize(
    ("documents", "key"),
    [
        ({"volumesnapshots": b"no gzip"}, "b-volumesnapshots.json.gz"),
        ({"volumesnapshots": {}}, "b-volumesnapshots.json.gz"),
        ({"volumesnapshots": [{"status": "x"}]}, "b-volumesnapshots.json.gz"),
        ({"csi_volumesnapshotcontents": [{"metadata": 1}]}, "b-csi-volumesnapshotcontents.json.gz"),
        ({"csi_volumesnapshots": [{"metadata": []}, {"metadata": [1]}]}, "b-csi-volumesnapshots.json.gz"),
        ({"volumeinfo": [{"csiSnapshotInfo": "x"}]}, "b-volumeinfo.json.gz"),
        ({"resource_list": b"no gzip"}, "b-resource-list.json.gz"),
        ({"podvolumebackups": b"no gzip"}, "b-podvolumebackups.json.gz"),
    ],
)
def test_a_list_that_cant_be_read_is_not_taken_for_none(tmp_path: Path, documents: Any, key: str) -> None:
    stored = StoredSnapshots(written(tmp_path, **documents))
    with pytest.raises(MalformedObjectError, match=key):
        (stored.in_repositories(), list(stored.native()), list(stored.csi()))


def test_a_damaged_item_of_the_archive_is_named(tmp_path: Path) -> None:
    store = with_archive(written(tmp_path), content("h1"))
    damaged = gzip.decompress(store.read(store.keys.archive)).replace(b'{"metadata"', b'["metadata"')
    store.put(store.keys.archive, gzip.compress(damaged))
    with pytest.raises(MalformedObjectError, match=r"b\.tar\.gz: an item of volumesnapshotcontents.* is no JSON"):
        csi(store)
