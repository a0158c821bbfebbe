"""Of a real apiserver, lists as protobuf and lists as JSON make the same archive: kind by kind, and as a whole."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integration.cluster_fixtures import TestedCluster
from pinnace import engine
from pinnace.backup.run import RunOptions, run
from pinnace.backup.stored import read_manifest
from pinnace.collect.list_encoding import Encoding
from pinnace.engine import Archive, Digest
from pinnace.kube.client import Client, connect
from pinnace.kube.discovery import ApiResource, discover
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup, BackupSpec

_NOW = datetime(2026, 11, 25, 3, 0, 0, tzinfo=UTC)
_MORE_KINDS = Path(__file__).parent / "more_kinds.yaml"
_VERSION = "1.35"
_CHANGING = ("leases.coordination.k8s.io", "events", "horizontalpodautoscalers.autoscaling", "backups.velero.io")
"""Written by the control plane between two runs."""


def _signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "played")])
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


@pytest.fixture(scope="module")
def client(local_cluster: TestedCluster) -> Iterator[Client]:
    manifest = _MORE_KINDS.read_text().replace("REQUEST", _signing_request())
    local_cluster.kubectl("apply", "--server-side", "--filename=-", standard_input=manifest)
    client = connect(kubeconfig=local_cluster.kubeconfig)
    client.version()
    yield client
    local_cluster.kubectl("delete", "--ignore-not-found", "--filename=-", standard_input=manifest)


def _archived(resource: ApiResource, body: bytes, *, encoding: Encoding) -> Digest:
    archive = Archive(level="fast", mtime_seconds=0, threads=1)
    page = archive.page(
        request=resource.path(),
        group_resource=resource.group_resource,
        api_version=resource.api_version,
        kind=resource.kind,
        protobuf_of=encoding.protobuf_of,
    )
    page.feed(body)
    page.finish()
    return archive.finish()


def _listed(client: Client, resource: ApiResource, *, revision: str, encoding: Encoding) -> tuple[bytes, str]:
    query = {"resourceVersion": revision, "resourceVersionMatch": "Exact"} if revision else {}
    with client.open(resource.path(), query, accept=encoding.accept) as response:
        return response.read(), response.content_type


def test_lists_of_every_built_in_kind_make_the_same_archive_in_both_encodings(client: Client) -> None:
    """At one revision each, as all discovered kinds have one; what differs names its kind."""
    protobuf, json = Encoding(_VERSION), Encoding()
    kinds = set(engine.protobuf_kinds(_VERSION))
    differing, empty, compared = [], set(), 0
    for resource in discover(client).resources:
        if resource.aggregated or (resource.api_version, resource.kind) not in kinds:
            continue
        newest = client.get(resource.path(), {"limit": "1"})["metadata"].get("resourceVersion", "")
        body, content_type = _listed(client, resource, revision=newest, encoding=protobuf)
        assert content_type == "application/vnd.kubernetes.protobuf", resource
        expected, _ = _listed(client, resource, revision=newest, encoding=json)
        found = _archived(resource, body, encoding=protobuf)
        if found.archive_sha256 != _archived(resource, expected, encoding=json).archive_sha256:
            differing.append(resource.group_resource)
        if found.item_count == 0:
            empty.add(resource.group_resource)
        compared += 1
    assert differing == []
    assert (compared >= 50, empty) == (True, set())


def _backed_up(client: Client, folder: Path, *, encoding: str) -> Mapping[str, Any]:
    """The manifest of a backup of all but what changes by itself."""
    spec = BackupSpec.from_document({"excludedResources": list(_CHANGING), "snapshotVolumes": False}, strict=True)
    folder.mkdir()
    store = BackupStore(FilesystemStore(folder), "same")
    options = RunOptions(list_encoding=encoding)
    run(Backup(name="same", spec=spec), client=client, store=store, options=options, clock=lambda: _NOW)
    return _manifest(store)


def test_a_backup_is_the_same_to_the_byte_with_and_without_protobuf(client: Client, tmp_path: Path) -> None:
    # The cluster has to stand still meanwhile: what its controllers do changes an object now and then.
    for number in range(5):
        made = {
            (encoding, place): _backed_up(client, tmp_path / f"{number}-{place}-{encoding}", encoding=encoding)
            for place, encoding in enumerate(("json", "protobuf", "auto", "json"))
        }
        before, manifest, automatic, after = made.values()
        if before["archive"] == after["archive"]:
            break
    else:
        pytest.fail("the cluster did not stand still")
    assert manifest["archive"] == automatic["archive"] == before["archive"]
    used = {
        entry["groupResource"]: entry.get("encodings", ["json"])
        for entry in manifest["lists"]
        if not entry.get("error")
    }
    as_json = {group_resource for group_resource, encodings in used.items() if encodings == ["json"]}
    known = set(engine.protobuf_kinds(_VERSION))
    others = {
        resource.group_resource
        for resource in discover(client).resources
        if (resource.api_version, resource.kind) not in known
    }
    assert as_json == others & used.keys()
    assert "widgets.shop.example.com" in as_json
    assert all("encodings" not in entry for entry in before["lists"])


def test_a_server_of_another_version_is_listed_as_json(client: Client, tmp_path: Path) -> None:
    """The very same server, taken for an older one."""
    older = connect_as(client, git_version="v1.34.1")
    store = BackupStore(FilesystemStore(tmp_path), "older")
    backup = Backup(name="older", spec=BackupSpec.from_document({"includedResources": ["configmaps"]}, strict=True))
    run(backup, client=older, store=store, options=replace(RunOptions(), list_encoding="protobuf"))
    assert all("encodings" not in entry for entry in _manifest(store)["lists"])


def _manifest(store: BackupStore) -> Mapping[str, Any]:
    manifest = read_manifest(store)
    assert manifest is not None
    return manifest.document


def connect_as(client: Client, *, git_version: str) -> Client:
    """Another client of the same server, to which it says another version."""

    class Disguised(Client):
        def version(self) -> dict[str, str]:
            self._version = {**super().version(), "gitVersion": git_version}
            return dict(self._version)

    return Disguised(client.api_client)
