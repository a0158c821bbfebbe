"""Backups of a recorded cluster are, item for item, the archives that the real Velero 1.18.1 made of it."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pinnace.backup import run
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup
from unit.backup.recorded_cluster import RecordedCluster
from unit.backup.small_backup import GOLDEN

_NAMES = ("golden-all", "golden-namespace", "golden-newfilters", "golden-resources", "golden-selector")
_LISTED_APART = {
    "golden-namespace": {
        "clusterrolebindings.rbac.authorization.k8s.io//golden-web-reads",
        "clusterroles.rbac.authorization.k8s.io//golden:reader",
        "customresourcedefinitions.apiextensions.k8s.io//boats.harbour.example",
        "persistentvolumes//golden-pv-1",
        "priorityclasses.scheduling.k8s.io//golden-high",
    },
}
"""What actions pull in, by name, so that a golden file that lacked it would not pass."""


def velero_backup(name: str) -> Backup:
    return Backup.from_document(json.loads((GOLDEN / "bucket" / "backups" / name / "velero-backup.json").read_bytes()))


def files(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive, mode="r:gz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def replayed(name: str, folder: Path) -> tuple[dict[str, bytes], RecordedCluster, run.Outcome]:
    cluster = RecordedCluster(GOLDEN / "cluster")
    store = BackupStore(FilesystemStore(folder), name)
    outcome = run.make(velero_backup(name), client=cluster.client, store=store)
    return files(folder / "backups" / name / f"{name}.tar.gz"), cluster, outcome


def revision(item: bytes) -> Any:
    return json.loads(item)["metadata"].get("resourceVersion") if item.startswith(b"{") else ""


@pytest.mark.parametrize("name", _NAMES)
def test_what_is_listed_and_what_actions_pull_in_is_veleros_archive(name: str, tmp_path: Path) -> None:
    found, _, outcome = replayed(name, tmp_path)
    expected = files(GOLDEN / "bucket" / "backups" / name / f"{name}.tar.gz")
    assert (set(found) - set(expected), set(expected) - set(found)) == (set(), set())
    assert [entry.text for entry in outcome.results.entries()] == []
    same_revision = [path for path, item in expected.items() if revision(found[path]) == revision(item)]
    assert [path for path in same_revision if found[path] != expected[path]] == []
    assert len(same_revision) > len(expected) * 2 // 3
