"""What a run does when the object storage refuses, or dies in its middle."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import PINNACE, pinnace
from integration.cluster_fixtures import TestedCluster
from integration.s3_fixtures import new_bucket
from integration.s3_server import SeaweedServer
from pinnace.errors import StoreError
from pinnace.store.backup_store import BackupStore
from pinnace.store.open import open_store

_PART = os.urandom(9 << 20)


@pytest.fixture
def own_server(tmp_path: Path, credentials: None) -> Iterator[SeaweedServer]:
    server = SeaweedServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.mark.usefixtures("credentials")
def test_a_backup_in_a_bucket_is_verified_and_read(local_cluster: TestedCluster, s3_server: SeaweedServer) -> None:
    url = s3_server.store_url(new_bucket(s3_server), "prod")
    run = pinnace("backup", "run", "b", "--store", url, "--kubeconfig", str(local_cluster.kubeconfig))
    assert run.returncode == 4, run.stderr
    assert pinnace("backup", "verify", "b", "--store", url).returncode == 0
    assert '"name":"fleet"' in pinnace("backup", "extract", "b", "namespaces/fleet", "--store", url).stdout
    assert list(open_store(url).uploads("")) == []


def test_a_server_killed_in_the_middle_of_an_upload_leaves_no_backup_and_the_next_run_cleans_up(
    own_server: SeaweedServer,
) -> None:
    bucket = new_bucket(own_server)
    store = open_store(own_server.store_url(bucket))
    backup = BackupStore(store, "b")

    def upload() -> None:
        with backup.open(backup.keys.archive) as writer:
            writer.write(_PART)
            writer.write(_PART)
            own_server.kill()
            writer.write(_PART)
            writer.commit()

    with pytest.raises(StoreError) as raised:
        upload()
    assert f"bucket {bucket}" in str(raised.value)
    assert "s3:" in str(raised.value)
    assert any("could not be aborted" in note for note in raised.value.__notes__)
    own_server.start()
    assert not store.exists(backup.keys.metadata)
    assert [upload.key for upload in store.uploads("backups/b/")] == [backup.keys.archive]
    assert backup.clear_leftovers().uploads == 1
    assert list(store.uploads("backups/b/")) == []


def test_a_run_whose_server_is_killed_names_the_bucket_and_leaves_nothing_visible(
    local_cluster: TestedCluster, own_server: SeaweedServer
) -> None:
    bucket = new_bucket(own_server)
    url = own_server.store_url(bucket)
    command = [*PINNACE, "backup", "run", "b", "--store", url]
    command += ["--kubeconfig", str(local_cluster.kubeconfig), "--client-page-size", "20"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        assert run.stderr.readline().startswith("backing up about ")
        own_server.kill()
        rest = run.communicate(timeout=120)[1]
    assert run.returncode == 1
    assert f"error: bucket {bucket}: s3:" in rest
    own_server.start()
    assert pinnace("backup", "get", "--store", url, "-o", "json").stdout == "[]\n"
    again = pinnace("backup", "run", "b", "--store", url, "--kubeconfig", str(local_cluster.kubeconfig))
    assert again.returncode == 4, again.stderr
    assert list(open_store(url).uploads("")) == []


@pytest.mark.usefixtures("credentials")
def test_a_bucket_that_is_not_there_and_wrong_credentials_are_one_sentence_with_a_fix(
    s3_server: SeaweedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = pinnace("backup", "verify", "b", "--store", s3_server.store_url("nobody-made-this"))
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: bucket nobody-made-this: s3:ListBucket: ")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    refused = pinnace("backup", "get", "--store", s3_server.store_url("nobody-made-this"))
    assert refused.returncode == 1
    assert "give credentials that this server knows" in refused.stderr


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s3://b/p?regoin=x", "store option regoin: not known"),
        ("gs://b", "gs is not a kind of store"),
        ("s3:///p", "no bucket"),
        ("", "no store: give --store"),
    ],
)
def test_a_store_url_that_can_not_be_used_is_a_usage_error(url: str, sentence: str) -> None:
    run = pinnace("backup", "get", "--store", url)
    assert (run.returncode, sentence in run.stderr) == (2, True), run.stderr
