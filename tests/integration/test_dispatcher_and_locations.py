"""What the dispatcher says of BackupStorageLocations, on a real control plane and a real S3 server."""

import time
from collections.abc import Iterator

import pytest

from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Document, Stage, phase
from integration.s3_fixtures import new_bucket, open_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds

_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_WRONG = _CREDENTIALS.replace(SECRET_KEY, "wrong")


@pytest.fixture(scope="module")
def stage(
    local_cluster: TestedCluster, s3_server: SeaweedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A namespace with locations of all sorts, and a dispatcher that needs no Lease."""
    apply_crds(local_cluster)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        bucket = new_bucket(s3_server)
        open_bucket(s3_server.store_url(bucket, "foreign")).client.put_object(
            Bucket=bucket, Key="foreign/tmp/note", Body=b"x"
        )
    made = Stage(
        kubeconfig=local_cluster.kubeconfig,
        namespace="locations-test",
        folder=tmp_path_factory.mktemp("locations"),
        s3_url=s3_server.url,
        bucket=bucket,
        credentials=_CREDENTIALS,
    )
    try:
        made.make()
        make_locations(made)
        made.start("--no-leader-election")
        yield made
    finally:
        made.end()


def make_locations(stage: Stage) -> None:
    stage.write_secret("changing", _WRONG)
    stage.make_location("older-default", default=True)
    stage.make_location("read-only", accessMode="ReadOnly")
    stage.make_location("no-bucket", bucket="not-there")
    stage.make_location("foreign", prefix="foreign")
    stage.make_location("no-secret", credential={"name": "not-there", "key": "cloud"})
    stage.make_location("no-key", credential={"name": "cloud-credentials", "key": "other"})
    stage.make_location("other-cloud", provider="gcp")
    stage.make_location("changing", credential={"name": "changing", "key": "cloud"}, validationFrequency="1s")
    stage.make_location("once", validationFrequency="0s")
    # The server counts creation in whole seconds.
    time.sleep(1.1)
    stage.make_location("newer-default", default=True)


def validated(stage: Stage, name: str) -> Document:
    """The status of a location, once it has one."""
    stage.wait(lambda: phase(stage.location(name)))
    status: Document = stage.location(name)["status"]
    return status


def test_one_that_answers_is_available(stage: Stage) -> None:
    status = validated(stage, "older-default")
    assert (status["phase"], status["message"]) == ("Available", "")
    line = 'velero_backup_location_status_gauge{backup_location_name="older-default"} 1.0'
    stage.wait(lambda: line in stage.dispatchers[0].metrics())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no-bucket", "bucket not-there"),
        ("foreign", "Backup store contains invalid top-level directories: [tmp]"),
        ("no-secret", "Secret not-there does not exist"),
        ("no-key", "Secret cloud-credentials has no key other"),
        ("other-cloud", "provider 'gcp' is not supported; aws is, for every S3 server"),
        ("changing", "look at AWS_SECRET_ACCESS_KEY and the clock"),
    ],
)
def test_one_that_can_not_be_used_is_unavailable_and_says_why(stage: Stage, name: str, reason: str) -> None:
    status = validated(stage, name)
    assert status["phase"] == "Unavailable"
    assert status["message"].startswith(f'BackupStorageLocation "{name}" is unavailable: ')
    assert reason in status["message"]
    line = f'velero_backup_location_status_gauge{{backup_location_name="{name}"}} 0.0'
    stage.wait(lambda: line in stage.dispatchers[0].metrics())


def test_of_two_defaults_the_newest_stays(stage: Stage) -> None:
    stage.wait(lambda: stage.location("older-default")["spec"]["default"] is False)
    assert stage.location("newer-default")["spec"]["default"] is True


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (
            "read-only",
            "backup storage location read-only is currently in read-only mode",
        ),
        (
            "no-bucket",
            "BackupStorageLocation no-bucket is in Unavailable status.",
        ),
    ],
)
def test_a_backup_of_one_that_takes_none_is_refused(stage: Stage, name: str, error: str) -> None:
    validated(stage, name)
    stage.create(f"into-{name}", storageLocation=name)
    status = stage.wait_for_phase(f"into-{name}", "FailedValidation")["status"]
    assert status["validationErrors"] == [f"backup can't be created because {error}"]


def test_a_backup_that_names_none_goes_to_the_default(stage: Stage) -> None:
    stage.create("into-default", includedNamespaces=["not-there"])
    assert stage.wait_for_phase("into-default", "InProgress")["spec"]["storageLocation"] == "newer-default"


def test_a_secret_that_is_mended_makes_its_location_available(stage: Stage) -> None:
    assert validated(stage, "changing")["phase"] == "Unavailable"
    once = validated(stage, "once")
    stage.write_secret("changing", _CREDENTIALS)
    stage.wait(lambda: phase(stage.location("changing")) == "Available")
    assert stage.location("changing")["status"]["message"] == ""
    # A frequency of 0 is: validated once, and never again.
    assert stage.location("once")["status"] == once


def test_a_location_that_comes_later_is_validated_before_its_first_backup(stage: Stage) -> None:
    stage.make_location("late")
    stage.create("into-late", storageLocation="late", includedNamespaces=["not-there-either"])
    stage.wait(lambda: phase(stage.backup("into-late")))
    assert phase(stage.backup("into-late")) == "Queued"
    stage.wait(lambda: phase(stage.location("late")) == "Available")
    stage.complete("into-default")
    stage.wait_for_phase("into-late", "InProgress")


def test_a_frequency_that_can_not_be_read_stops_neither_its_location_nor_the_others(stage: Stage) -> None:
    for name in ("a-first", "z-last"):
        stage.make_location(name, validationFrequency="often" if name == "a-first" else "1m")
    stage.wait(lambda: [phase(stage.location(name)) for name in ("a-first", "z-last")] == ["Available"] * 2)
    before = stage.location("changing")["status"]["lastValidationTime"]
    stage.wait(lambda: stage.location("changing")["status"]["lastValidationTime"] != before)
