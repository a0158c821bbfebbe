"""The real velero CLI against our dispatcher: what its users type, and what they then see."""

import gzip
import json
import re
import tarfile
from pathlib import Path

import pytest

from e2e_velero.velero_program import Velero, lines_of
from integration.dispatcher_process import Stage, phase
from integration.s3_fixtures import open_bucket
from integration.s3_server import SeaweedServer
from pinnace.kube.kinds import BACKUPS, DELETE_BACKUP_REQUESTS, DOWNLOAD_REQUESTS
from pinnace.store.backup_store import BackupStore

pytestmark = pytest.mark.usefixtures("credentials")

_GOLDEN = Path(__file__).parents[1] / "golden" / "bucket" / "backups"


@pytest.fixture(scope="module")
def created(velero: Velero, stage: Stage) -> str:
    """What `backup create --wait` printed of a backup that the other tests look at.

    It is PartiallyFailed, since the samples have an API that does not answer: so there are results to be downloaded.
    """
    stage.wait(lambda: phase(stage.location("default")) == "Available")
    return velero.run("backup", "create", "one", "--include-namespaces", "default,shop", "--wait")


def store_of(stage: Stage, server: SeaweedServer, name: str) -> BackupStore:
    return BackupStore(open_bucket(server.store_url(stage.bucket, f"{stage.namespace}/default")), name)


def test_version_names_the_server_and_wants_no_update(velero: Velero) -> None:
    lines = lines_of(velero.run("version", "--timeout", "60s"))
    assert lines[:4] == ["Client:", "Version: v1.18.1", "Git commit: -", "Server:"]
    assert re.fullmatch(r"Version: v1\.18\.1\+pinnace\.[0-9.]+", lines[4])
    assert len(lines) == 5


def test_plugin_get_names_what_is_built_in(velero: Velero) -> None:
    assert lines_of(velero.run("plugin", "get")) == [
        "NAME  KIND", "velero.io/pod  BackupItemAction", "velero.io/pv  BackupItemAction",
        "velero.io/service-account  BackupItemAction", "velero.io/aws  ObjectStore",
    ]  # fmt: skip


def test_create_waits_for_the_end_and_says_it(created: str) -> None:
    lines = lines_of(created)
    assert lines[0] == 'Backup request "one" submitted successfully.'
    assert lines[-1] == (
        "Backup completed with status: PartiallyFailed. You may check for more information using the commands "
        "`velero backup describe one` and `velero backup logs one`."
    )


@pytest.mark.usefixtures("created")
def test_get_shows_it(velero: Velero) -> None:
    header, row = lines_of(velero.run("backup", "get", "one"))
    assert header == ("NAME  STATUS  ERRORS  WARNINGS  CREATED  EXPIRES  STORAGE LOCATION  QUEUE POSITION  SELECTOR")
    assert re.fullmatch(
        r"one  PartiallyFailed  1  0  \S+ \S+ \+0000 UTC  29d  default  <none>", row
    )  # it has no place in the queue any more


@pytest.mark.usefixtures("created")
def test_describe_has_errors_items_and_volumes(velero: Velero, stage: Stage) -> None:
    """Results, resource list and volumes come by URLs; without one the CLI would wait half a minute for each."""
    lines = lines_of(velero.run("backup", "describe", "one", "--details"))
    text = "\n".join(lines)
    assert "Phase:  PartiallyFailed (run `velero backup logs one` for more information)" in lines
    assert "its API server does not answer" in text
    assert "Included:  default, shop" in lines
    assert "Backup Format Version:  1.1.0" in lines
    assert "- default/kube-root-ca.crt" in lines[lines.index("v1/ConfigMap:") :]
    assert lines[-5:] == [
        "Velero-Native Snapshots: <none included>", "CSI Snapshots: <none included>",
        "Pod Volume Backups: <none included>", "HooksAttempted:  0", "HooksFailed:  0",
    ]  # fmt: skip
    assert "<error" not in text
    targets = {each["spec"]["target"]["kind"] for each in stage.objects(DOWNLOAD_REQUESTS).list()}
    assert targets >= {"BackupResults", "BackupResourceList", "BackupVolumeInfos"}


@pytest.mark.usefixtures("created")
def test_logs_are_those_of_the_job(velero: Velero, stage: Stage, s3_server: SeaweedServer) -> None:
    log = store_of(stage, s3_server, "one")
    assert velero.run("backup", "logs", "one") == gzip.decompress(log.read(log.keys.log)).decode()


@pytest.mark.usefixtures("created")
def test_download_is_the_archive(velero: Velero, stage: Stage, s3_server: SeaweedServer) -> None:
    velero.run("backup", "download", "one", "--output", "one.tar.gz")
    stored = store_of(stage, s3_server, "one")
    archive = velero.home / "one.tar.gz"
    assert archive.read_bytes() == stored.read(stored.keys.archive)
    with tarfile.open(archive) as members:
        assert members.next().name == "metadata/version"  # type: ignore[union-attr]


def test_locations_are_created_and_shown(velero: Velero, stage: Stage) -> None:
    config = f"region=us-east-1,s3ForcePathStyle=true,s3Url={stage.s3_url}"
    printed = velero.run(
        "backup-location", "create", "second", "--provider", "aws", "--bucket", stage.bucket, "--prefix", "second",
        "--config", config, "--access-mode", "ReadOnly",
    )  # fmt: skip
    assert printed == 'Backup storage location "second" configured successfully.\n'
    stage.wait(lambda: phase(stage.location("second")) == "Available")
    header, row = lines_of(velero.run("backup-location", "get", "second"))
    assert header == "NAME  PROVIDER  BUCKET/PREFIX  PHASE  LAST VALIDATED  ACCESS MODE  DEFAULT"
    assert re.fullmatch(rf"second  aws  {stage.bucket}/second  Available  \S+ \S+ \+0000 UTC  ReadOnly", row)


def test_a_refused_backup_says_why_and_can_be_deleted(velero: Velero, stage: Stage) -> None:
    stage.make_location("read-only", accessMode="ReadOnly")
    stage.wait(lambda: phase(stage.location("read-only")) == "Available")
    lines = lines_of(velero.run("backup", "create", "refused", "--storage-location", "read-only", "--wait"))
    assert "Backup completed with status: FailedValidation." in lines[-1]
    refusal = "backup can't be created because backup storage location read-only is currently in read-only mode"
    assert refusal in velero.run("backup", "describe", "refused")
    velero.run("backup", "delete", "refused", "--confirm")
    stage.wait(lambda: stage.objects(BACKUPS).get("refused") is None)


def test_one_that_runs_is_not_deleted_and_says_so(velero: Velero, stage: Stage) -> None:
    stage.create("held-back", includedNamespaces=["of-nobody"])
    stage.wait_for_phase("held-back", "InProgress")
    stage.wait(lambda: stage.pods_of("held-back"))
    velero.run("backup", "delete", "held-back", "--confirm")
    stage.wait(lambda: "Processed" in [phase(each) for each in stage.objects(DELETE_BACKUP_REQUESTS).list()])
    lines = lines_of(velero.run("backup", "describe", "held-back"))
    assert "Deletion Attempts (1 failed):" in lines
    assert "backup is still in progress" in lines
    stage.objects(BACKUPS).delete("held-back")
    stage.wait(lambda: not stage.job_of("held-back"))


def test_delete_removes_it_everywhere(velero: Velero, stage: Stage, s3_server: SeaweedServer) -> None:
    velero.run("backup", "create", "two", "--include-namespaces", "default", "--wait")
    assert store_of(stage, s3_server, "two").has_objects()
    printed = velero.run("backup", "delete", "two", "--confirm")
    assert lines_of(printed)[0] == 'Request to delete backup "two" submitted successfully.'
    stage.wait(lambda: stage.objects(BACKUPS).get("two") is None)
    assert not store_of(stage, s3_server, "two").has_objects()
    stage.wait(lambda: not [each for each in stage.objects(DELETE_BACKUP_REQUESTS).list()
                            if each["spec"]["backupName"] == "two"])  # fmt: skip
    assert "not found" in velero.run("backup", "get", "two", status=1)


def test_a_backup_that_velero_made_is_served_and_deleted_too(
    velero: Velero, stage: Stage, s3_server: SeaweedServer
) -> None:
    """The Backup as a sync creates it: with its status, under another uid, in a location of this cluster."""
    name, folder = "golden-all", _GOLDEN / "golden-all"
    stored = store_of(stage, s3_server, name)
    for path in folder.iterdir():
        stored.put(f"backups/{name}/{path.name}", path.read_bytes())
    document = json.loads((folder / "velero-backup.json").read_text())
    metadata = {key: document["metadata"].get(key) for key in ("name", "labels", "annotations")}
    document |= {"metadata": {**metadata, "namespace": stage.namespace}}
    document["spec"]["storageLocation"] = "default"
    assert stage.objects(BACKUPS).create(document)
    lines = lines_of(velero.run("backup", "describe", name, "--details"))
    assert "Phase:  Completed" in lines
    assert "- golden-a/web" in lines[lines.index("apps/v1/Deployment:") :]
    assert "error" not in "".join(lines)
    velero.run("backup", "download", name)
    assert (velero.home / f"{name}-data.tar.gz").read_bytes() == (folder / f"{name}.tar.gz").read_bytes()
    # Its log is not among the recorded objects: the CLI makes a sentence of the 404.
    assert "not found" in velero.run("backup", "logs", name, status=1)
    velero.run("backup", "delete", name, "--confirm")
    stage.wait(lambda: stage.objects(BACKUPS).get(name) is None)
    assert not stored.has_objects()
