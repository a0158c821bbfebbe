"""A plan says what a backup would take and what not, before anything is made."""

from pinnace.backup.forecast import forecast
from pinnace.backup.run import RunOptions
from pinnace.cli.backup_plan import forecast_document, forecast_lines
from pinnace.velero.backup import Backup, BackupSpec
from unit.backup.recorded_cluster import RecordedCluster
from unit.backup.small_backup import GOLDEN

_SPEC = BackupSpec(
    included_namespaces=("golden-a", "golden-b"),
    included_namespace_scoped_resources=("configmaps", "pods", "secrets"),
    excluded_cluster_scoped_resources=("*",),
)


def test_kinds_namespaces_items_and_bytes_are_those_of_the_lists() -> None:
    cluster = RecordedCluster(GOLDEN / "cluster")
    found = forecast(Backup(name="b", spec=_SPEC), client=cluster.client, options=RunOptions())
    lines = forecast_lines(found)
    assert [line.split("  about ")[0] for line in lines[:3]] == [
        "pods        3 items",
        "configmaps  4 items",
        "secrets     1 item",
    ]
    assert lines[1].endswith("  in 2 lists")
    assert lines[4].startswith("In all: about 8 items of 3 kinds, roughly ")
    assert lines[6] == "Namespaces: golden-a, golden-b"
    assert "Left out, excludedClusterScopedResources names it: " in "\n".join(lines[7:])
    document = forecast_document(found)
    assert [kind["items"] for kind in document["kinds"]] == [3, 4, 1]
    assert (document["items"], document["seconds"], document["errors"]) == (8, 1, 0)
    # Asked is one item of each list.
    assert {query["limit"] for _, query in cluster.asked} == {"1"}


def test_what_can_not_be_listed_is_an_error_and_a_selector_leaves_the_count_open() -> None:
    refused = frozenset({"/api/v1/namespaces/golden-a/secrets"})
    cluster = RecordedCluster(GOLDEN / "cluster", refused=refused, counts_selected=False)
    spec = BackupSpec(
        included_namespaces=("golden-a",),
        included_namespace_scoped_resources=("secrets", "pods", "configmaps"),
        label_selector={"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]},
    )
    found = forecast(Backup(name="b", spec=spec), client=cluster.client, options=RunOptions())
    assert [entry.resource for entry in found.results.entries()] == ["secrets"]
    assert any("  at least 2 items" in line for line in forecast_lines(found))
