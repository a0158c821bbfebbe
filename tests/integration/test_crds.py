"""The CRDs on a real API server: what Velero wrote is kept whole, what it does not know is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from integration.cluster_fixtures import TestedCluster
from integration.velero_kinds import CRDS, apply_crds, make_namespace
from pinnace.errors import ClusterError

_GOLDEN = sorted(Path(__file__).parents[1].glob("golden/bucket/backups/*/velero-backup.json"))


@pytest.fixture(scope="module")
def namespace(local_cluster: TestedCluster) -> str:
    apply_crds(local_cluster)
    return make_namespace(local_cluster, "crds-test")


def create(cluster: TestedCluster, document: dict[str, Any]) -> dict[str, Any]:
    """Create it with strict field validation, so that a field that the CRD lacks is an error; what the server kept."""
    answer = cluster.kubectl("create", "--validate=strict", "-f-", "-ojson", standard_input=json.dumps(document))
    created: dict[str, Any] = json.loads(answer)
    return created


def item(kind: str, name: str, *, namespace: str, **fields: Any) -> dict[str, Any]:
    version = "v2alpha1" if kind.startswith("Data") else "v1"
    return {
        "apiVersion": f"velero.io/{version}", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **fields
    }  # fmt: skip


@pytest.mark.parametrize("path", _GOLDEN, ids=lambda path: path.parent.name)
def test_a_backup_that_velero_wrote_comes_back_unchanged(
    local_cluster: TestedCluster, namespace: str, path: Path
) -> None:
    golden = json.loads(path.read_text())
    metadata = {key: golden["metadata"].get(key, {}) for key in ("name", "labels", "annotations")}
    created = create(local_cluster, {**golden, "metadata": {**metadata, "namespace": namespace}})
    assert {key: created["metadata"].get(key, {}) for key in metadata} == metadata
    assert (created["spec"], created["status"]) == (golden["spec"], golden["status"])


def test_every_field_of_a_backup_is_kept(local_cluster: TestedCluster, namespace: str) -> None:
    """Fields that the golden backups don't use."""
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}],
    }
    hook = {"exec": {"container": "db", "command": ["sync"], "onError": "Continue", "timeout": "30s"}}
    hooks = {"resources": [{"name": "h", "labelSelector": selector, "pre": [hook], "post": [hook]}]}
    spec = {
        "excludedNamespaces": ["a"], "includedClusterScopedResources": ["*"], "excludedClusterScopedResources": ["x"],
        "includedNamespaceScopedResources": ["*"], "excludedNamespaceScopedResources": ["y"],
        "labelSelector": None, "orLabelSelectors": [selector], "snapshotVolumes": None, "hooks": hooks,
        "volumeSnapshotLocations": ["v"], "defaultVolumesToRestic": True, "orderedResources": {"pods": "a/b,a/c"},
        "resourcePolicy": {"kind": "configmap", "name": "p"}, "datamover": "velero",
        "uploaderConfig": {"parallelFilesUpload": 3}, "metadata": {"labels": {"a": "b"}},
    }  # fmt: skip
    status = {
        "phase": "Queued", "queuePosition": 2, "validationErrors": ["e"], "failureReason": "r", "errors": 1,
        "warnings": 2, "volumeSnapshotsAttempted": 3, "volumeSnapshotsCompleted": 4, "csiVolumeSnapshotsAttempted": 5,
        "csiVolumeSnapshotsCompleted": 6, "backupItemOperationsAttempted": 7, "backupItemOperationsCompleted": 8,
        "backupItemOperationsFailed": 9, "hookStatus": {"hooksAttempted": 10, "hooksFailed": 11}, "progress": None,
        "expiration": None,
    }  # fmt: skip
    created = create(local_cluster, item("Backup", "whole", namespace=namespace, spec=spec, status=status))
    assert (created["spec"], created["status"]) == (spec, status)


def test_a_location_and_its_status_are_kept(local_cluster: TestedCluster, namespace: str) -> None:
    spec = {
        "provider": "aws",
        "objectStorage": {
            "bucket": "b",
            "prefix": "p/q",
            "caCert": "Q0E=",
            "caCertRef": {"name": "ca", "key": "ca.pem"},
        },
        "config": {"region": "r", "s3ForcePathStyle": "true"},
        "credential": {"name": "cloud-credentials", "key": "cloud"},
        "default": True,
        "accessMode": "ReadOnly",
        "backupSyncPeriod": "1m0s",
        "validationFrequency": None,
    }
    status = {"phase": "Unavailable", "message": "why", "lastValidationTime": "2026-01-02T03:04:05Z"}
    created = create(
        local_cluster, item("BackupStorageLocation", "whole", namespace=namespace, spec=spec, status=status)
    )
    assert (created["spec"], created["status"]) == (spec, status)


@pytest.mark.parametrize(
    ("kind", "fields", "complaint"),
    [
        ("Backup", {"status": {"phase": "Uploading"}}, 'status.phase: Unsupported value: "Uploading"'),
        ("Restore", {"status": {"phase": "Queued"}}, 'status.phase: Unsupported value: "Queued"'),
        (
            "BackupStorageLocation",
            {"spec": {"provider": "aws", "objectStorage": {"bucket": "b"}, "accessMode": "WriteOnly"}},
            'spec.accessMode: Unsupported value: "WriteOnly"',
        ),
        (
            "DownloadRequest",
            {"spec": {"target": {"kind": "BackupItemSnapshots", "name": "b"}}},
            'spec.target.kind: Unsupported value: "BackupItemSnapshots"',
        ),
        ("Schedule", {"spec": {"template": {}}}, "spec.schedule: Required value"),
        (
            "Backup",
            {"spec": {"hooks": {"resources": [{"name": "h", "pre": [{"exec": {"command": []}}]}]}}},
            "spec.hooks.resources[0].pre[0].exec.command",
        ),
        ("Backup", {"spec": {"includedNamespace": ["a"]}}, 'unknown field "spec.includedNamespace"'),
    ],
)
def test_what_a_kind_does_not_know_is_refused_by_the_fields_name(
    local_cluster: TestedCluster, namespace: str, kind: str, fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ClusterError) as refused:
        create(local_cluster, item(kind, "refused", namespace=namespace, **fields))
    assert complaint in str(refused.value)


@pytest.mark.parametrize("plural", sorted(path.stem for path in CRDS.glob("*.yaml") if path.stem != "kustomization"))
def test_no_kind_has_a_status_subresource(local_cluster: TestedCluster, namespace: str, plural: str) -> None:
    version = "v2alpha1" if plural.startswith("data") else "v1"
    served = json.loads(local_cluster.kubectl("get", "--raw", f"/apis/velero.io/{version}"))
    assert [entry["name"] for entry in served["resources"] if entry["name"].partition("/")[0] == plural] == [plural]


def test_a_patch_of_status_goes_to_the_main_resource(local_cluster: TestedCluster, namespace: str) -> None:
    create(local_cluster, item("Backup", "patched", namespace=namespace))
    patch = ("patch", "backups.velero.io", "patched", f"--namespace={namespace}", "--type=merge")
    with pytest.raises(ClusterError, match="NotFound"):
        local_cluster.kubectl(*patch, '--patch={"status":{"phase":"InProgress"}}', "--subresource=status")
    answer = local_cluster.kubectl(*patch, '--patch={"status":{"phase":"InProgress"}}', "-ojson")
    assert json.loads(answer)["status"] == {"phase": "InProgress"}


def test_get_shows_status_items_and_total_of_backups(local_cluster: TestedCluster, namespace: str) -> None:
    status = {
        "phase": "Failed",
        "progress": {"itemsBackedUp": 7, "totalItems": 9},
        "errors": 2,
        "warnings": 3,
        "queuePosition": 4,
        "failureReason": "OOMKilled",
        "startTimestamp": "2026-01-02T03:04:05Z",
    }
    spec = {"storageLocation": "bucket"}
    create(local_cluster, item("Backup", "shown", namespace=namespace, spec=spec, status=status))
    shown = local_cluster.kubectl("get", "backups.velero.io", "shown", f"--namespace={namespace}", "-owide")
    header, row = (line.split() for line in shown.splitlines())
    ages = slice(header.index("STARTED"), header.index("AGE") + 1)
    assert dict(zip(header, [*row[: ages.start], "*", "*", *row[ages.stop :]], strict=True)) == {
        "NAME": "shown", "STATUS": "Failed", "ITEMS": "7", "TOTAL": "9", "ERRORS": "2", "WARNINGS": "3",
        "LOCATION": "bucket", "STARTED": "*", "AGE": "*", "QUEUE": "4", "REASON": "OOMKilled",
    }  # fmt: skip


def test_get_shows_of_locations_what_velero_shows(local_cluster: TestedCluster, namespace: str) -> None:
    spec = {"provider": "aws", "objectStorage": {"bucket": "b"}}
    create(local_cluster, item("BackupStorageLocation", "shown", namespace=namespace, spec=spec))
    header = local_cluster.kubectl("get", "bsl", f"--namespace={namespace}").splitlines()[0]
    assert header.split() == ["NAME", "PHASE", "LAST", "VALIDATED", "AGE", "DEFAULT"]


def test_explain_describes_fields(local_cluster: TestedCluster, namespace: str) -> None:
    text = " ".join(local_cluster.kubectl("explain", "backup.spec.storageLocation").split())
    assert "Name of the BackupStorageLocation; empty means the default one." in text
