"""What a server makes of a Backup before it runs: the golden Backups, and each rule with its literal outcome."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pinnace.velero.locations import Unreadable
from pinnace.velero.merge_patch import merge_patch
from pinnace.velero.request import PreparedRequest, prepare_backup_request
from pinnace.velero.server_defaults import ServerDefaults

_BACKUPS = sorted(Path(__file__).parents[2].glob("golden/bucket/backups/*"))
_NOW = datetime(2026, 11, 23, 23, 41, 35, 900_000, tzinfo=UTC)
_VERSION = {"gitVersion": "v1.35.4", "major": "1", "minor": "35"}
_LOCATION = {"metadata": {"name": "default"}, "spec": {"provider": "aws"}, "status": {"phase": "Available"}}
_AWS = {"metadata": {"name": "aws"}, "spec": {"provider": "aws"}}
_NAMESPACES: dict[str, dict[str, str]] = {"a": {}, "b": {}, "hidden": {"velero.io/exclude-from-backup": "true"}}
_ANNOTATIONS = {
    "velero.io/resource-timeout": "10m0s",
    "velero.io/source-cluster-k8s-gitversion": "v1.35.4",
    "velero.io/source-cluster-k8s-major-version": "1",
    "velero.io/source-cluster-k8s-minor-version": "35",
}
_DEFAULTED = {
    "ttl": "720h0m0s",
    "volumeGroupSnapshotLabelKey": "velero.io/volume-group",
    "csiSnapshotTimeout": "10m0s",
    "itemOperationTimeout": "4h0m0s",
    "defaultVolumesToFsBackup": False,
    "snapshotMoveData": False,
    "storageLocation": "default",
}


def backup(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "b", "namespace": "velero", "uid": "u", "resourceVersion": "7"}
    return {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata, "spec": spec}


def prepared(document: dict[str, Any], **changes: Any) -> PreparedRequest:
    arguments: dict[str, Any] = {
        "server_defaults": ServerDefaults(),
        "locations": [_LOCATION],
        "snapshot_locations": [],
        "namespaces": _NAMESPACES,
        "now": _NOW,
        "cluster_version": _VERSION,
    }
    return prepare_backup_request(document, **{**arguments, **changes})


def test_a_backup_of_everything_is_completed_in_one_patch() -> None:
    before = backup()
    given = copy.deepcopy(before)
    request = prepared(before)
    assert (before, request.errors, request.location) == (given, (), _LOCATION)
    assert merge_patch(before, request.document) == {
        "metadata": {"labels": {"velero.io/storage-location": "default"}, "annotations": _ANNOTATIONS},
        "spec": {**_DEFAULTED, "includedNamespaces": ["*"], "excludedNamespaces": ["hidden"]},
        "status": {"version": 1, "formatVersion": "1.1.0", "expiration": "2026-12-23T23:41:35Z"},
    }


@pytest.mark.parametrize("folder", _BACKUPS, ids=lambda folder: folder.name)
def test_what_velero_did_to_the_golden_backups_is_done_to_them(folder: Path) -> None:
    golden = json.loads((folder / "velero-backup.json").read_bytes())
    sent = copy.deepcopy(golden)
    sent["spec"] = {"metadata": {}, "hooks": {}, "ttl": "0s", "csiSnapshotTimeout": "0s", "itemOperationTimeout": "0s"}
    autos = ("excludedResources", "excludedClusterScopedResources", "excludedNamespaceScopedResources")
    sent["spec"] |= {name: value for name, value in golden["spec"].items() if name not in (*_DEFAULTED, *autos)}
    for name in ("labels", "annotations"):
        del sent["metadata"][name]
    started = datetime.fromisoformat(golden["status"]["startTimestamp"])
    namespaces: dict[str, dict[str, str]] = {"golden-a": {}, "golden-b": {}, "golden-c": {}}
    request = prepared(sent, namespaces=namespaces, now=started)
    assert (request.document, request.errors) == (golden, ())


@pytest.mark.parametrize("folder", _BACKUPS, ids=lambda folder: folder.name)
def test_preparing_a_prepared_backup_again_changes_nothing(folder: Path) -> None:
    golden = json.loads((folder / "velero-backup.json").read_bytes())
    first = prepared(golden, namespaces={**_NAMESPACES, "golden-a": {}, "golden-b": {}})
    second = prepared(first.document, namespaces={**_NAMESPACES, "golden-a": {}, "golden-b": {}})
    assert first.errors == ()
    assert second.document == first.document


_VSC, _VS = "volumesnapshotcontents.snapshot.storage.k8s.io", "volumesnapshots.snapshot.storage.k8s.io"
_CLUSTER, _NAMESPACED = {"excludedClusterScopedResources": [_VSC]}, {"excludedNamespaceScopedResources": [_VS]}


@pytest.mark.parametrize(
    ("spec", "filters"),
    [
        # a backup of everything stays one, however it is asked for
        ({"includedNamespaces": ["*"]}, {"includedNamespaces": ["*"]}),
        ({"includedNamespaces": []}, {"includedNamespaces": ["*"]}),
        ({"includedNamespaceScopedResources": ["*"]}, {"includedNamespaceScopedResources": ["*"]}),
        # where the full-backup rule does not apply, Velero's excludes change nothing else
        ({"includedNamespaces": ["a"]}, {"includedNamespaces": ["a"], **_CLUSTER, **_NAMESPACED}),
        ({"excludedNamespaces": ["b"]}, {"excludedNamespaces": ["b", "hidden"], **_CLUSTER, **_NAMESPACED}),
        (
            {"includedClusterScopedResources": ["*"]},
            {"includedClusterScopedResources": ["*"], **_CLUSTER, **_NAMESPACED},
        ),
        (
            {"excludedNamespaceScopedResources": ["secrets", _VS]},
            {**_CLUSTER, "excludedNamespaceScopedResources": ["secrets", _VS]},
        ),
        (
            {"includedNamespaceScopedResources": ["pods", _VS]},
            {"includedNamespaceScopedResources": ["pods"], **_CLUSTER, **_NAMESPACED},
        ),
        (
            {"includedNamespaceScopedResources": [_VS]},
            {"includedNamespaceScopedResources": [_VS], **_CLUSTER, **_NAMESPACED},
        ),
        # old filters
        ({"includeClusterResources": True}, {"excludedResources": [_VS, _VSC]}),
        ({"includeClusterResources": False}, {"excludedResources": [_VS, _VSC]}),
        ({"includedResources": ["*"]}, {"includedResources": ["*"], "excludedResources": [_VS, _VSC]}),
        ({"excludedResources": [_VSC, "pods"]}, {"excludedResources": [_VSC, "pods", _VS]}),
    ],
)
def test_filters_are_written_out(spec: dict[str, Any], filters: dict[str, Any]) -> None:
    request = prepared(backup(**spec))
    written = {
        name: value
        for name, value in request.document["spec"].items()
        if name.startswith(("included", "excluded")) and name != "includeClusterResources"
    }
    rest = {"includedNamespaces": ["*"], "excludedNamespaces": ["hidden"]}
    assert (request.errors, written) == ((), {**rest, **filters})


@pytest.mark.parametrize(
    ("spec", "changes", "written"),
    [
        ({"ttl": "90m"}, {}, {"ttl": "90m"}),
        ({"ttl": "0s", "csiSnapshotTimeout": "1m", "itemOperationTimeout": ""}, {}, {"csiSnapshotTimeout": "1m"}),
        ({"volumeGroupSnapshotLabelKey": "x"}, {}, {"volumeGroupSnapshotLabelKey": "x"}),
        ({"newField": {"a": 1}}, {}, {"newField": {"a": 1}}),
        ({"storageLocation": "default"}, {"locations": [_LOCATION, {**_LOCATION, "metadata": {"name": "x"}}]}, {}),
        (
            {},
            {"locations": [{**_LOCATION, "metadata": {"name": "x"}, "spec": {"provider": "aws", "default": True}}]},
            {"storageLocation": "x"},
        ),
        ({}, {"snapshot_locations": [_AWS]}, {}),
        (
            {},
            {"snapshot_locations": [_AWS], "takes_volume_snapshots": True},
            {"volumeSnapshotLocations": ["aws"]},
        ),
        (
            {},
            {
                "server_defaults": ServerDefaults(
                    backup_ttl_seconds=3600,
                    csi_snapshot_timeout_seconds=60,
                    item_operation_timeout_seconds=120,
                    volume_group_snapshot_label_key="k",
                )
            },
            {
                "ttl": "1h0m0s",
                "csiSnapshotTimeout": "1m0s",
                "itemOperationTimeout": "2m0s",
                "volumeGroupSnapshotLabelKey": "k",
            },
        ),
    ],
)
def test_what_is_open_is_defaulted_and_what_is_set_stays(
    spec: dict[str, Any], changes: dict[str, Any], written: dict[str, Any]
) -> None:
    request = prepared(backup(**spec), **changes)
    lists = {"includedNamespaces": ["*"], "excludedNamespaces": ["hidden"]}
    assert (request.errors, request.document["spec"]) == ((), {**_DEFAULTED, **lists, **written})


def test_metadata_is_added_to_and_a_long_location_is_shortened_in_the_label() -> None:
    document = backup(storageLocation="a" * 64)
    document["metadata"] |= {"labels": {"l": "1"}, "annotations": {"velero.io/resource-timeout": "1s", "x": "y"}}
    location = {**_LOCATION, "metadata": {"name": "a" * 64}}
    settings = ServerDefaults(resource_timeout_seconds=1800)
    metadata = prepared(document, locations=[location], server_defaults=settings).document["metadata"]
    assert (metadata["labels"], metadata["annotations"], metadata["uid"]) == (
        {"l": "1", "velero.io/storage-location": "a" * 57 + "ffe054"},
        {**_ANNOTATIONS, "velero.io/resource-timeout": "30m0s", "x": "y"},
        "u",
    )


def test_the_expiration_counts_from_the_backups_own_ttl() -> None:
    assert prepared(backup(ttl="1h30m")).document["status"]["expiration"] == "2026-11-24T01:11:35Z"


def test_errors_are_all_there_in_veleros_order_and_ours_come_last() -> None:
    document = backup(
        includedNamespaces=["a", "hidden", "X"],
        excludedClusterScopedResources=["*", "nodes"],
        labelSelector={"matchExpressions": [{"key": "a", "operator": "In"}]},
        orLabelSelectors=[{}],
        volumeSnapshotLocations=["gone"],
        defaultVolumesToRestic=True,
        snapshotMoveData=True,
    )
    document["status"] = {"phase": "ReadyToStart", "validationErrors": ["old"]}
    request = prepared(document, locations=[{**_LOCATION, "status": {}}])
    assert [error.split("\n")[0] for error in request.errors] == [
        "backup can't be created because BackupStorageLocation default is in Unavailable status.",
        (
            "a VolumeSnapshotLocation CRD for the location gone with the name specified in the backup spec needs to be "
            'created before this snapshot can be executed. Error: VolumeSnapshotLocation.velero.io "gone" not found'
        ),
        (
            "Invalid cluster-scoped included/excluded resource lists: excludes list must either contain '*' only, or a "
            "non-empty list of items"
        ),
        "Invalid included/excluded namespace lists: excludes list cannot contain an item in the includes list: hidden",
        (
            'Invalid included/excluded namespace lists: invalid namespace "X": a lowercase RFC 1123 label must '
            "consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
            "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        ),
        "encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified",
        "spec.labelSelector: a: operator In needs values",
        "spec.volumeSnapshotLocations: volume snapshots are not there yet; leave it out",
        "spec.defaultVolumesToRestic: file-system backups of volumes are not there yet; leave it out",
        "spec.defaultVolumesToFsBackup: file-system backups of volumes are not there yet; leave it out",
        "spec.snapshotMoveData: moving snapshot data are not there yet; leave it out",
    ]
    assert request.document["status"] == {
        "phase": "ReadyToStart",
        "version": 1,
        "formatVersion": "1.1.0",
        "expiration": "2026-12-23T23:41:35Z",
        "validationErrors": list(request.errors),
    }
    assert request.document["spec"]["excludedClusterScopedResources"] == ["*", "nodes"]


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"locations": Unreadable("x")}, ["error getting backup storage location: x"]),
        ({"snapshot_locations": Unreadable("x")}, ["error listing volume snapshot locations: x"]),
        ({"namespaces": Unreadable("x")}, ["error getting namespace list: x"]),
        (
            {"server_defaults": ServerDefaults(volumes_to_fs_backup=True, snapshot_move_data=True)},
            [
                "spec.snapshotMoveData: moving snapshot data are not there yet; leave it out",
                "spec.defaultVolumesToFsBackup: file-system backups of volumes are not there yet; leave it out",
            ],
        ),
    ],
)
def test_what_the_cluster_or_the_server_forbids_is_an_error(changes: dict[str, Any], errors: list[str]) -> None:
    assert sorted(prepared(backup(), **changes).errors) == sorted(errors)


def test_hooks_that_can_not_be_read_are_an_error_and_stay_as_they_are() -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": "In"}]}
    hooks = {"resources": [{"name": "h", "labelSelector": selector}], "of a newer version": 1}
    request = prepared(backup(hooks=hooks))
    assert request.errors == ("spec.hooks.resources[0].labelSelector: a: operator In needs values",)
    assert request.document["spec"]["hooks"] == hooks


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"ttl": "30d"}, "spec.ttl: '30d' is not a duration: days are written as hours, 720h"),
        (
            {"csiSnapshotTimeout": "x"},
            "spec.csiSnapshotTimeout: 'x' is not a duration such as 720h or 1h30m0s; days are written as hours",
        ),
        ({"includedNamespaces": "a"}, "spec.includedNamespaces: a list of names is wanted"),
    ],
)
def test_a_spec_that_can_not_be_decoded_is_an_error_and_stays_as_it_is(spec: dict[str, Any], error: str) -> None:
    request = prepared(backup(**spec))
    assert request.errors == (error,)
    assert request.document["spec"] == {**spec, "storageLocation": "default"}
    assert request.document["status"]["expiration"] == "2026-12-23T23:41:35Z"
