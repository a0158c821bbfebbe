"""Backups that come and go by themselves: schedules, expiry, the retention guard and sync, on real servers."""

import gzip
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Document, Stage, phase
from integration.s3_fixtures import new_prefix, open_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.cli.main import app
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, BACKUPS, SCHEDULES
from pinnace.store.object_store import ObjectStore
from pinnace.velero.timestamps import timestamp

_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_GOLDEN = Path(__file__).parents[1] / "golden" / "bucket" / "backups" / "golden-all"
_READ_ONLY = "read-only"


@pytest.fixture(scope="module")
def stage(
    local_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Two locations, and a dispatcher that looks every second or two."""
    apply_crds(local_cluster)
    made = Stage(
        kubeconfig=local_cluster.kubeconfig,
        namespace="upkeep-test",
        folder=tmp_path_factory.mktemp("upkeep"),
        s3_url=s3_server.url,
        bucket=shared_bucket,
        credentials=_CREDENTIALS,
    )
    try:
        made.make()
        made.make_location("default", prefix=new_prefix())
        made.make_location(_READ_ONLY, prefix=new_prefix(), accessMode="ReadOnly")
        made.start("--no-leader-election", "--backup-sync-period=1s", "--garbage-collection-frequency=1s")
        stage_is_ready(made)
        yield made
    finally:
        made.end()


def stage_is_ready(stage: Stage) -> None:
    stage.wait(lambda: all(phase(stage.location(name)) == "Available" for name in ("default", _READ_ONLY)))


@pytest.fixture
def bucket(stage: Stage, s3_server: SeaweedServer, credentials: None) -> ObjectStore:
    """What the default location has."""
    return store_of(stage, s3_server, "default")


def store_of(stage: Stage, server: SeaweedServer, location: str) -> ObjectStore:
    prefix = stage.location(location)["spec"]["objectStorage"]["prefix"]
    return open_bucket(server.store_url(stage.bucket, prefix))


def ago(**span: float) -> str:
    return timestamp(datetime.now(UTC) - timedelta(**span))


def put(store: ObjectStore, name: str, *, expired: bool = False, schedule: str = "", days_ago: int = 40) -> None:
    """A Completed backup as its metadata, its archive and the list of what is in it: no snapshots."""
    status = {
        "phase": "Completed",
        "startTimestamp": ago(days=days_ago),
        "completionTimestamp": ago(days=days_ago),
        "expiration": ago(days=1 if expired else -30),
    }
    labels = {"velero.io/schedule-name": schedule} if schedule else {}
    metadata = {"name": name, "namespace": "elsewhere", "labels": labels, "uid": "of-another-cluster"}
    document = {"kind": "Backup", "apiVersion": "velero.io/v1", "metadata": metadata, "spec": {}, "status": status}
    store.put(f"backups/{name}/{name}.tar.gz", b"the archive")
    store.put(f"backups/{name}/{name}-resource-list.json.gz", gzip.compress(b"{}"))
    store.put(f"backups/{name}/velero-backup.json", json.dumps(document).encode())


def keys(store: ObjectStore, name: str) -> list[str]:
    return [found.key for found in store.list_keys(f"backups/{name}/")]


def found(stage: Stage, name: str) -> Document | None:
    return stage.objects(BACKUPS).get(name)


def pinnace(stage: Stage, *arguments: str) -> str:
    flags = (f"--namespace={stage.namespace}", f"--kubeconfig={stage.kubeconfig}")
    shown = CliRunner().invoke(app, [*arguments, *flags])
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def test_a_schedule_whose_time_has_passed_makes_one_backup_and_says_so(stage: Stage) -> None:
    missed = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=3)
    document: Document = {
        "apiVersion": "velero.io/v1",
        "kind": "Schedule",
        "metadata": {
            "name": "often", "namespace": stage.namespace, "labels": {"team": "a"}, "annotations": {"why": "audit"},
        },
        "spec": {
            "schedule": "@every 25h", "template": {"includedNamespaces": ["default"], "ttl": "24h0m0s"},
            "useOwnerReferencesInBackup": True,
        },
        "status": {"phase": "New", "lastBackup": timestamp(missed)},
    }  # fmt: skip
    assert stage.objects(SCHEDULES).create(document)
    name = f"often-{missed + timedelta(hours=50):%Y%m%d%H%M%S}"
    stage.wait(lambda: found(stage, name))
    made = stage.backup(name)
    assert made["metadata"]["labels"]["velero.io/schedule-name"] == "often"
    assert (made["metadata"]["labels"]["team"], made["metadata"]["annotations"]["why"]) == ("a", "audit")
    assert [owner["kind"] for owner in made["metadata"]["ownerReferences"]] == ["Schedule"]
    assert (made["spec"]["includedNamespaces"], made["spec"]["ttl"]) == (["default"], "24h0m0s")
    stage.wait_for_phase(name, "InProgress")
    schedule = stage.objects(SCHEDULES).get("often") or {}
    assert (schedule["status"]["phase"], schedule["status"]["lastBackup"] > timestamp(missed)) == ("Enabled", True)
    assert ("Normal", "BackupMade", f"Backup {name} was made, due at {timestamp(missed + timedelta(hours=50))}") in (
        stage.events_of("often")
    )
    due = datetime.fromisoformat(schedule["status"]["lastBackup"]) + timedelta(hours=25)
    stage.wait(lambda: due.timestamp() in due_times(stage))
    made_names = [each["metadata"]["name"] for each in stage.objects(BACKUPS).list(label_selector="team=a")]
    assert made_names == [name]


def due_times(stage: Stage) -> list[float]:
    family = "pinnace_schedule_next_due_timestamp{"
    return [float(line.split()[-1]) for line in stage.dispatchers[0].metrics() if line.startswith(family)]


def test_our_own_command_line_makes_pauses_and_deletes_schedules(stage: Stage) -> None:
    made = pinnace(
        stage, "schedule", "create", "nightly", "--schedule=CRON_TZ=Europe/Berlin 0 2 * * *", "--ttl=48h0m0s",
        "--include-namespaces=shop", "--labels=team=shop", "--selector=app=web", "--paused",
    )  # fmt: skip
    assert made == 'Schedule "nightly" created successfully.\n'
    stage.wait(lambda: phase(stage.objects(SCHEDULES).get("nightly") or {}) == "Enabled")
    [header, row] = pinnace(stage, "schedule", "get", "nightly").splitlines()
    assert " ".join(header.split()) == "NAME STATUS CREATED SCHEDULE BACKUP TTL LAST BACKUP SELECTOR PAUSED"
    assert row.split()[:2] == ["nightly", "Enabled"]
    assert row.endswith("  CRON_TZ=Europe/Berlin 0 2 * * *  48h0m0s     n/a          app=web   true")
    assert pinnace(stage, "schedule", "pause", "nightly") == "Schedule nightly is already paused, skip\n"
    unpaused = pinnace(stage, "schedule", "unpause", "--selector=team=shop", "--skip-immediately")
    assert unpaused == "Schedule nightly unpaused successfully\n"
    stage.wait(lambda: ((stage.objects(SCHEDULES).get("nightly") or {}).get("status") or {}).get("lastSkipped"))
    spec = (stage.objects(SCHEDULES).get("nightly") or {})["spec"]
    assert (spec["paused"], spec["skipImmediately"]) == (False, False)
    assert pinnace(stage, "schedule", "delete", "nightly", "--confirm") == "Schedule deleted: nightly\n"
    assert stage.objects(SCHEDULES).get("nightly") is None


def test_a_backup_is_made_by_hand_from_a_schedules_template(stage: Stage) -> None:
    pinnace(
        stage, "schedule", "create", "monthly", "--schedule=@monthly", "--include-namespaces=default",
        "--labels=team=b", "--no-snapshot-volumes", "--paused",
    )  # fmt: skip
    made = json.loads(
        pinnace(stage, "backup", "create", "by-hand", "--from-schedule=monthly", "--labels=why=audit", "-ojson")
    )
    labels = {"team": "b", "velero.io/schedule-name": "monthly", "why": "audit"}
    assert labels.items() <= made["metadata"]["labels"].items()
    assert (made["spec"]["includedNamespaces"], made["spec"]["snapshotVolumes"]) == (["default"], False)
    said = pinnace(stage, "backup", "create", "--from-schedule=monthly")
    assert re.match(r'Backup request "monthly-\d{14}" submitted successfully\.\n', said)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "backup create: give a NAME, or --from-schedule"),
        (["--from-schedule=not-there"], "namespace upkeep-test: no Schedule not-there"),
        (
            ["--from-schedule=monthly", "--ttl=1h"],
            "--from-schedule monthly: it has the whole spec; leave out filters and --from-file",
        ),
    ],
)
def test_a_backup_of_nothing_that_is_named_is_refused(stage: Stage, arguments: list[str], reason: str) -> None:
    flags = (f"--namespace={stage.namespace}", f"--kubeconfig={stage.kubeconfig}")
    refused = CliRunner().invoke(app, ["backup", "create", *arguments, *flags])
    assert str(refused.exception) == reason


def test_locations_are_listed_by_default_and_by_label(stage: Stage) -> None:
    stage.objects(BACKUP_STORAGE_LOCATIONS).merge_patch(_READ_ONLY, {"metadata": {"labels": {"team": "a"}}})

    def names(*arguments: str) -> list[str]:
        return [row["metadata"]["name"] for row in json.loads(pinnace(stage, "location", "get", "-ojson", *arguments))]

    assert (names(), names("--default"), names("--selector=team=a")) == (
        ["default", _READ_ONLY],
        ["default"],
        [_READ_ONLY],
    )


def test_a_schedule_that_can_not_be_read_fails_validation_in_veleros_words(stage: Stage) -> None:
    metadata = {"name": "wrong", "namespace": stage.namespace}
    document = {"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": metadata}
    assert stage.objects(SCHEDULES).create({**document, "spec": {"schedule": "99 * * * *", "template": {}}})
    stage.wait(lambda: phase(stage.objects(SCHEDULES).get("wrong") or {}) == "FailedValidation")
    status = (stage.objects(SCHEDULES).get("wrong") or {})["status"]
    assert status["validationErrors"] == ["invalid schedule: '99 * * * *': bad minute"]
    stage.objects(SCHEDULES).merge_patch("wrong", {"spec": {"schedule": "9 2 * * *"}})
    stage.wait(lambda: (stage.objects(SCHEDULES).get("wrong") or {})["status"] == {"phase": "Enabled"})


def test_a_backup_that_velero_wrote_comes_into_the_cluster_and_one_whose_data_is_gone_leaves_it(
    stage: Stage, bucket: ObjectStore
) -> None:
    put(bucket, "stays")
    bucket.put("backups/broken/velero-backup.json", b"{")
    bucket.put("backups/golden-all/velero-backup.json", (_GOLDEN / "velero-backup.json").read_bytes())
    stage.wait(lambda: found(stage, "golden-all") and found(stage, "stays"))
    backup = stage.backup("golden-all")
    stored = json.loads((_GOLDEN / "velero-backup.json").read_text())
    assert backup["metadata"]["namespace"] == stage.namespace
    assert backup["metadata"]["labels"]["velero.io/storage-location"] == "default"
    assert backup["spec"] == {**stored["spec"], "storageLocation": "default"}
    assert backup["status"] == stored["status"]
    stage.wait(lambda: any(reason == "BackupNotSynced" for _, reason, _ in stage.events_of("default")))
    assert stage.location("default")["status"]["lastSyncedTime"]
    # SeaweedFS lists a folder for a while after its last object is gone, so this one never had any.
    labels = {"velero.io/storage-location": "default"}
    stage.create("gone", labels=labels, status={"phase": "Completed"}, storageLocation="default")
    stage.wait(lambda: found(stage, "gone") is None)
    assert found(stage, "stays")


def test_one_that_has_expired_is_deleted_with_its_data(stage: Stage, bucket: ObjectStore) -> None:
    put(bucket, "expired", expired=True)
    stage.wait(lambda: 'pinnace_backup_expired_total{schedule=""} 1.0' in stage.dispatchers[0].metrics())
    stage.wait(lambda: not keys(bucket, "expired") and found(stage, "expired") is None)


def test_in_a_read_only_location_it_stays_and_its_label_says_why(
    stage: Stage, s3_server: SeaweedServer, credentials: None
) -> None:
    store = store_of(stage, s3_server, _READ_ONLY)
    put(store, "frozen", expired=True)

    def label() -> Any:
        return ((found(stage, "frozen") or {}).get("metadata", {}).get("labels") or {}).get("velero.io/gc-failure")

    stage.wait(lambda: label() == "BSLReadOnly")
    stage.wait(lambda: 'pinnace_backup_gc_failures{reason="BSLReadOnly"} 1.0' in stage.dispatchers[0].metrics())
    assert len(keys(store, "frozen")) == 3
    # Writable again, nothing keeps it.
    stage.objects(BACKUP_STORAGE_LOCATIONS).merge_patch(_READ_ONLY, {"spec": {"accessMode": "ReadWrite"}})
    stage.wait(lambda: not keys(store, "frozen") and found(stage, "frozen") is None)


def test_the_last_good_backup_of_a_schedule_stays_while_the_newer_ones_fail(stage: Stage, bucket: ObjectStore) -> None:
    failed = {"phase": "Failed", "startTimestamp": ago(days=1), "expiration": ago(days=-29)}
    stage.create("shop-bad", labels={"velero.io/schedule-name": "shop"}, status=failed, storageLocation="default")
    put(bucket, "shop-older", expired=True, schedule="shop", days_ago=50)
    put(bucket, "shop-old", expired=True, schedule="shop", days_ago=40)
    stage.wait(lambda: any(reason == "KeptByRetentionGuard" for _, reason, _ in stage.events_of("shop-old")))
    stage.wait(lambda: not keys(bucket, "shop-older"))
    line = 'pinnace_backup_kept_by_retention_guard{schedule="shop"} 1.0'
    stage.wait(lambda: line in stage.dispatchers[0].metrics())
    time.sleep(2.5)  # two more looks
    assert len(keys(bucket, "shop-old")) == 3
    annotations = {"annotations": {"pinnace.io/retention-guard": "off"}}
    stage.objects(BACKUPS).merge_patch("shop-old", {"metadata": annotations})
    stage.wait(lambda: not keys(bucket, "shop-old") and found(stage, "shop-old") is None)
    assert line not in stage.dispatchers[0].metrics()


def test_looking_at_buckets_every_second_keeps_the_dispatcher_below_100_mebibytes(stage: Stage) -> None:
    assert stage.dispatchers[-1].rss_bytes < 100 << 20
