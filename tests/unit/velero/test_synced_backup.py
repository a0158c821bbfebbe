"""What a bucket's velero-backup.json becomes in the cluster, and what must never become a Backup."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pinnace.errors import UsageError
from pinnace.velero.synced_backup import synced_backup

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stored(phase: str = "Completed", *, expiration: str = "2026-02-01T00:00:00Z", **metadata: Any) -> dict[str, Any]:
    return {
        "kind": "Backup",
        "apiVersion": "velero.io/v1",
        "metadata": {"name": "b", "namespace": "elsewhere", **metadata},
        "spec": {"storageLocation": "there", "ttl": "720h0m0s"},
        "status": {"phase": phase, "expiration": expiration, "errors": 2},
    }


def synced(document: Any, *, name: str = "b") -> Any:
    return synced_backup(
        document, name=name, namespace="velero", location_name="here", schedule_uids={"nightly": "u-1"}, now=_NOW
    )


def test_it_is_what_it_was_in_this_namespace_and_location() -> None:
    document = stored(
        uid="u-9", resourceVersion="17", generation=3, creationTimestamp="2025-12-31T00:00:00Z",
        managedFields=[{"manager": "velero"}], finalizers=["gateway.example/x"],
        labels={"team": "a", "velero.io/storage-location": "there"}, annotations={"why": "audit"},
    )  # fmt: skip
    assert synced(document) == {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {
            "name": "b",
            "namespace": "velero",
            "labels": {"team": "a", "velero.io/storage-location": "here"},
            "annotations": {"why": "audit"},
        },
        "spec": {"storageLocation": "here", "ttl": "720h0m0s"},
        "status": {"phase": "Completed", "expiration": "2026-02-01T00:00:00Z", "errors": 2},
    }


@pytest.mark.parametrize(
    ("phase", "expiration", "becomes"),
    [
        ("Completed", "2026-02-01T00:00:00Z", "Completed"),
        ("PartiallyFailed", "2026-02-01T00:00:00Z", "PartiallyFailed"),
        ("Failed", "2026-02-01T00:00:00Z", "Failed"),
        ("Completed", "2025-02-01T00:00:00Z", "Completed"),
        ("Finalizing", "2026-02-01T00:00:00Z", None),
        ("FinalizingPartiallyFailed", "", None),
        ("WaitingForPluginOperations", "2026-02-01T00:00:00Z", None),
        ("WaitingForPluginOperations", "2026-01-01T00:00:00Z", "PartiallyFailed"),
        ("Finalizing", "2025-02-01T00:00:00Z", "PartiallyFailed"),
    ],
)
def test_one_that_another_server_still_works_on_waits_until_it_has_expired(
    phase: str, expiration: str, becomes: str | None
) -> None:
    found = synced(stored(phase, expiration=expiration))
    assert (found and found["status"]["phase"]) == becomes


@pytest.mark.parametrize(
    ("owner", "stays"),
    [
        ({"kind": "Schedule", "name": "nightly", "uid": "u-1"}, True),
        ({"kind": "Schedule", "name": "nightly", "uid": "u-2"}, False),
        ({"kind": "Schedule", "name": "gone", "uid": "u-1"}, False),
        ({"kind": "Deployment", "name": "nightly", "uid": "u-1"}, False),
    ],
)
def test_owners_that_are_not_here_are_dropped_since_the_server_would_delete_the_backup(owner: Any, stays: bool) -> None:
    owners = synced(stored(ownerReferences=[owner]))["metadata"].get("ownerReferences")
    assert owners == ([owner] if stays else None)


@pytest.mark.parametrize("phase", ["", "New", "Queued", "InProgress", "Deleting", "FailedValidation"])
def test_one_without_an_end_is_refused_since_it_would_be_run(phase: str) -> None:
    with pytest.raises(UsageError, match="which is not the end of a backup"):
        synced(stored(phase))
    without = stored(phase)
    del without["status"]
    with pytest.raises(UsageError, match=r"its status\.phase is ''"):
        synced(without)


def test_a_copy_under_another_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"its metadata\.name is 'b': it is the copy of another backup"):
        synced(stored(), name="c")


@pytest.mark.parametrize("document", [None, [], "text", {}, {"kind": "Restore", "apiVersion": "velero.io/v1"}])
def test_what_is_no_backup_is_refused(document: Any) -> None:
    with pytest.raises(UsageError, match="not a Backup"):
        synced(document)
