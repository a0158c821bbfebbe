"""A Backup becomes a Job on a real kubelet, and a backup in the bucket that is proven."""

import json
import time

from command import pinnace
from e2e.installation import NAMESPACE, Installation, phase


def test_a_backup_of_everything_is_made_by_a_job_and_proven(installation: Installation) -> None:
    installation.create("everything")
    seen: list[int] = []

    def ended(backup: dict[str, object]) -> bool:
        progress = (backup.get("status") or {}).get("progress") or {}  # type: ignore[attr-defined]
        seen.append(int(progress.get("itemsBackedUp") or 0))
        return phase(backup) in ("Completed", "PartiallyFailed", "Failed")

    backup = installation.wait("everything", until=ended)
    assert phase(backup) == "Completed", installation.cluster.situation(NAMESPACE)
    total = backup["status"]["progress"]["itemsBackedUp"]
    assert any(0 < count < total for count in seen), seen
    verified = pinnace("backup", "verify", "everything", "--store", installation.store_url, "-o", "json")
    assert (verified.returncode, json.loads(verified.stdout)["item_count"]) == (0, total), verified.stderr
    events = installation.wait_for_event("everything", "Completed")
    assert events == [("Normal", "JobCreated"), ("Normal", "Started"), ("Normal", "Completed")]


def test_the_finished_job_is_recorded_and_only_then_has_a_ttl(installation: Installation) -> None:
    installation.create("recorded", includedNamespaces=["default"])
    installation.wait("recorded")
    installation.wait_for_event("recorded", "Completed")
    deadline = time.monotonic() + 30
    while (job := installation.job_of("recorded")) is not None and "ttlSecondsAfterFinished" not in job["spec"]:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert job is not None
    assert job["metadata"]["annotations"]["pinnace.io/recorded"] == "Completed"
    assert 'velero_backup_success_total{schedule=""}' in installation.metrics()
