"""A deletion on a real API server and a real bucket: stopped after every step, locked, refused."""

import gzip
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Document, Stage, now, phase
from integration.s3_fixtures import new_prefix, open_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.dispatcher.deletion_acts import DeletionActs
from pinnace.dispatcher.deletion_controller import DeletionController
from pinnace.dispatcher.locations import Locations
from pinnace.dispatcher.metrics import Metrics
from pinnace.dispatcher.snapshot_removal import SnapshotRemoval
from pinnace.errors import ObjectLockedError
from pinnace.kube.events import EventRecorder
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, BACKUPS, DELETE_BACKUP_REQUESTS, RESTORES
from pinnace.store.backup_store import BackupStore, backup_names
from pinnace.store.s3 import S3Store

pytestmark = pytest.mark.usefixtures("credentials")

_NAMESPACE = "deletion-test"
_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_FINALIZER = "restores.velero.io/external-resources-finalizer"
_MOST_STEPS = 20
_IN_A_REPOSITORY = (
    "whose data is in a repository that only a Velero server can change; delete the backup with a Velero that uses "
    "this location"
)
_NO_KINDS = (
    "this cluster has no VolumeSnapshotContents of snapshot.storage.k8s.io/v1; install the kinds, their controller and "
    "the driver, or delete the backup in the cluster that has them"
)


@pytest.fixture(scope="module")
def stage(
    local_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stage:  # fmt: skip
    """A namespace in which no dispatcher runs: the test is all that acts."""
    apply_crds(local_cluster)
    made = Stage(
        kubeconfig=local_cluster.kubeconfig,
        namespace=_NAMESPACE,
        folder=tmp_path_factory.mktemp("deletion"),
        s3_url=s3_server.url,
        bucket=shared_bucket,
        credentials=_CREDENTIALS,
    )
    made.make()
    return made


@pytest.fixture
def name() -> str:
    return f"b-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def bucket(stage: Stage, s3_server: SeaweedServer, name: str) -> S3Store:
    """A prefix with two backups and the logs of two Restores; one backup and one Restore are to stay."""
    prefix = new_prefix()
    stage.make_location(name, prefix=prefix)
    stage.objects(BACKUP_STORAGE_LOCATIONS).merge_patch(name, {"status": {"phase": "Available"}})
    store = open_bucket(s3_server.store_url(stage.bucket, prefix))
    for each in (name, f"{name}-2"):
        for key in BackupStore(store, each).keys.all():
            store.put(key, b"x")
    # Lists that say that no volume was kept elsewhere.
    keys = BackupStore(store, name).keys
    for key in (keys.volume_snapshots, keys.pod_volume_backups, keys.volume_info):
        store.put(key, gzip.compress(b"null\n"))
    store.put(keys.resource_list, gzip.compress(b"{}\n"))
    for restore in (f"of-{name}", "another"):
        store.put(f"restores/{restore}/restore-{restore}-logs.gz", b"x")
    return store


def make_backup(stage: Stage, name: str, **status: Any) -> Document:
    given = {"phase": "Completed", "startTimestamp": "2026-01-01T12:00:00Z", **status}
    stage.create(name, labels={"velero.io/schedule-name": "nightly"}, status=given, storageLocation=name)
    return stage.backup(name)


def make_restore(stage: Stage, name: str, *, backup_name: str) -> None:
    metadata = {"name": name, "namespace": _NAMESPACE, "finalizers": [_FINALIZER]}
    document = {"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": metadata}
    assert stage.objects(RESTORES).create({**document, "spec": {"backupName": backup_name}})


def ask(stage: Stage, name: str, *, backup_name: str | None = None) -> None:
    """A request as `kubectl create` makes it, without the labels that the CLI adds."""
    metadata = {"name": name, "namespace": _NAMESPACE}
    document = {"apiVersion": "velero.io/v1", "kind": "DeleteBackupRequest", "metadata": metadata}
    assert stage.objects(DELETE_BACKUP_REQUESTS).create({**document, "spec": {"backupName": backup_name or name}})


def request(stage: Stage, name: str) -> Document | None:
    return stage.objects(DELETE_BACKUP_REQUESTS).get(name)


def new_controller(stage: Stage, metrics: Metrics | None = None) -> DeletionController:
    """As a dispatcher that has just started: it knows nothing but what it reads."""
    client = stage.client
    locations = Locations(client, namespace=_NAMESPACE)

    def clock() -> datetime:
        return datetime.now(UTC)

    events = EventRecorder(client, namespace=_NAMESPACE, component="pinnace-dispatcher")
    snapshots = SnapshotRemoval(client, namespace=_NAMESPACE, locations=locations)
    acts = DeletionActs(
        client, namespace=_NAMESPACE, locations=locations, snapshots=snapshots, metrics=metrics or Metrics(),
        events=events, clock=clock,
    )  # fmt: skip
    return DeletionController(client, acts, namespace=_NAMESPACE, locations=locations, snapshots=snapshots, clock=clock)


def walk(stage: Stage, name: str, *, after_each: Callable[[], None] = lambda: None) -> None:
    """Do all steps, each by a dispatcher that has just started."""
    metrics = Metrics()
    for _ in range(_MOST_STEPS):
        if new_controller(stage, metrics).reconcile(name) != 0.0:
            return
        after_each()
    raise AssertionError(f"the deletion does not end: {request(stage, name)}")


def errors_of(stage: Stage, name: str) -> list[str]:
    walk(stage, name)
    found = request(stage, name)
    assert found is not None
    assert phase(found) == "Processed"
    errors: list[str] = found["status"]["errors"]
    return errors


def test_a_dispatcher_that_is_killed_after_every_step_comes_to_the_same_end(
    stage: Stage, bucket: S3Store, name: str
) -> None:
    make_backup(stage, name)
    make_restore(stage, f"of-{name}", backup_name=name)
    make_restore(stage, f"of-another-{name}", backup_name="another")
    ask(stage, name)
    ask(stage, f"{name}-younger", backup_name=name)
    listed: list[tuple[bool, bool]] = []

    def look() -> None:
        """A backup that is listed is whole: its metadata never outlives another of its objects."""
        keys = {found.key for found in bucket.list_keys(f"backups/{name}/")}
        listed.append((BackupStore(bucket, name).keys.metadata in keys, bool(keys)))

    walk(stage, name, after_each=look)
    assert set(listed) == {(True, True), (False, False)}
    assert list(backup_names(bucket)) == [f"{name}-2"]
    assert [found.key for found in bucket.list_keys("restores/")] == ["restores/another/restore-another-logs.gz"]
    assert stage.objects(BACKUPS).get(name) is None
    assert (request(stage, name), request(stage, f"{name}-younger")) == (None, None)
    assert [stage.objects(RESTORES).get(each) is None for each in (f"of-{name}", f"of-another-{name}")] == [True, False]


def test_what_somebody_deletes_in_the_middle_is_no_obstacle(stage: Stage, bucket: S3Store, name: str) -> None:
    """The Backup goes by `kubectl delete`, and an object by hand: the rest of both is removed all the same."""
    make_backup(stage, name)
    ask(stage, name)
    for _ in range(3):
        assert new_controller(stage).reconcile(name) == 0.0
    stage.objects(BACKUPS).delete(name)
    bucket.delete(BackupStore(bucket, name).keys.metadata)
    walk(stage, name)
    assert not BackupStore(bucket, name).has_objects()
    assert request(stage, name) is None


def test_what_pinnace_cant_remove_keeps_the_whole_backup(stage: Stage, bucket: S3Store, name: str) -> None:
    """A list of snapshots that can't be read may name some; the Backup stays, and another request goes on."""
    make_backup(stage, name)
    keys = BackupStore(bucket, name).keys
    bucket.put(keys.volume_snapshots, b"no gzip")
    ask(stage, name)
    [error] = errors_of(stage, name)
    assert error.startswith(f"{bucket.location}: {keys.volume_snapshots}: the gzip member at byte 0 is damaged")
    assert BackupStore(bucket, name).has(keys.metadata)
    assert phase(stage.backup(name)) == "Deleting"
    assert stage.events_of(name)[-1] == ("Warning", "DeletionFailed", error)

    bucket.put(keys.volume_snapshots, gzip.compress(b"null\n"))
    ask(stage, f"{name}-again", backup_name=name)
    walk(stage, f"{name}-again")
    assert (stage.objects(BACKUPS).get(name), request(stage, name)) == (None, None)
    assert not BackupStore(bucket, name).has_objects()


@pytest.mark.parametrize(
    ("suffix", "document", "error"),
    [
        ("podvolumebackups", [{}], f"backup {{}} has 1 pod volume backups, {_IN_A_REPOSITORY}"),
        (
            "volumeinfo",
            [{"backupMethod": "CSISnapshot", "csiSnapshotInfo": {"driver": "d", "snapshotHandle": "h"}}],
            f"CSI snapshot h of driver d: {_NO_KINDS}",
        ),
    ],
)
def test_where_nothing_can_remove_its_volumes_nothing_is_removed(
    stage: Stage, bucket: S3Store, name: str, suffix: str, document: list[Document], error: str
) -> None:
    make_backup(stage, name)
    keys = BackupStore(bucket, name).keys
    bucket.put(f"{keys.prefix}{name}-{suffix}.json.gz", gzip.compress(json.dumps(document).encode()))
    ask(stage, name)
    assert errors_of(stage, name) == [error.format(name)]
    assert all(bucket.exists(key) for key in keys.all())
    assert phase(stage.backup(name)) == "Deleting"


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ({"spec": {"accessMode": "ReadOnly"}},
         "cannot delete backup because backup storage location {} is currently in read-only mode"),
        ({"status": {"phase": "Unavailable"}},
         "cannot delete backup because backup storage location {} is currently in Unavailable state"),
    ],
)  # fmt: skip
def test_a_location_that_may_not_be_written_to_loses_nothing(
    stage: Stage, bucket: S3Store, name: str, location: Document, error: str
) -> None:
    make_backup(stage, name)
    stage.objects(BACKUP_STORAGE_LOCATIONS).merge_patch(name, location)
    ask(stage, name)
    assert errors_of(stage, name) == [error.format(name)]
    assert sorted(backup_names(bucket)) == [name, f"{name}-2"]
    assert phase(stage.backup(name)) == "Completed"


def test_a_backup_that_never_ran_takes_nobody_elses_with_it(stage: Stage, bucket: S3Store, name: str) -> None:
    """Its name is another's in the bucket, as after a cluster was made anew; the location is not even asked."""
    reason = f"bucket b: backup {name} already exists in object storage"
    stage.create(
        name, status={"phase": "Failed", "startTimestamp": now(), "failureReason": reason}, storageLocation=name
    )
    ask(stage, name)
    walk(stage, name)
    assert (stage.objects(BACKUPS).get(name), request(stage, name)) == (None, None)
    assert sorted(backup_names(bucket)) == [name, f"{name}-2"]


@pytest.mark.parametrize(
    ("backup_name", "error"), [("", "spec.backupName is required"), ("../backups", "backup not found")]
)
def test_a_request_for_no_backup_is_refused(stage: Stage, name: str, backup_name: str, error: str) -> None:
    metadata = {"name": name, "namespace": _NAMESPACE}
    document = {"apiVersion": "velero.io/v1", "kind": "DeleteBackupRequest", "metadata": metadata}
    assert stage.objects(DELETE_BACKUP_REQUESTS).create({**document, "spec": {"backupName": backup_name}})
    assert errors_of(stage, name) == [error]


@pytest.fixture
def locked(stage: Stage, s3_server: SeaweedServer, name: str) -> tuple[BackupStore, S3Store]:
    """A backup in a bucket with object lock; one of its objects is kept for an hour."""
    bucket, prefix = f"locked-{uuid.uuid4().hex[:8]}", new_prefix()
    store = open_bucket(s3_server.store_url(bucket, prefix))
    store.client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    backup = BackupStore(store, name)
    for key in (backup.keys.metadata, backup.keys.log):
        store.put(key, b"x")
    store.client.put_object(
        **store.target(backup.keys.archive), Body=b"x", ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    stage.make_location(name, prefix=prefix, bucket=bucket)
    stage.objects(BACKUP_STORAGE_LOCATIONS).merge_patch(name, {"status": {"phase": "Available"}})
    return backup, store


def test_where_an_object_is_locked_nothing_is_removed(
    stage: Stage, locked: tuple[BackupStore, S3Store], name: str
) -> None:
    """The store says so before it removes the first, and the request of a deletion ends with its sentence."""
    backup, store = locked
    with pytest.raises(ObjectLockedError, match=r"\.tar\.gz: it is protected by object lock \(GOVERNANCE\) until"):
        backup.remove()
    make_backup(stage, name)
    ask(stage, name)
    [error] = errors_of(stage, name)
    assert f"{name}.tar.gz: it is protected by object lock (GOVERNANCE) until" in error
    assert len(list(store.list_keys(f"backups/{name}/"))) == 3
    assert phase(stage.backup(name)) == "Deleting"
