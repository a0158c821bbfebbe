"""A Backup becomes a Job on a real kubelet, and a backup in the bucket that is proven."""

import json
import time

import pytest

from command import pinnace
from e2e.installation import NAMESPACE, Installation, phase
from e2e.node_cluster import Document

pytestmark = pytest.mark.usefixtures("credentials")


def verified_items(installation: Installation, name: str) -> int:
    """How many items `pinnace backup verify` proves."""
    verified = pinnace("backup", "verify", name, "--store", installation.store_url, "-o", "json")
    assert verified.returncode == 0, verified.stderr
    return int(json.loads(verified.stdout)["item_count"])


def test_a_backup_of_everything_is_made_by_a_job_and_proven(installation: Installation) -> None:
    installation.create("everything")
    seen: list[int] = []

    def ended(backup: Document) -> bool:
        progress = (backup.get("status") or {}).get("progress") or {}
        seen.append(int(progress.get("itemsBackedUp") or 0))
        return phase(backup) in ("Completed", "PartiallyFailed", "Failed")

    backup = installation.wait("everything", until=ended)
    assert phase(backup) == "Completed", installation.cluster.situation(NAMESPACE)
    total = backup["status"]["progress"]["itemsBackedUp"]
    assert total > 30_000
    assert any(0 < count < total for count in seen), seen
    assert verified_items(installation, "everything") == total
    events = installation.wait_for_event("everything", "Completed")
    assert events == [("Normal", "JobCreated"), ("Normal", "Started"), ("Normal", "Completed")]
    assert 'msg="Backed up a total of' in installation.log_of("everything")


def test_its_pod_is_restricted_and_limited_to_192_mebibytes(installation: Installation) -> None:
    (pod,) = installation.pods_of("everything")
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "192Mi"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_the_finished_job_is_recorded_and_only_then_has_a_ttl(installation: Installation) -> None:
    deadline = time.monotonic() + 30
    while (job := installation.job_of("everything")) is not None and "ttlSecondsAfterFinished" not in job["spec"]:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert job is not None
    assert job["metadata"]["annotations"]["pinnace.io/recorded"] == "Completed"
    lines = installation.metrics().splitlines()
    assert 'velero_backup_success_total{schedule=""} 1.0' in lines
    assert any(line.startswith('velero_backup_tarball_size_bytes{schedule=""} ') for line in lines)


def test_a_filtered_backup_has_only_its_namespace_and_what_that_pulls_in(installation: Installation) -> None:
    installation.create("filtered", includedNamespaces=["kube-system"])
    assert phase(installation.wait("filtered")) == "Completed"
    names = pinnace("backup", "contents", "filtered", "--store", installation.store_url).stdout.split()
    # The service accounts of controllers, and what binds rights to them.
    pulled_in = [name for name in names if name.startswith(("clusterroles.", "clusterrolebindings."))]
    assert pulled_in != []
    assert {name.split("/")[1] for name in names if name not in pulled_in} == {"kube-system"}


def test_a_spec_that_is_refused_says_everything_at_once_and_makes_no_job(installation: Installation) -> None:
    installation.create(
        "refused",
        includedNamespaces=["a", "*"],
        includedResources=["pods"],
        includedClusterScopedResources=["nodes"],
        storageLocation="nowhere",
        snapshotMoveData=True,
    )
    backup = installation.wait("refused")
    assert phase(backup) == "FailedValidation"
    errors = "\n".join(backup["status"]["validationErrors"])
    for text in (
        "nowhere",
        "includes list must either contain '*' only",
        "cannot be used together",
        "snapshotMoveData",
    ):
        assert text in errors
    assert "startTimestamp" not in backup["status"]
    assert installation.job_of("refused") is None
    assert ("Warning", "FailedValidation") in installation.wait_for_event("refused", "FailedValidation")
    assert 'velero_backup_validation_failure_total{schedule=""} 1.0' in installation.metrics().splitlines()


def test_a_namespace_that_is_not_there_makes_it_partially_failed(installation: Installation) -> None:
    installation.create("partial", includedNamespaces=["default", "not-there"])
    backup = installation.wait("partial")
    assert (phase(backup), backup["status"]["errors"]) == ("PartiallyFailed", 1)
    assert verified_items(installation, "partial") == backup["status"]["progress"]["itemsBackedUp"]
    installation.wait_for_event("partial", "PartiallyFailed")


def test_of_five_at_once_two_run_and_the_others_are_queued(installation: Installation) -> None:
    names = [f"five-{number}" for number in range(5)]
    for number in range(5):
        installation.cluster.make_namespace(f"five-{number}")
    for number, name in enumerate(names):
        installation.create(name, includedNamespaces=[f"five-{number}"])
    positions: set[int] = set()
    most_running = 0
    deadline = time.monotonic() + 240
    while True:
        listed = json.loads(installation.cluster.kubectl("get", "backups.velero.io", f"-n{NAMESPACE}", "-o", "json"))
        backups = [backup for backup in listed["items"] if backup["metadata"]["name"] in names]
        most_running = max(most_running, sum(phase(backup) == "InProgress" for backup in backups))
        positions |= {(backup.get("status") or {}).get("queuePosition", 0) for backup in backups}
        if all(phase(backup) == "Completed" for backup in backups):
            break
        assert time.monotonic() < deadline, installation.cluster.situation(NAMESPACE)
        time.sleep(0.3)
    assert most_running == 2
    assert {1, 2, 3} <= positions
