"""What the dispatcher answers to the requests of the `velero` CLI, by a real API server and a real bucket."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Document, Stage, phase
from integration.s3_fixtures import new_prefix, open_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.kube.kinds import DELETE_BACKUP_REQUESTS, DOWNLOAD_REQUESTS, RESTORES, SERVER_STATUS_REQUESTS
from pinnace.kube.objects import Kind

pytestmark = pytest.mark.usefixtures("credentials")

_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_ENDED = {"phase": "Completed", "startTimestamp": "2026-01-01T12:00:00Z", "completionTimestamp": "2026-01-01T12:00:09Z"}
_PUBLIC = "https://backups.example:8443"


@pytest.fixture(scope="module")
def stage(
    local_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:  # fmt: skip
    apply_crds(local_cluster)
    made = Stage(
        kubeconfig=local_cluster.kubeconfig,
        namespace="served-test",
        folder=tmp_path_factory.mktemp("served"),
        s3_url=s3_server.url,
        bucket=shared_bucket,
        credentials=_CREDENTIALS,
    )
    try:
        made.make()
        prefix = new_prefix()
        made.make_location("default", prefix=prefix)
        options = {"s3Url": s3_server.url, "publicUrl": _PUBLIC, "region": "eu-south-2"}
        made.make_location("public", config=options)
        made.start("--no-leader-election")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            store = open_bucket(s3_server.store_url(made.bucket, prefix))
            store.put("backups/one/one-logs.gz", b"the log")
            store.put("restores/of-one/restore-of-one-logs.gz", b"the restore's log")
        made.create("one", status=_ENDED, storageLocation="default")
        made.create("two", status=_ENDED, storageLocation="public")
        made.create("lost", status=_ENDED, storageLocation="not-there")
        yield made
    finally:
        made.end()


def create(stage: Stage, kind: Kind, name: str, *, called: str, **fields: object) -> None:
    metadata = {"name": name, "namespace": stage.namespace}
    document = {"apiVersion": "velero.io/v1", "kind": called, "metadata": metadata, **fields}
    assert stage.objects(kind).create(document)


def asked(stage: Stage, target: str, name: str) -> str:
    """Ask for a download; gives the request's name."""
    request_name = f"{name}-{target.lower()}"
    spec = {"target": {"kind": target, "name": name}}
    create(stage, DOWNLOAD_REQUESTS, request_name, called="DownloadRequest", spec=spec)
    return request_name


def answered(stage: Stage, kind: Kind, name: str) -> Document:
    """The status of a request, once it is Processed."""
    stage.wait(lambda: phase(stage.objects(kind).get(name) or {}) == "Processed")
    found = stage.objects(kind).get(name)
    assert found is not None
    status: Document = found["status"]
    return status


def url_of(stage: Stage, target: str, name: str) -> str:
    return str(answered(stage, DOWNLOAD_REQUESTS, asked(stage, target, name))["downloadURL"])


def read(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def test_a_download_is_a_url_that_needs_no_credentials(stage: Stage) -> None:
    create(stage, RESTORES, "of-one", called="Restore", spec={"backupName": "one"})
    assert read(url_of(stage, "BackupLog", "one")) == (200, b"the log")
    assert read(url_of(stage, "RestoreLog", "of-one")) == (200, b"the restore's log")
    # Nobody wrote these; the CLI makes "not found" of it.
    assert read(url_of(stage, "CSIBackupVolumeSnapshots", "one"))[0] == 404
    assert read(url_of(stage, "BackupContents", "one"))[0] == 404


def test_the_url_is_at_the_public_address_with_the_same_region_and_style(stage: Stage) -> None:
    parts = urlsplit(url_of(stage, "BackupLog", "two"))
    query = parse_qs(parts.query)
    assert f"{parts.scheme}://{parts.netloc}" == _PUBLIC
    assert parts.path == f"/{stage.bucket}/{stage.namespace}/public/backups/two/two-logs.gz"
    assert query["X-Amz-Credential"][0].split("/")[2:4] == ["eu-south-2", "s3"]
    assert query["X-Amz-Expires"] == ["600"]


@pytest.mark.parametrize(
    ("target", "name", "reason"),
    [
        ("BackupLog", "nope", "Backup nope does not exist"),
        ("RestoreLog", "nope", "Restore nope does not exist"),
        ("BackupLog", "lost", "BackupStorageLocation not-there: it does not exist"),
    ],
)
def test_what_can_be_found_nowhere_gets_no_url_and_says_why(stage: Stage, target: str, name: str, reason: str) -> None:
    request_name = asked(stage, target, name)
    stage.wait(lambda: stage.events_of(request_name))
    [(event_type, event_reason, message)] = stage.events_of(request_name)
    assert (event_type, event_reason, message.endswith(reason)) == ("Warning", "NoURL", True)
    found = stage.objects(DOWNLOAD_REQUESTS).get(request_name)
    assert found is not None
    assert "status" not in found


def test_requests_that_are_over_are_removed(stage: Stage) -> None:
    over = {"phase": "Processed", "expiration": "2026-01-01T12:00:00Z"}
    spec = {"target": {"kind": "BackupLog", "name": "one"}}
    create(stage, DOWNLOAD_REQUESTS, "over", called="DownloadRequest", spec=spec, status=over)
    told = {"phase": "Processed", "processedTimestamp": "2026-01-01T12:00:00Z"}
    create(stage, SERVER_STATUS_REQUESTS, "over", called="ServerStatusRequest", spec={}, status=told)
    for kind in (DOWNLOAD_REQUESTS, SERVER_STATUS_REQUESTS):
        stage.wait(lambda kind=kind: stage.objects(kind).get("over") is None)  # type: ignore[misc]


def test_the_server_says_which_it_is(stage: Stage) -> None:
    create(stage, SERVER_STATUS_REQUESTS, "which", called="ServerStatusRequest", spec={})
    status = answered(stage, SERVER_STATUS_REQUESTS, "which")
    assert status["serverVersion"].startswith("v1.18.1+pinnace.")
    assert status["plugins"] == [{"kind": "ObjectStore", "name": "velero.io/aws"}]


def test_a_backup_is_deleted_when_it_is_asked_for_and_counted(stage: Stage) -> None:
    """The same process that answers, so that what a deletion needs is wired: rights, location, metrics."""
    stage.create("gone", status=_ENDED, storageLocation="default")
    for each in ("gone", "missing"):
        create(stage, DELETE_BACKUP_REQUESTS, each, called="DeleteBackupRequest", spec={"backupName": each})
    stage.wait(lambda: stage.objects(DELETE_BACKUP_REQUESTS).get("gone") is None)
    assert answered(stage, DELETE_BACKUP_REQUESTS, "missing")["errors"] == ["backup not found"]
    lines = [line for line in stage.dispatchers[0].metrics() if line.startswith("velero_backup_deletion")]
    assert lines == [
        'velero_backup_deletion_attempt_total{schedule=""} 1.0',
        'velero_backup_deletion_success_total{schedule=""} 1.0',
        'velero_backup_deletion_failure_total{schedule=""} 0.0',
    ]
