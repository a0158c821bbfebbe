"""What a run does when the object storage refuses, is away for a while, or dies in its middle."""

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from command import PINNACE, pinnace
from faults.cutting_proxy import cutting
from integration.cluster_fixtures import TestedCluster
from integration.s3_fixtures import new_bucket, new_prefix
from integration.s3_server import READER, SeaweedServer
from pinnace.errors import StoreError
from pinnace.store.open import open_store
from pinnace.store.s3 import S3Store

_ARCHIVE = "backups/b/b.tar.gz"
_RANDOM_BYTES = 650 << 10
"""Of one ConfigMap, which may have 1 MiB with its base64."""

_CONFIG_MAPS = 24
"""20 MB of base64: an archive of twice 15, so that an upload is open long before the run ends."""


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    """A server that may be killed; it runs again before each test."""
    server = SeaweedServer(tmp_path_factory.mktemp("own-weed"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def large_cluster(local_cluster: TestedCluster) -> Iterator[TestedCluster]:
    """The session's cluster with what no compression makes small, in the namespace that is archived first."""
    namespace = "aaa-incompressible"
    local_cluster.kubectl("create", "namespace", namespace)
    try:
        items = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"random-{number}", "namespace": namespace},
                "binaryData": {"random": base64.b64encode(os.urandom(_RANDOM_BYTES)).decode()},
            }
            for number in range(_CONFIG_MAPS)
        ]
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        local_cluster.kubectl("create", "-f", "-", standard_input=document)
        yield local_cluster
    finally:
        local_cluster.kubectl("delete", "configmaps", "--all", "-n", namespace)
        local_cluster.kubectl("delete", "namespace", namespace, "--wait=false")
        # The samples' broken API keeps the namespace controller from ever ending it.
        finalized = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        path = f"/api/v1/namespaces/{namespace}/finalize"
        local_cluster.kubectl("replace", "--raw", path, "-f", "-", standard_input=finalized)


def command(url: str, cluster: TestedCluster, *arguments: str) -> list[str]:
    return ["backup", "run", "b", "--store", url, "--kubeconfig", str(cluster.kubeconfig), *arguments]


def run_until_an_upload_is_open(
    url: str, cluster: TestedCluster, then: Callable[[subprocess.Popen[str]], None]
) -> tuple[int, str]:
    """Run in small pages, do something once a part is on its way; gives the exit code and what was said."""
    store = open_store(url)
    small_pages = [*PINNACE, *command(url, cluster, "--client-page-size", "20")]
    with subprocess.Popen(small_pages, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 120
        while run.poll() is None and time.monotonic() < deadline and _ARCHIVE not in keys_of_uploads(store):
            time.sleep(0.01)
        assert run.poll() is None, run.communicate()
        then(run)
        said = run.communicate(timeout=300)[1]
    return run.returncode, said


def keys_of_uploads(store: S3Store | object) -> list[str]:
    assert isinstance(store, S3Store)
    return [upload.key for upload in store.uploads("backups/b/")]


def assert_the_name_can_be_used_again(url: str, cluster: TestedCluster) -> None:
    assert pinnace("backup", "get", "--store", url, "-o", "json").stdout == "[]\n"
    again = pinnace(*command(url, cluster))
    assert again.returncode == 4, again.stderr
    assert pinnace("backup", "verify", "b", "--store", url).returncode == 0
    assert list(open_store(url).uploads("")) == []


@pytest.mark.usefixtures("credentials")
def test_a_backup_in_a_bucket_is_verified_and_read(
    local_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str
) -> None:
    url = s3_server.store_url(shared_bucket, new_prefix())
    run = pinnace(*command(url, local_cluster))
    assert run.returncode == 4, run.stderr
    assert pinnace("backup", "verify", "b", "--store", url).returncode == 0
    assert '"name":"fleet"' in pinnace("backup", "extract", "b", "namespaces/fleet", "--store", url).stdout
    assert list(open_store(url).uploads("")) == []


@pytest.mark.usefixtures("credentials")
def test_a_server_killed_while_an_upload_is_open_fails_the_run_and_the_next_one_cleans_up(
    large_cluster: TestedCluster, own_server: SeaweedServer
) -> None:
    bucket = new_bucket(own_server)
    url = own_server.store_url(bucket)
    status, said = run_until_an_upload_is_open(url, large_cluster, lambda _: own_server.kill())
    own_server.start()
    assert status == 1, said
    assert f"error: bucket {bucket}: s3:PutObject backups/b/" in said
    assert "is the object storage reachable?" in said
    assert f"and its upload could not be aborted: bucket {bucket}: s3:AbortMultipartUpload {_ARCHIVE}: " in said
    assert "and not all of it could be removed: " in said
    assert _ARCHIVE in keys_of_uploads(open_store(url))
    assert_the_name_can_be_used_again(url, large_cluster)


@pytest.mark.usefixtures("credentials")
def test_a_server_that_is_away_for_some_seconds_does_not_end_the_run(
    large_cluster: TestedCluster, own_server: SeaweedServer
) -> None:
    url = own_server.store_url(new_bucket(own_server))

    def restart(_: object) -> None:
        own_server.kill()
        own_server.start()

    status, said = run_until_an_upload_is_open(url, large_cluster, restart)
    assert status == 4, said
    assert pinnace("backup", "verify", "b", "--store", url).returncode == 0
    assert list(open_store(url).uploads("")) == []


@pytest.mark.usefixtures("credentials")
def test_a_run_killed_while_an_upload_is_open_leaves_it_and_the_next_one_cleans_up(
    large_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str
) -> None:
    url = s3_server.store_url(shared_bucket, new_prefix())
    status, _ = run_until_an_upload_is_open(url, large_cluster, lambda run: run.kill())
    assert status == -signal.SIGKILL
    assert _ARCHIVE in keys_of_uploads(open_store(url))
    assert_the_name_can_be_used_again(url, large_cluster)


@pytest.mark.usefixtures("credentials")
def test_a_run_that_is_told_to_end_while_an_upload_is_open_leaves_nothing(
    large_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str
) -> None:
    url = s3_server.store_url(shared_bucket, new_prefix())
    status, said = run_until_an_upload_is_open(url, large_cluster, lambda run: run.terminate())
    assert (status, said.splitlines()[-1]) == (
        143,
        "error: interrupted by signal 15; uploads were aborted and nothing is visible",
    )
    assert (list(open_store(url).uploads("")), list(open_store(url).list_keys(""))) == ([], [])


@pytest.mark.usefixtures("credentials")
def test_credentials_that_may_only_read_are_told_which_right_they_lack(
    local_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = new_prefix()
    url = s3_server.store_url(shared_bucket, prefix)
    left = open_store(url).open_writer(_ARCHIVE)
    left.write(os.urandom(9 << 20))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER)
    start, to = f"error: bucket {shared_bucket} prefix {prefix}: ", "to these credentials"
    may_not_abort = pinnace(*command(url, local_cluster))
    assert (may_not_abort.returncode, may_not_abort.stderr.splitlines()[-1]) == (
        1,
        f"{start}s3:AbortMultipartUpload {_ARCHIVE}: Access Denied.; grant s3:AbortMultipartUpload on the bucket {to}",
    )
    left.abort()
    may_not_write = pinnace(*command(url, local_cluster))
    assert may_not_write.returncode == 1
    (error,) = [line for line in may_not_write.stderr.splitlines() if line.startswith("error: ")]
    assert error.startswith(f"{start}s3:PutObject backups/b/")
    assert error.endswith(": Access Denied.; grant s3:PutObject on the bucket to these credentials")
    assert pinnace("backup", "get", "--store", url, "-o", "json").stdout == "[]\n"


@pytest.mark.usefixtures("credentials")
def test_a_download_that_breaks_off_twice_goes_on_where_it_was(s3_server: SeaweedServer, shared_bucket: str) -> None:
    prefix, body = new_prefix(), os.urandom(20 << 20)
    open_store(s3_server.store_url(shared_bucket, prefix)).put("backups/b/x", body)
    with cutting(s3_server.port, cuts_after_bytes=[5 << 20, 7 << 20]) as proxy:
        store = open_store(s3_server.store_url(shared_bucket, prefix, s3Url=proxy.url))
        assert b"".join(store.chunks("backups/b/x")) == body
    assert proxy.connections == 3


@pytest.mark.usefixtures("credentials")
def test_a_download_never_mixes_two_objects(s3_server: SeaweedServer, shared_bucket: str) -> None:
    prefix = new_prefix()
    direct = open_store(s3_server.store_url(shared_bucket, prefix))
    direct.put("backups/b/x", os.urandom(20 << 20))
    with cutting(s3_server.port, cuts_after_bytes=[5 << 20]) as proxy:
        proxy.before_cut.append(lambda: direct.put("backups/b/x", os.urandom(20 << 20)))
        store = open_store(s3_server.store_url(shared_bucket, prefix, s3Url=proxy.url))
        with pytest.raises(StoreError, match="it was replaced while it was read; read it again"):
            list(store.chunks("backups/b/x"))


@pytest.mark.usefixtures("credentials")
def test_a_bucket_that_is_not_there_and_wrong_credentials_are_one_sentence_with_a_fix(
    s3_server: SeaweedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = s3_server.store_url("nobody-made-this")
    for arguments, action in ((("get",), "s3:ListBucket"), (("verify", "b"), "s3:GetObject backups/b/")):
        missing = pinnace("backup", *arguments, "--store", url)
        assert missing.returncode == 1
        assert missing.stderr.startswith(f"error: bucket nobody-made-this: {action}")
        assert missing.stderr.endswith("; create the bucket, or correct its name in --store\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    refused = pinnace("backup", "get", "--store", url)
    assert refused.returncode == 1
    assert "give credentials that this server knows" in refused.stderr


@pytest.mark.usefixtures("credentials")
def test_an_address_where_nobody_listens_is_told_without_waiting_for_it(tmp_path: Path) -> None:
    url = "s3://b?s3Url=http://127.0.0.1:1&s3ForcePathStyle=true"
    refused = pinnace("backup", "get", "--store", url)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: bucket b: s3:ListBucket: Could not connect to the endpoint URL: ")
    assert refused.stderr.endswith("; is the object storage reachable?\n")


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
