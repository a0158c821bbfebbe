"""A bucket with 2,000 backups on a real S3 server: how many requests a look costs, by a proxy that counts them."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from faults.killing_proxy import KillingProxy, Request, between
from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Stage
from integration.s3_fixtures import new_prefix, open_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.kube.kinds import BACKUPS

pytestmark = [pytest.mark.usefixtures("credentials"), pytest.mark.timeout(900)]

_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_COUNT, _PAGE, _ROUND = 2000, 1000, 500
_SECONDS = 300.0


@pytest.fixture
def counting(s3_server: SeaweedServer) -> Iterator[KillingProxy]:
    """Kills nobody."""
    with between((s3_server.url, None)) as proxy:
        yield proxy


def metadata(name: str) -> bytes:
    status = {"phase": "Completed", "startTimestamp": "2026-01-01T12:00:00Z", "expiration": "2999-01-01T12:00:00Z"}
    document = {"kind": "Backup", "apiVersion": "velero.io/v1", "metadata": {"name": name, "namespace": "velero"}}
    return json.dumps({**document, "spec": {"ttl": "720h0m0s"}, "status": status}).encode()


def listings(requests: list[Request]) -> list[bool]:
    """Those of the backups' names; whether each is the first page of a look."""
    queries = [parse_qs(urlsplit(each.path).query) for each in requests]
    asked = [query for query in queries if query.get("prefix", [""])[0].endswith("/backups/")]
    return ["continuation-token" not in query for query in asked]


def reads(requests: list[Request]) -> list[str]:
    return [each.path for each in requests if each.path.partition("?")[0].endswith("/velero-backup.json")]


def test_2000_backups_are_listed_in_two_requests_a_look_and_read_once(
    local_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str, counting: KillingProxy, tmp_path: Path
) -> None:
    apply_crds(local_cluster)
    stage = Stage(
        kubeconfig=local_cluster.kubeconfig,
        namespace="sync-of-many",
        folder=tmp_path,
        s3_url=counting.urls[0],
        bucket=shared_bucket,
        credentials=_CREDENTIALS,
    )
    prefix, names = new_prefix(), [f"nightly-{number:04}" for number in range(_COUNT)]
    store = open_bucket(s3_server.store_url(shared_bucket, prefix))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.put(f"backups/{name}/velero-backup.json", metadata(name)), names))
    stage.make()
    stage.make_location("main", prefix=prefix)
    try:
        dispatcher = stage.start("--no-leader-election", "--backup-sync-period=1s")
        stage.wait(lambda: (stage.location("main").get("status") or {}).get("lastSyncedTime"), seconds=_SECONDS)
        first = list(counting.requests)
        assert sorted(each["metadata"]["name"] for each in stage.objects(BACKUPS).list()) == names
        looks = listings(first).count(True)
        assert len(reads(first)) == len(set(reads(first))) == _COUNT
        assert looks >= _COUNT // _ROUND
        assert len(listings(first)) <= looks * _COUNT // _PAGE

        counting.requests.clear()
        stage.wait(lambda: listings(counting.requests).count(True) == 4, seconds=_SECONDS)
        later = list(counting.requests)
        assert listings(later)[:7] == [True, False, True, False, True, False, True]
        assert reads(later) == []
        assert dispatcher.rss_bytes < 128 << 20
    finally:
        stage.end()
