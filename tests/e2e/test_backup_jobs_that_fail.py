"""Whatever ends a Job, its Backup reaches a last phase that says why, and the bucket shows no half of it."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from command import pinnace
from e2e.installation import NAMESPACE, Installation, phase

pytestmark = pytest.mark.usefixtures("credentials")

EVERYTHING_FAILED = ("Warning", "Failed")


@pytest.fixture
def overrides(installation: Installation) -> Iterator[Installation]:
    """An installation whose Jobs may be changed; afterwards they are as before."""
    yield installation
    installation.override_jobs("")


def assert_nothing_is_left(installation: Installation, name: str) -> None:
    """No visible backup, no other object but its log, no open upload."""
    deadline = time.monotonic() + 30
    while installation.bucket_state(name) != ([], []):
        assert time.monotonic() < deadline, installation.bucket_state(name)
        time.sleep(0.5)


def test_a_limit_that_is_too_low_is_named_and_not_tried_again(overrides: Installation) -> None:
    overrides.override_jobs("resources: {limits: {memory: 48Mi}}")
    overrides.create("too-little-memory")
    backup = overrides.wait("too-little-memory")
    reason = backup["status"]["failureReason"]
    assert phase(backup) == "Failed"
    assert "OOMKilled" in reason
    assert "48Mi; raise resources.limits.memory in ConfigMap pinnace-job" in reason
    assert EVERYTHING_FAILED in overrides.wait_for_event("too-little-memory", "Failed")
    assert_nothing_is_left(overrides, "too-little-memory")
    assert overrides.log_of("too-little-memory") != ""
    assert 'velero_backup_last_status{schedule=""} 0.0' in overrides.metrics().splitlines()


def test_a_process_that_is_killed_gets_another_attempt_which_starts_clean(installation: Installation) -> None:
    installation.create("killed")
    pod = installation.running_pod("killed")
    for pid in installation.cluster.pod_pids(pod):
        os.kill(pid, signal.SIGKILL)
    installation.wait("killed", until=lambda backup: "attempt 2 of 3" in str(backup["status"].get("failureReason")))
    backup = installation.wait("killed", timeout_seconds=180)
    assert phase(backup) == "Completed"
    assert "failureReason" not in backup["status"]
    assert len(installation.pods_of("killed")) == 2
    assert pinnace("backup", "verify", "killed", "--store", installation.store_url).returncode == 0
    events = installation.wait_for_event("killed", "Completed")
    assert [reason for _, reason in events] == ["JobCreated", "Started", "Retrying", "Completed"]


def test_a_job_that_is_deleted_in_mid_run_fails_its_backup(installation: Installation) -> None:
    installation.create("job-deleted")
    installation.running_pod("job-deleted")
    job = installation.job_of("job-deleted")
    assert job is not None
    installation.cluster.kubectl("delete", "job", job["metadata"]["name"], f"--namespace={NAMESPACE}")
    backup = installation.wait("job-deleted")
    assert phase(backup) == "Failed"
    assert f"Job {job['metadata']['name']} is gone" in backup["status"]["failureReason"]
    assert EVERYTHING_FAILED in installation.wait_for_event("job-deleted", "Failed")
    assert_nothing_is_left(installation, "job-deleted")


def test_a_backup_that_is_deleted_in_mid_run_takes_its_job_and_uploads_with_it(installation: Installation) -> None:
    installation.create("deleted")
    installation.running_pod("deleted")
    installation.cluster.kubectl("delete", "backups.velero.io", "deleted", f"--namespace={NAMESPACE}")
    deadline = time.monotonic() + 60
    while installation.job_of("deleted") is not None or installation.pods_of("deleted"):
        assert time.monotonic() < deadline, installation.cluster.situation(NAMESPACE)
        time.sleep(0.3)
    assert_nothing_is_left(installation, "deleted")


def test_a_deadline_that_passes_is_named(overrides: Installation) -> None:
    overrides.override_jobs("activeDeadlineSeconds: 3")
    overrides.create("too-late")
    backup = overrides.wait("too-late")
    assert phase(backup) == "Failed"
    assert "within its deadline of 3 s" in backup["status"]["failureReason"]
    assert_nothing_is_left(overrides, "too-late")


@pytest.mark.parametrize("moment", ["at-once", "job-made", "running", "near-the-end"])
def test_a_dispatcher_that_is_killed_goes_on_where_it_was(installation: Installation, moment: str) -> None:
    name = f"dispatcher-killed-{moment}"
    installation.create(name)
    if moment == "job-made":
        installation.wait_for_event(name, "JobCreated")
    elif moment == "running":
        installation.running_pod(name)
    elif moment == "near-the-end":
        installation.wait(name, until=lambda backup: "progress" in (backup.get("status") or {}))
    installation.restart_dispatcher()
    backup = installation.wait(name, timeout_seconds=180)
    assert phase(backup) == "Completed", backup
    assert len(installation.pods_of(name)) == 1
    installation.wait_for_event(name, "Completed")
