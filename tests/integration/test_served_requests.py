"""What the dispatcher answers to the requests of the `velero` CLI, by a real API server and a real bucket."""

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from command import PINNACE
from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Document, Stage, phase
from integration.s3_fixtures import new_prefix, open_bucket
from integration.s3_server import ACCESS_KEY, READER, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.cli.main import app
from pinnace.kube.kinds import BACKUPS, DELETE_BACKUP_REQUESTS, DOWNLOAD_REQUESTS, RESTORES, SERVER_STATUS_REQUESTS
from pinnace.kube.objects import Kind

pytestmark = pytest.mark.usefixtures("credentials")

_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_READERS = f"[default]\naws_access_key_id={READER}\naws_secret_access_key={READER}\n"
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
        options = {"s3Url": s3_server.url, "s3ForcePathStyle": "true", "publicUrl": _PUBLIC, "region": "eu-south-2"}
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
    assert status["plugins"] == [
        {"kind": "BackupItemAction", "name": "velero.io/pod"},
        {"kind": "BackupItemAction", "name": "velero.io/pv"},
        {"kind": "BackupItemAction", "name": "velero.io/service-account"},
        {"kind": "ObjectStore", "name": "velero.io/aws"},
    ]


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


def command(stage: Stage, *arguments: str) -> Result:
    """Run a command of ours as its users do, but in this process: starting one takes seconds."""
    given = [*arguments, f"--kubeconfig={stage.kubeconfig}", f"--namespace={stage.namespace}"]
    return CliRunner().invoke(app, given)


def test_our_own_commands_do_the_same_as_veleros(stage: Stage) -> None:
    """Created and followed to its end, while the test plays the Job; shown; deleted, and waited for."""
    create_and_wait = [
        *PINNACE, "backup", "create", "ours", "--include-namespaces=of-ours", "--storage-location=default", "--wait",
        "-ojson", f"--kubeconfig={stage.kubeconfig}", f"--namespace={stage.namespace}",
    ]  # fmt: skip
    with subprocess.Popen(create_and_wait, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        stage.wait(lambda: stage.objects(BACKUPS).get("ours"))
        pod = stage.new_pod("ours")
        stage.run(pod)
        stage.patch_backup("ours", progress={"totalItems": 7, "itemsBackedUp": 3})
        stage.wait(lambda: stage.backup("ours")["status"]["progress"]["itemsBackedUp"] == 3)
        assert process.stderr is not None
        lines: list[str] = []
        while not lines or "3 of 7 items" not in lines[-1]:
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        stage.complete("ours")
        printed, _ = process.communicate(timeout=60)
    assert "backup ours: InProgress\n" in lines
    assert (process.returncode, json.loads(printed)["status"]["phase"]) == (0, "Completed")
    stage.wait_until_recorded("ours")

    again = command(stage, "backup", "create", "ours")
    assert "has a Backup ours already" in str(again.exception)
    watched = command(stage, "backup", "watch", "ours")
    assert (watched.exit_code, watched.stdout.splitlines()[:3]) == (
        0, ["backup    ours", "phase     Completed", "items     7"],
    )  # fmt: skip
    located = command(stage, "location", "get", "default")
    assert located.stdout.splitlines()[1].split()[:2] == ["default", "aws"]
    deleted = command(stage, "backup", "delete", "ours", "--confirm", "--wait")
    assert (deleted.exit_code, deleted.stdout) == (0, 'Request to delete backup "ours" submitted successfully.\n')
    assert stage.objects(BACKUPS).get("ours") is None
    refused = command(stage, "backup", "delete", "lost", "--confirm", "--wait")
    assert (refused.exit_code, refused.stderr) == (1, "backup lost: backup storage location not-there not found\n")
    assert "no Backup nope; nothing was deleted" in str(command(stage, "backup", "delete", "nope").exception)


def test_who_stops_watching_is_told_that_the_backup_goes_on(stage: Stage) -> None:
    stage.create("watched", includedNamespaces=["of-watched"], storageLocation="default")
    watch = [
        *PINNACE,
        "backup",
        "watch",
        "watched",
        f"--kubeconfig={stage.kubeconfig}",
        f"--namespace={stage.namespace}",
    ]
    with subprocess.Popen(watch, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert (process.returncode, said.splitlines()[-1]) == (
        130,
        "error: interrupted by signal 2; only the watching: backup watched goes on in the cluster",
    )


def test_a_location_is_checked_with_its_own_credentials(stage: Stage) -> None:
    """Everything works on this server; one who may only read is told what else a backup needs."""
    checked = command(stage, "location", "check", "default", "-ojson")
    assert {row["check"]: row["result"] for row in json.loads(checked.stdout)} == dict.fromkeys(
        ("list", "put", "conditional create", "ranged read", "presigned URL", "multipart upload", "abort an upload",
         "list uploads", "delete"), "works",
    )  # fmt: skip
    stage.write_secret("reader", _READERS)
    stage.make_location("for-readers", credential={"name": "reader", "key": "cloud"})
    checked = command(stage, "location", "check", "for-readers", "-ojson")
    found = {row["check"]: (row["right"], row["result"], row["detail"]) for row in json.loads(checked.stdout)}
    assert checked.exit_code == 1
    assert found["list"] == ("s3:ListBucket", "works", "")
    assert found["put"][:2] == ("s3:PutObject", "fails")
    assert "grant s3:PutObject on the bucket to these credentials" in found["put"][2]
