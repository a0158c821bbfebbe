"""A backup is described with the sections of `velero backup describe`, whole texts compared."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnace.backup.description import Description, describe, listed_items
from pinnace.cli.describe_text import description_lines
from pinnace.store.backup_store import BackupStore
from pinnace.velero.results import Results
from unit.backup.small_backup import golden_store, write_backup

_SELECTOR = """\
Name:         golden-selector
Namespace:    velero
Labels:       velero.io/storage-location=default
Annotations:  velero.io/resource-timeout=10m0s
              velero.io/source-cluster-k8s-gitversion=v1.35.4
              velero.io/source-cluster-k8s-major-version=1
              velero.io/source-cluster-k8s-minor-version=35

Phase:  Completed

Errors:    0
Warnings:  0

Namespaces:
  Included:  golden-a, golden-b
  Excluded:  <none>

Resources:
  Included cluster-scoped:    <none>
  Excluded cluster-scoped:    volumesnapshotcontents.snapshot.storage.k8s.io
  Included namespace-scoped:  *
  Excluded namespace-scoped:  volumesnapshots.snapshot.storage.k8s.io

Label selector:  app=web

Or label selector:  <none>

Storage Location:  default

Velero-Native Snapshot PVs:    auto
File System Backup (Default):  false
Snapshot Move Data:            false
Data Mover:                    velero

TTL:  720h0m0s

CSISnapshotTimeout:    10m0s
ItemOperationTimeout:  4h0m0s

Hooks:  <none>

Backup Format Version:  1.1.0

Started:     2026-11-23 23:41:37 +0000 UTC
Completed:   2026-11-23 23:41:38 +0000 UTC
Expiration:  2026-12-23 23:41:37 +0000 UTC

Total items to be backed up:  18
Items backed up:              18
Archive:                      6.7 kB

Resource List:
  apiextensions.k8s.io/v1/CustomResourceDefinition:  1
  apps/v1/Deployment:  1
  apps/v1/ReplicaSet:  1
  discovery.k8s.io/v1/EndpointSlice:  1
  harbour.example/v1/Boat:  1
  networking.k8s.io/v1/Ingress:  1
  rbac.authorization.k8s.io/v1/ClusterRole:  1
  rbac.authorization.k8s.io/v1/ClusterRoleBinding:  1
  scheduling.k8s.io/v1/PriorityClass:  1
  v1/ConfigMap:  1
  v1/Endpoints:  1
  v1/Namespace:  2
  v1/Pod:  2
  v1/Secret:  1
  v1/Service:  1
  v1/ServiceAccount:  1

Backup Volumes:
  Velero-Native Snapshots: <none included>

  CSI Snapshots: <none included>

  Pod Volume Backups: <none included>
"""

_RESULTS = """\
Phase:  PartiallyFailed

Errors:    3
  Velero:    <none>
  Cluster:   message: /c
  Namespaces:
    a:  resource: /pods name: /p message: /m error: /e
        message: /n
Warnings:  1
  Velero:    message: /w
  Cluster:   <none>
  Namespaces: <none>
"""

_DETAILS = """\
Consistency:                  revision 7

Resource List:
  apps/v1/Deployment:
    - golden-a/web
  harbour.example/v1/Boat:
    - golden-a/pinnace
  storage.k8s.io/v1/StorageClass:
    - golden-manual
  v1/ConfigMap:
    - golden-a/awkward
    - golden-a/kube-root-ca.crt

Backup Volumes:
  Velero-Native Snapshots: <none included>

  CSI Snapshots: <none included>

  Pod Volume Backups: <none included>

Lists:
  configmaps:  2 items, revision 7
  deployments.apps:  1 item, revision 7
  boats.harbour.example:  1 item, revision 7
  storageclasses.storage.k8s.io:  1 item, revision 7

Not taken:
  configmaps:  1 item labelled velero.io/exclude-from-backup=true
"""


def text_of(store: BackupStore, *, details: bool = False) -> str:
    items = listed_items(store) if details else None
    return "".join(f"{line}\n" for line in description_lines(describe(store), listed_items=items))


def test_what_velero_wrote_is_described_whole() -> None:
    assert text_of(BackupStore(golden_store(), "golden-selector")) == _SELECTOR


def test_old_filters_have_their_own_words() -> None:
    text = text_of(BackupStore(golden_store(), "golden-all"))
    resources = text.partition("Resources:\n")[2].partition("\n\n")[0]
    assert resources == (
        "  Included:        *\n"
        "  Excluded:        volumesnapshots.snapshot.storage.k8s.io, volumesnapshotcontents.snapshot.storage.k8s.io\n"
        "  Cluster-scoped:  included"
    )


def test_errors_and_warnings_stand_by_place(tmp_path: Path) -> None:
    results = Results()
    results.add_error("m", namespace="a", resource="pods", name="p", error="e")
    results.add_error("n", namespace="a")
    results.add_error("c", namespace="")
    results.add_warning("w")
    assert _RESULTS in text_of(write_backup(tmp_path, results=results))


def test_details_add_every_name_and_how_each_list_went(tmp_path: Path) -> None:
    assert text_of(write_backup(tmp_path), details=True).endswith(_DETAILS)


def test_what_is_missing_is_said() -> None:
    status: dict[str, Any] = {"errors": 2, "phase": "Failed", "failureReason": "r", "validationErrors": ["v"]}
    status["hookStatus"] = {"hooksAttempted": 3}
    spec = {
        "orLabelSelectors": [{"matchLabels": {"a": "1"}}, {"matchLabels": {"b": "2"}}],
        "orderedResources": {"pods": "a"},
    }
    backup = {"metadata": {"name": "b", "namespace": "velero"}, "spec": spec, "status": status}
    description = Description(backup, manifest=None, results=None, kind_counts=None, archive_bytes=None)
    text = "\n".join(description_lines(description, listed_items=[]))
    for line in (
        "Failure reason:  r", "Validation errors:", "  v", "Errors:    2 (there are no results to read)",
        "Or label selector:  a=1 or b=2", "Ordered resources:  pods=a", "Archive:                      <not there>",
        "Resource List:  <not there>", "Started:     <nil>", "HooksAttempted:  3", "HooksFailed:     0",
    ):  # fmt: skip
        assert line in text.splitlines()


def test_what_was_not_taken_is_counted_by_reason_over_the_lists_and_kinds_are_named_together(tmp_path: Path) -> None:
    whole = describe(write_backup(tmp_path))
    assert whole.manifest is not None
    pods = {"groupResource": "pods", "apiVersion": "v1", "items": 1}
    document = {
        **whole.manifest.document,
        "lists": [
            {**pods, "namespace": "a", "leftOut": {"deleting": 2, "refused": 1}},
            {**pods, "namespace": "b", "leftOut": {"deleting": 1_000, "namespace": 3}},
        ],
        "skipped": [
            {"groupResource": "tokenreviews.authentication.k8s.io", "reason": "it has no verb list"},
            {"groupResource": "secrets", "reason": "excludedResources names it"},
            {"groupResource": "bindings", "reason": "it has no verb list"},
        ],
    }
    told = replace(whole, manifest=replace(whole.manifest, document=document))
    text = "\n".join(description_lines(told, listed_items=[]))
    assert text.partition("Not taken:")[2].splitlines() == [
        "",
        "  pods:  1,002 items being deleted",
        "  pods:  3 items of excluded namespaces",
        "  pods:  1 item that can't be stored (errors above)",
        "  secrets:  excludedResources names it",
        "  bindings, tokenreviews.authentication.k8s.io:  it has no verb list",
    ]
