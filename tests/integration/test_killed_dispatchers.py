"""A dispatcher's process that is killed at its writes: the next ones come to the end that an undisturbed one has."""

import dataclasses
import gzip
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from command import kubeconfig_of
from faults.killing_proxy import Cut, KillingProxy, Request, between
from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Document, Stage
from integration.s3_fixtures import new_prefix, open_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.dispatcher.job import job_name
from pinnace.kube.client import connect
from pinnace.kube.kinds import (
    BACKUP_STORAGE_LOCATIONS,
    BACKUPS,
    DELETE_BACKUP_REQUESTS,
    JOBS,
    PODS,
    RESTORES,
    ROLE_BINDINGS,
    ROLES,
    SCHEDULES,
)
from pinnace.store.backup_store import BackupStore
from pinnace.store.s3 import S3Store

pytestmark = pytest.mark.usefixtures("credentials")

_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_LOCATION = "main"
_MOST_LIVES = 150
_SECONDS = 120.0
_OF_THE_NAMESPACE = (BACKUPS, SCHEDULES, RESTORES, DELETE_BACKUP_REQUESTS, JOBS, ROLES, ROLE_BINDINGS)
_LONG_AGO = "2026-01-01T12:00:00Z"


@dataclass
class World:
    """A namespace and a prefix of the bucket; the dispatcher sees both through the proxy, the test sees them as is."""

    stage: Stage
    seen: Stage
    proxy: KillingProxy
    store: S3Store

    def run(self, decide: Callable[[Request], Cut | None], *, is_over: Callable[["World"], bool]) -> int:
        """Let dispatchers work, each until it is killed, the last one until it is over; gives how many there were."""
        self.proxy.requests.clear()
        self.proxy.decide = decide
        for life in range(1, _MOST_LIVES):
            process = self.seen.launch("--no-leader-election", "--log-level=info").process
            self.proxy.begin(process.kill)
            deadline = time.monotonic() + _SECONDS
            while process.poll() is None and not is_over(self):
                assert time.monotonic() < deadline, self.seen.dispatchers[-1].log.read_text()[-3000:]
                time.sleep(0.1)
            if process.poll() is None:
                process.kill()
                process.wait()
                return life
        raise AssertionError([str(write) for write in self.proxy.writes])

    def end_state(self) -> Mapping[str, Any]:
        """All that is there, without names, uids and times that differ from run to run."""
        found: dict[str, Any] = {
            kind.plural: sorted((_shown(each) for each in self.stage.objects(kind).list()), key=repr)
            for kind in _OF_THE_NAMESPACE
        }
        return found | {
            "keys": [each.key for each in self.store.list_keys("")],
            "uploads": [each.key for each in self.store.uploads("")],
        }


def _shown(document: Document) -> Mapping[str, Any]:
    metadata, spec, status = document["metadata"], document.get("spec") or {}, document.get("status") or {}
    return {
        "labels": sorted(metadata.get("labels") or {}),
        "annotations": sorted(metadata.get("annotations") or {}),
        "phase": status.get("phase"),
        "errors": status.get("errors"),
        "last": sorted(key for key in status if key.startswith("last")),
        "is_suspended": spec.get("suspend"),
        "skips": spec.get("skipImmediately"),
        "rules": [(rule["resources"], rule["verbs"]) for rule in document.get("rules") or ()],
    }


@pytest.fixture(scope="module")
def proxy(local_cluster: TestedCluster, s3_server: SeaweedServer) -> Iterator[KillingProxy]:
    """Before both servers."""
    access = connect(kubeconfig=local_cluster.kubeconfig).access
    context = ssl.create_default_context(cafile=access.ca_file)
    context.load_cert_chain(access.cert_file, access.key_file)
    with between((access.server, context), (s3_server.url, None)) as made:
        yield made


@pytest.fixture
def new_world(
    local_cluster: TestedCluster, s3_server: SeaweedServer, shared_bucket: str, proxy: KillingProxy, tmp_path: Path
) -> Iterator[Callable[[], World]]:
    """Make a namespace and a prefix of their own."""
    apply_crds(local_cluster)
    apiserver, bucket = proxy.urls
    made: list[World] = []

    def make() -> World:
        prefix = new_prefix()
        stage = Stage(
            kubeconfig=local_cluster.kubeconfig,
            namespace=f"killed-{prefix.rpartition('/')[2]}",
            folder=tmp_path,
            s3_url=bucket,
            bucket=shared_bucket,
            credentials=_CREDENTIALS,
        )
        seen = dataclasses.replace(stage, kubeconfig=kubeconfig_of(apiserver, folder=tmp_path), dispatchers=[])
        stage.make()
        # It is not validated again, so that all writes are those of what is looked at.
        stage.make_location(_LOCATION, prefix=prefix, validationFrequency="0s")
        status = {"phase": "Available", "lastValidationTime": _LONG_AGO}
        stage.objects(BACKUP_STORAGE_LOCATIONS).merge_patch(_LOCATION, {"status": status})
        made.append(World(stage, seen, proxy, open_bucket(s3_server.store_url(shared_bucket, prefix))))
        return made[-1]

    try:
        yield make
    finally:
        for world in made:
            world.seen.end()
            for kind in (*_OF_THE_NAMESPACE, PODS):
                for document in world.stage.objects(kind).list():
                    world.stage.objects(kind).delete(document["metadata"]["name"])


def create(world: World, plural: Any, kind: str, name: str, **fields: Any) -> None:
    metadata = {"name": name, "namespace": world.stage.namespace, **fields.pop("metadata", {})}
    document = {"apiVersion": "velero.io/v1", "kind": kind, "metadata": metadata, **fields}
    assert world.stage.objects(plural).create(document)


def an_expired_backup(world: World) -> None:
    """With all that a deletion meets: a Job whose pod may still write, an open upload, a Restore, a second request.

    Another backup, and what is its own, is to stay.
    """
    finalizers = {"finalizers": ["restores.velero.io/external-resources-finalizer"]}
    status = {"phase": "Completed", "startTimestamp": _LONG_AGO, "completionTimestamp": _LONG_AGO}
    for name, expiration in (("old", _LONG_AGO), ("young", "2999-01-01T12:00:00Z")):
        labels = {"velero.io/storage-location": _LOCATION, "velero.io/gc-failure": "BSLCannotGet"}
        ended = {**status, "expiration": expiration}
        world.stage.create(name, labels=labels, status=ended, storageLocation=_LOCATION)
        keys = BackupStore(world.store, name).keys
        # A deletion reads of these two that no snapshots are kept; the others it only removes.
        world.store.put(keys.metadata, b"{}")
        world.store.put(keys.resource_list, gzip.compress(b"{}"))
        for key in (keys.archive, keys.log):
            world.store.put(key, b"x")
        create(world, RESTORES, "Restore", f"of-{name}", metadata=finalizers, spec={"backupName": name})
        world.store.put(f"restores/of-{name}/restore-of-{name}-logs.gz", b"x")
    old = BackupStore(world.store, "old")
    world.store.client.create_multipart_upload(**world.store.target(old.keys.archive))
    backup = world.stage.backup("old")
    pod = {"containers": [{"name": "backup", "image": "registry.example/pinnace:1"}], "restartPolicy": "Never"}
    labels = {
        "app.kubernetes.io/name": "pinnace", "app.kubernetes.io/component": "backup", "velero.io/backup-name": "old",
    }  # fmt: skip
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name(backup), "labels": labels, "annotations": {"pinnace.io/recorded": "Completed"}},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": pod}},
    }
    assert world.stage.objects(JOBS).create(job)
    world.stage.new_pod("old")


def is_deleted(world: World) -> bool:
    requests = world.stage.objects(DELETE_BACKUP_REQUESTS).list()
    return world.stage.objects(BACKUPS).get("old") is None and not requests


def due_schedules(world: World) -> None:
    """One that is due, one that is to leave out what is due, and one that was written by a clock that was wrong."""
    template = {"storageLocation": _LOCATION, "includedNamespaces": ["default"]}
    for name, spec, last in (
        ("due", {}, _LONG_AGO), ("skips", {"skipImmediately": True}, _LONG_AGO), ("early", {}, "2999-01-01T12:00:00Z"),
    ):  # fmt: skip
        given = {"schedule": "@every 87600h" if name == "early" else "@every 25h", "template": template, **spec}
        create(world, SCHEDULES, "Schedule", name, spec=given, status={"lastBackup": last})


def is_made(world: World) -> bool:
    schedules = {each["metadata"]["name"]: each for each in world.stage.objects(SCHEDULES).list()}
    status = {name: each.get("status") or {} for name, each in schedules.items()}
    jobs = world.stage.objects(JOBS).list()
    return (
        status["due"].get("lastBackup") not in (None, _LONG_AGO)
        and bool(status["skips"].get("lastSkipped"))
        and not status["early"].get("lastBackup", "2999").startswith("2999")
        and bool(jobs)
        and not any(job["spec"].get("suspend") for job in jobs)
    )


def each(*cuts: Cut) -> Callable[[Request], Cut | None]:
    """Cut each write once in each of these ways, in a process of its own; then it gets through."""
    seen: dict[tuple[str, str, bytes], Iterator[Cut]] = {}
    return lambda request: next(seen.setdefault(request.key, iter(cuts)), None)


def at(number: int, cut: Cut) -> Callable[[Request], Cut | None]:
    """Only at the write of this number, from 1."""
    count = 0

    def decide(_: Request) -> Cut | None:
        nonlocal count
        count += 1
        return cut if count == number else None

    return decide


_SCENARIOS = {"deletion": (an_expired_backup, is_deleted), "schedules": (due_schedules, is_made)}


def undisturbed(new_world: Callable[[], World], scenario: str) -> tuple[Mapping[str, Any], int]:
    """The end state, and the number of writes on the way."""
    prepare, is_over = _SCENARIOS[scenario]
    world = new_world()
    prepare(world)
    assert world.run(lambda _: None, is_over=is_over) == 1
    return world.end_state(), len(world.proxy.writes)


def comes_to_the_same_end(new_world: Callable[[], World], scenario: str, *cuts: Cut) -> None:
    prepare, is_over = _SCENARIOS[scenario]
    expected, write_count = undisturbed(new_world, scenario)
    world = new_world()
    prepare(world)
    lives = world.run(each(*cuts), is_over=is_over)
    print(f"{scenario}: {write_count} writes, {lives} processes")
    assert lives > write_count // 2
    assert world.end_state() == expected


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_killed_after_each_of_its_writes_it_comes_to_the_same_end(
    new_world: Callable[[], World], scenario: str
) -> None:
    comes_to_the_same_end(new_world, scenario, Cut.AFTER)


@pytest.mark.thorough
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_killed_before_and_after_each_of_its_writes_it_comes_to_the_same_end(
    new_world: Callable[[], World], scenario: str
) -> None:
    comes_to_the_same_end(new_world, scenario, Cut.BEFORE, Cut.AFTER)


@pytest.mark.thorough
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_killed_once_at_any_of_its_writes_the_next_one_comes_to_the_same_end(
    new_world: Callable[[], World], scenario: str, cut: Cut
) -> None:
    prepare, is_over = _SCENARIOS[scenario]
    expected, write_count = undisturbed(new_world, scenario)
    for number in range(1, write_count + 1):
        world = new_world()
        prepare(world)
        world.run(at(number, cut), is_over=is_over)
        assert world.end_state() == expected, number
