"""The dispatcher on a real control plane without a node: what it writes, and what it makes of what it reads."""

import gzip
import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Document, RunningDispatcher, Stage, now, phase
from integration.s3_fixtures import new_bucket, open_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds
from pinnace.kube.kinds import BACKUPS, JOBS, PODS
from pinnace.store.backup_store import BackupStore

pytestmark = pytest.mark.usefixtures("credentials")

_CREDENTIALS = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
_MOST_RSS_BYTES = 100 << 20


@pytest.fixture(scope="module")
def stage(
    local_cluster: TestedCluster, s3_server: SeaweedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A namespace with a dispatcher that leads by a Lease and runs two Backups at once."""
    apply_crds(local_cluster)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        bucket = new_bucket(s3_server)
    made = Stage(
        kubeconfig=local_cluster.kubeconfig,
        namespace="dispatcher-test",
        folder=tmp_path_factory.mktemp("dispatcher"),
        s3_url=s3_server.url,
        bucket=bucket,
        credentials=_CREDENTIALS,
    )
    try:
        made.make()
        made.make_location("default")
        made.create("left-behind", status={"phase": "InProgress", "startTimestamp": now()}, storageLocation="default")
        made.start("--concurrent-backups=2", "--leader-election")
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def dispatcher(stage: Stage) -> RunningDispatcher:
    return stage.dispatchers[0]


@pytest.fixture
def name(stage: Stage) -> Iterator[str]:
    """A name for a Backup, which goes afterwards with its Job, so that it keeps nobody waiting."""
    given = f"b-{uuid.uuid4().hex[:8]}"
    yield given
    stage.objects(BACKUPS).delete(given)
    stage.wait(lambda: not stage.job_of(given) and not stage.pods_of(given))


def bucket_of(stage: Stage, server: SeaweedServer, name: str) -> BackupStore:
    return BackupStore(open_bucket(server.store_url(stage.bucket, f"{stage.namespace}/default")), name)


def started(stage: Stage, name: str) -> Document:
    """A Backup whose pod runs; of a namespace that is not there, so that it overlaps with none."""
    stage.create(name, includedNamespaces=[f"of-{name}"])
    pod = stage.new_pod(name)
    stage.run(pod)
    return pod


def last_event(stage: Stage, name: str, reason: str) -> tuple[str, str, str]:
    stage.wait(lambda: reason in [told for _, told, _ in stage.events_of(name)])
    return stage.events_of(name)[-1]


def test_an_in_progress_backup_without_a_job_is_failed_at_the_start(
    stage: Stage, dispatcher: RunningDispatcher
) -> None:
    backup = stage.wait_for_phase("left-behind", "Failed")
    assert "is gone: it was deleted, or its backup was begun by another server" in backup["status"]["failureReason"]
    assert "completionTimestamp" in backup["status"]
    assert last_event(stage, "left-behind", "Failed")[0] == "Warning"
    stage.wait(lambda: 'velero_backup_failure_total{schedule=""} 1.0' in dispatcher.metrics())


def test_the_location_of_the_settings_becomes_the_default_and_is_validated(stage: Stage) -> None:
    stage.wait(lambda: phase(stage.location("default")) == "Available")
    assert stage.location("default")["spec"]["default"] is True


def test_it_says_that_it_lives_is_ready_and_leads(stage: Stage, dispatcher: RunningDispatcher) -> None:
    assert dispatcher.asked("/healthz") == (200, "ok\n")
    # The one that leads fills its copies first.
    stage.wait(lambda: dispatcher.asked("/readyz") == (200, "ok\n"))
    assert dispatcher.asked("/other")[0] == 404
    lease = stage.lease()
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == os.uname().nodename


def test_a_backup_becomes_a_job_and_its_end_is_recorded(stage: Stage, dispatcher: RunningDispatcher, name: str) -> None:
    stage.create(name, labels={"velero.io/schedule-name": "nightly"}, includedNamespaces=[f"of-{name}"])
    begun = stage.wait_for_phase(name, "InProgress")
    assert begun["spec"]["storageLocation"] == "default"
    assert begun["spec"]["ttl"] == "720h0m0s"
    assert begun["metadata"]["labels"]["velero.io/storage-location"] == "default"
    assert begun["metadata"]["annotations"]["velero.io/source-cluster-k8s-gitversion"].startswith("v1.")
    assert begun["status"].keys() == {"version", "formatVersion", "expiration", "phase", "startTimestamp"}
    stage.complete(name, page_bytes=123456, list_seconds=2.5, throttled_count=3)
    job = stage.wait_until_recorded(name)
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    assert job["metadata"]["annotations"]["pinnace.io/recorded"] == "Completed"
    last_event(stage, name, "Completed")
    pod = stage.pods_of(name)[0]["metadata"]["name"]
    assert stage.events_of(name) == [
        ("Normal", "JobCreated", f"Job {job['metadata']['name']} was created"),
        ("Normal", "Started", f"Pod {pod} makes the backup"),
        ("Normal", "Completed", "7 items"),
    ]
    lines = dispatcher.metrics()
    for line in (
        'velero_backup_attempt_total{schedule="nightly"} 1.0',
        'velero_backup_success_total{schedule="nightly"} 1.0',
        'velero_backup_tarball_size_bytes{schedule="nightly"} 4711.0',
        'velero_backup_items_total{schedule="nightly"} 7.0',
        'velero_backup_last_status{schedule="nightly"} 1.0',
        'velero_backup_duration_seconds_count{schedule="nightly"} 1.0',
        'pinnace_backup_list_seconds{schedule="nightly"} 2.5',
        'pinnace_backup_page_bytes{schedule="nightly"} 123456.0',
        'pinnace_backup_throttled_total{schedule="nightly"} 3.0',
    ):
        assert line in lines


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (
            {"storageLocation": "nowhere"},
            ["an existing backup storage location was not specified at backup creation time and the default nowhere"],
        ),
        (
            {"includedNamespaces": ["a", "*"]},
            ["Invalid included/excluded namespace lists: includes list must either contain '*' only"],
        ),
        (
            {"includedNamespaces": ["a"], "excludedNamespaces": ["a"]},
            ["Invalid included/excluded namespace lists: excludes list cannot contain an item in the includes list: a"],
        ),
        (
            {"includedResources": ["pods"], "excludedResources": ["*"]},
            ["Invalid included/excluded resource lists: excludes list cannot contain '*'"],
        ),
        (
            {"labelSelector": {"matchLabels": {"a": "b"}}, "orLabelSelectors": [{"matchLabels": {"a": "b"}}]},
            ["encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified"],
        ),
        ({"snapshotMoveData": True}, ["snapshotMoveData"]),
        (
            {"resourcePolicy": {"kind": "configmap", "name": "gone"}},
            ['ConfigMap with error configmaps "gone" not found'],
        ),
        (
            {"includedResources": ["pods"], "includedClusterScopedResources": ["nodes"], "storageLocation": "nowhere"},
            ["the default nowhere was not found", "They cannot be used together"],
        ),
    ],
    ids=["location", "namespaces", "overlap", "resources", "selectors", "not ours", "no policy", "all at once"],
)
def test_a_spec_that_is_refused_says_why_and_makes_no_job(
    stage: Stage, name: str, spec: dict[str, Any], errors: list[str]
) -> None:
    stage.create(name, **spec)
    status = stage.wait_for_phase(name, "FailedValidation")["status"]
    assert len(status["validationErrors"]) == len(errors)
    for text, error in zip(errors, status["validationErrors"], strict=True):
        assert text in error
    assert not {"startTimestamp", "completionTimestamp", "queuePosition"} & status.keys()
    assert "expiration" in status
    assert stage.job_of(name) is None
    told = last_event(stage, name, "FailedValidation")
    assert told == ("Warning", "FailedValidation", "; ".join(status["validationErrors"])[:1024])


def test_those_that_must_wait_are_queued_in_order_and_move_up(stage: Stage) -> None:
    names = [f"queued-{number}" for number in range(5)]
    for each in names:
        stage.create(each, includedNamespaces=[f"of-{each}"])

    def places() -> list[tuple[str, int]]:
        statuses = [stage.backup(each).get("status") or {} for each in names]
        return [(status.get("phase", ""), status.get("queuePosition", 0)) for status in statuses]

    stage.wait(lambda: places() == [("InProgress", 0)] * 2 + [("Queued", 1), ("Queued", 2), ("Queued", 3)])
    stage.complete("queued-0")
    stage.wait(
        lambda: places() == [("Completed", 0), ("InProgress", 0), ("InProgress", 0), ("Queued", 1), ("Queued", 2)]
    )
    for each in names[1:]:
        stage.complete(each)
    stage.wait(lambda: places() == [("Completed", 0)] * 5)


def test_backups_that_share_a_namespace_run_one_after_the_other(stage: Stage) -> None:
    stage.create("first", includedNamespaces=["default"])
    stage.wait_for_phase("first", "InProgress")
    stage.create("second", includedNamespaces=["default", "kube-system"])
    assert stage.wait_for_phase("second", "Queued")["status"]["queuePosition"] == 1
    stage.complete("first")
    stage.wait_for_phase("second", "InProgress")
    stage.complete("second")
    stage.wait_for_phase("second", "Completed")


def test_an_attempt_that_ends_badly_is_followed_by_another_and_told(stage: Stage, name: str) -> None:
    pod = started(stage, name)
    stage.end_pod(pod, 75, message=json.dumps({"reason": "the bucket was away"}))
    stage.wait(lambda: "failureReason" in stage.backup(name)["status"])
    status = stage.backup(name)["status"]
    assert (status["phase"], status["failureReason"]) == (
        "InProgress",
        "attempt 2 of 3, since the bucket was away",
    )
    second = stage.new_pod(name, attempt=2)
    stage.run(second)
    stage.patch_backup(name, phase="Completed", completionTimestamp=now(), failureReason=None)
    stage.end_pod(second, 0)
    stage.wait_until_recorded(name)
    last_event(stage, name, "Completed")
    assert [reason for _, reason, _ in stage.events_of(name)] == ["JobCreated", "Started", "Retrying", "Completed"]


def test_a_pod_that_was_evicted_and_is_gone_is_still_the_reason(stage: Stage, name: str) -> None:
    pod = started(stage, name)
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "evicting"}
    terminated = {"terminated": {"exitCode": 143, "reason": "Error"}}
    stage.report(pod, "Failed", terminated, conditions=[condition])
    stage.objects(PODS).delete(pod["metadata"]["name"])
    stage.wait(lambda: "failureReason" in stage.backup(name)["status"])
    assert stage.backup(name)["status"]["failureReason"] == (
        f"attempt 2 of 3, since pod {pod['metadata']['name']} was evicted from node (none), as a drain does (evicting)"
    )


def test_the_last_attempt_that_ends_badly_fails_the_backup(stage: Stage, s3_server: SeaweedServer, name: str) -> None:
    stage.create(name, includedNamespaces=[f"of-{name}"])
    for attempt in (1, 2, 3):
        pod = stage.new_pod(name, attempt=attempt)
        stage.run(pod)
        stage.end_pod(pod, 75, message=json.dumps({"reason": "the bucket was away"}))
    status = stage.wait_for_phase(name, "Failed")["status"]
    assert status["failureReason"] == "the bucket was away (attempt 3 of 3)"
    store = bucket_of(stage, s3_server, name)
    assert b"the bucket was away" in gzip.decompress(store.read(store.keys.log)).splitlines()[-1]


def test_a_fatal_end_that_the_process_could_not_report_is_taken_from_its_last_words(stage: Stage, name: str) -> None:
    pod = started(stage, name)
    stage.end_pod(pod, 1, message=json.dumps({"reason": "bucket b: s3:PutObject denied"}))
    status = stage.wait_for_phase(name, "Failed")["status"]
    assert status["failureReason"] == "bucket b: s3:PutObject denied (attempt 1 of 3)"
    assert last_event(stage, name, "Failed")[2] == status["failureReason"]
    assert len(stage.pods_of(name)) == 1


def test_a_pod_that_ran_out_of_memory_is_not_tried_again(stage: Stage, name: str) -> None:
    pod = started(stage, name)
    stage.end_pod(pod, 137, reason="OOMKilled")
    status = stage.wait_for_phase(name, "Failed")["status"]
    assert "was OOMKilled (exit code 137) at its memory limit of 192Mi" in status["failureReason"]
    stage.wait(lambda: stage.job_of(name) is None)


def test_a_backup_that_was_committed_though_nobody_said_so_is_taken_from_the_bucket(
    stage: Stage, s3_server: SeaweedServer, name: str
) -> None:
    pod = started(stage, name)
    document = stage.backup(name)
    document["status"] |= {"phase": "PartiallyFailed", "errors": 2, "completionTimestamp": now()}
    store = bucket_of(stage, s3_server, name)
    store.put(store.keys.metadata, json.dumps(document).encode())
    stage.end_pod(pod, 137)
    stage.run(stage.new_pod(name, attempt=2))
    stage.end_pod(stage.new_pod(name, attempt=2), 0)
    status = stage.wait_for_phase(name, "PartiallyFailed")["status"]
    assert status == document["status"]
    told = last_event(stage, name, "PartiallyFailed")
    assert told[2] == f"0 items, errors: 2; see `pinnace backup describe {name}`"


def test_a_job_that_completed_without_a_backup_in_the_bucket_is_a_failure(stage: Stage, name: str) -> None:
    stage.end_pod(started(stage, name), 0)
    status = stage.wait_for_phase(name, "Failed")["status"]
    assert "the bucket has no backup of it" in status["failureReason"]


def test_a_job_that_is_deleted_fails_its_backup(stage: Stage, name: str) -> None:
    started(stage, name)
    job = stage.job_of(name)
    assert job is not None
    stage.objects(JOBS).delete(job["metadata"]["name"])
    status = stage.wait_for_phase(name, "Failed")["status"]
    assert f"Job {job['metadata']['name']} is gone" in status["failureReason"]


def test_a_backup_that_is_deleted_takes_its_job_with_it(stage: Stage, name: str) -> None:
    started(stage, name)
    stage.objects(BACKUPS).delete(name)
    stage.wait(lambda: stage.job_of(name) is None and not stage.pods_of(name))


def test_one_that_is_created_again_under_its_name_gets_a_job_of_its_own(stage: Stage, name: str) -> None:
    first = started(stage, name)
    stage.objects(BACKUPS).delete(name)
    stage.create(name, includedNamespaces=[f"of-{name}"])
    stage.wait(lambda: stage.objects(PODS).get(first["metadata"]["name"]) is None)
    second = stage.new_pod(name)
    assert second["metadata"]["ownerReferences"] != first["metadata"]["ownerReferences"]
    stage.complete(name)
    stage.wait_until_recorded(name)


def test_a_dispatcher_that_takes_over_goes_on_with_what_runs(stage: Stage, name: str) -> None:
    pod = started(stage, name)
    stage.wait(lambda: stage.events_of(name)[-1][1:2] == ("Started",))
    stage.dispatchers[-1].process.kill()
    stage.dispatchers[-1].process.wait()
    stage.patch_backup(name, phase="Completed", completionTimestamp=now(), progress={"itemsBackedUp": 1})
    stage.end_pod(pod, 0)
    successor = stage.start("--concurrent-backups=2", "--leader-election")
    stage.wait_until_recorded(name)
    last_event(stage, name, "Completed")
    assert [reason for _, reason, _ in stage.events_of(name)] == ["JobCreated", "Started", "Completed"]
    stage.wait(lambda: 'velero_backup_success_total{schedule=""} 1.0' in successor.metrics())


def test_it_stays_below_100_mebibytes_over_twenty_backups(stage: Stage) -> None:
    names = [f"many-{number:02}" for number in range(20)]
    for each in names:
        stage.create(each, includedNamespaces=[f"of-{each}"])
    for each in names:
        stage.complete(each)
        stage.wait_until_recorded(each)
    assert stage.dispatchers[-1].rss_bytes < _MOST_RSS_BYTES


def test_it_gives_its_lease_back_when_it_is_told_to_stop(stage: Stage) -> None:
    assert stage.dispatchers[-1].end() == 143
    assert stage.dispatchers[-1].log.read_text().splitlines()[-1] == (
        "error: interrupted by signal 15; the dispatcher has stopped; Jobs go on, and so does the next dispatcher"
    )
    lease = stage.lease()
    assert lease is not None
    assert not lease["spec"].get("holderIdentity")
