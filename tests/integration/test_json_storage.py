"""A server that keeps its objects as JSON shows `[]` where it was given, which protobuf can't: nothing is guessed."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration import cluster_fixtures
from integration.cluster_fixtures import TestedCluster
from pinnace.backup.run import RunOptions, run
from pinnace.backup.stored import read_manifest
from pinnace.cluster import local_cluster
from pinnace.kube.client import connect
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup, BackupSpec

_OBJECTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: some, namespace: default}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: without-rules, namespace: default}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: zero, namespace: default}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]
"""
_KINDS = ["roles.rbac.authorization.k8s.io", "configmaps"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestedCluster]:
    folder = tmp_path_factory.mktemp("json-storage") / "cluster"
    try:
        flags = ["--storage-media-type=application/json"]
        cluster = cluster_fixtures.tested_cluster(local_cluster.up(folder, apiserver_flags=flags))
        cluster.kubectl("apply", "--server-side", "--filename=-", standard_input=_OBJECTS)
        yield cluster
    finally:
        local_cluster.down(folder)


def _archived(cluster: TestedCluster, folder: Path, *, encoding: str) -> tuple[dict[str, bytes], dict[str, list[str]]]:
    """The archive's files, and in which encodings each kind was listed."""
    client = connect(kubeconfig=cluster.kubeconfig)
    spec = BackupSpec.from_document(
        {"includedResources": _KINDS, "includedNamespaces": ["default"], "snapshotVolumes": False}, strict=True
    )
    folder.mkdir()
    store = BackupStore(FilesystemStore(folder), "b")
    run(Backup(name="b", spec=spec), client=client, store=store, options=RunOptions(list_encoding=encoding))
    manifest = read_manifest(store)
    assert manifest is not None
    packed = io.BytesIO(b"".join(store.chunks(store.keys.archive)))
    with tarfile.open(fileobj=packed) as archive:
        files = {entry.name: content.read() for entry in archive if (content := archive.extractfile(entry))}
    return files, {entry["groupResource"]: entry.get("encodings", ["json"]) for entry in manifest.document["lists"]}


def test_what_protobuf_does_not_tell_is_listed_as_json(cluster: TestedCluster, tmp_path: Path) -> None:
    as_json, _ = _archived(cluster, tmp_path / "json", encoding="json")
    role = "resources/roles.rbac.authorization.k8s.io/namespaces/default/without-rules.json"
    assert b'"rules":[]' in as_json[role]
    automatic, encodings = _archived(cluster, tmp_path / "auto", encoding="auto")
    assert automatic == as_json
    assert encodings["roles.rbac.authorization.k8s.io"] == ["protobuf", "json"]
    assert encodings["configmaps"] == ["protobuf"]
    guessed, _ = _archived(cluster, tmp_path / "protobuf", encoding="protobuf")
    assert b'"rules":null' in guessed[role]
