"""Of a whole kind that a Backup names and does not get there is one warning: in plan, log, results, count, describe."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pinnace.backup import run
from pinnace.backup.description import describe, listed_items
from pinnace.backup.forecast import forecast
from pinnace.cli.describe_text import description_lines
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.timestamps import timestamp
from unit.backup.recorded_cluster import RecordedCluster
from unit.backup.small_backup import GOLDEN, NOW

_GOLDEN = ("golden-all", "golden-namespace", "golden-newfilters", "golden-resources", "golden-selector")
_IN_A: dict[str, Any] = {"included_namespaces": ("golden-a",)}
_NO_VERB = "it has no verb"
_UNSET = "includeClusterResources is not set and only some namespaces are included"


def warnings_of(folder: Path, *, cluster: RecordedCluster | None = None, **spec: Any) -> tuple[list[str], list[str]]:
    """What a run warns of, and what a plan does; the run's stand once in log, results, status and description."""
    folder.mkdir(exist_ok=True)
    cluster = cluster or RecordedCluster(GOLDEN / "cluster")
    store = BackupStore(FilesystemStore(folder), "b")
    backup = Backup(name="b", spec=BackupSpec(**{**_IN_A, **spec}))
    outcome = run.make(backup.with_status(start_timestamp=timestamp(NOW)), client=cluster.client, store=store)
    texts = [entry.message for entry in outcome.results.entries() if entry.severity == "warning"]
    stored = json.loads(gzip.decompress((folder / "backups" / "b" / "b-results.gz").read_bytes()))["warnings"]
    assert stored.get("velero", []) == [f" message: /{text}" for text in texts]
    log = gzip.decompress((folder / "backups" / "b" / "b-logs.gz").read_bytes()).decode()
    described = "\n".join(description_lines(describe(store), listed_items=listed_items(store)))
    assert [(log.count(text.replace('"', '\\"')), described.count(text)) for text in texts] == [(1, 1)] * len(texts)
    assert (outcome.backup.status.warnings, outcome.backup.status.phase) == (
        len(texts),
        "PartiallyFailed" if outcome.results.error_count else "Completed",
    )
    planned = forecast(backup, client=cluster.client, options=run.RunOptions())
    return texts, [entry.message for entry in planned.results.entries() if entry.severity == "warning"]


def missed(field: str, name: str, reason: str) -> str:
    return f"spec.{field}: {name} is included by name, but not taken: {reason}"


def unknown(field: str, name: str, *, meant: str = "") -> str:
    ending = f"; did you mean {meant}?" if meant else ""
    return f"spec.{field}: {name} is the name of no kind in the cluster, and takes nothing{ending}"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"included_resources": ("pods", "depoyments", "volumesnapshotclasses", "lemons*")},
            [
                unknown("includedResources", "depoyments", meant="deployments.apps"),
                unknown("includedResources", "volumesnapshotclasses"),
                unknown("includedResources", "lemons*"),
            ],
        ),
        (
            {"included_resources": ("pods", "cs", "bindings", "tokenreviews.authentication.k8s.io")},
            [
                missed("includedResources", "cs", f"{_NO_VERB} create, delete"),
                missed("includedResources", "bindings", f"{_NO_VERB} delete, get, list"),
                missed("includedResources", "tokenreviews.authentication.k8s.io", f"{_NO_VERB} delete, get, list"),
            ],
        ),
        (
            {"included_resources": ("pods", "sc", "storageclass*")},
            [missed("includedResources", "sc", _UNSET), missed("includedResources", "storageclass*", _UNSET)],
        ),
        (
            {"included_resources": ("pods", "ns"), "include_cluster_resources": False},
            [missed("includedResources", "ns", "includeClusterResources is false")],
        ),
        (
            {"included_resources": ("pods", "secrets", "cm"), "excluded_resources": ("s*", "configmap*")},
            [
                missed("includedResources", "secrets", "excludedResources names it"),
                missed("includedResources", "cm", "excludedResources names it"),
            ],
        ),
        (
            {"included_resources": ("pods", "events", "events.events.k8s.io")},
            [missed("includedResources", "events.events.k8s.io", "the same items are taken as events")],
        ),
        (
            {"included_namespace_scoped_resources": ("pods", "nodes*")},
            [missed("includedNamespaceScopedResources", "nodes*", "it is of the other scope")],
        ),
        (
            {"included_namespaces": ("golden-a", "shop-*")},
            ["spec.includedNamespaces: no namespace matches shop-*"],
        ),
        (
            {"included_namespaces": ("shop-*",), "included_resources": ("pods",)},
            [
                "spec.includedNamespaces: no namespace matches shop-*",
                "the backup holds no items: no namespace is included",
            ],
        ),
        (
            {"label_selector": {"matchLabels": {"app": "wbe"}}, "included_resources": ("pods",)},
            ["the backup holds no items: nothing that is included matches the selector app=wbe"],
        ),
        (
            {"label_selector": {"matchLabels": {"app": "wbe"}}},
            ["the backup holds nothing but Namespaces: nothing that is included matches the selector app=wbe"],
        ),
        (
            {
                "or_label_selectors": ({"matchLabels": {"a": "b"}}, {"matchLabels": {"c": "d"}}),
                "included_namespaces": (),
            },
            ["the backup holds no items: nothing that is included matches the selector a=b or c=d"],
        ),
        (
            {"included_resources": ("statefulsets", "jobs.batch")},
            ["the backup holds no items: there is nothing that its filters include"],
        ),
    ],
)
def test_what_is_certain_before_a_run_is_a_warning_of_the_plan_and_of_the_run(
    spec: dict[str, Any], expected: list[str], tmp_path: Path
) -> None:
    found, planned = warnings_of(tmp_path, **spec)
    assert (sorted(found), sorted(planned)) == (sorted(expected), sorted(expected))


def test_a_kind_whose_items_come_with_others_is_missed_only_if_none_came(tmp_path: Path) -> None:
    wanted = ("persistentvolumes", "priorityclasses", "crd", "pods", "boats", "pvc")
    assert warnings_of(tmp_path / "with", included_resources=wanted) == ([], [])
    without = ("persistentvolumes", "configmaps")
    found, planned = warnings_of(tmp_path / "without", included_resources=without)
    assert (found, planned) == ([missed("includedResources", "persistentvolumes", _UNSET)], [])
    # Where nobody may bring one in the plan knows.
    found, planned = warnings_of(tmp_path / "never", included_resources=without, include_cluster_resources=False)
    reason = "includeClusterResources is false"
    assert found == planned == [missed("includedResources", "persistentvolumes", reason)]


def test_a_kind_of_which_each_item_was_left_out_by_itself_is_missed(tmp_path: Path) -> None:
    metadata = {"namespace": "golden-c", "uid": "1"}
    cluster = RecordedCluster(
        GOLDEN / "cluster",
        more={
            "/api/v1/namespaces/golden-c/secrets": [
                {"metadata": {**metadata, "name": "one", "labels": {"velero.io/exclude-from-backup": "true"}}},
                {"metadata": {**metadata, "name": "two", "deletionTimestamp": "2026-11-25T03:00:00Z"}},
                {"metadata": {**metadata, "name": "three", "deletionTimestamp": "2026-11-25T03:00:00Z"}},
            ]
        },
    )
    found, planned = warnings_of(
        tmp_path, cluster=cluster, included_namespaces=("golden-c",), included_resources=("sec*", "configmaps")
    )
    reason = "2 items being deleted, 1 item labelled velero.io/exclude-from-backup=true"
    text = f"spec.includedResources: sec* is included by name, but nothing of it was stored: {reason}"
    # A plan does not read the items.
    assert (found, planned) == ([text], [])


def test_a_kind_that_may_not_be_listed_is_an_error_and_no_warning(tmp_path: Path) -> None:
    cluster = RecordedCluster(GOLDEN / "cluster", refused=frozenset({"/api/v1/namespaces/golden-a/secrets"}))
    assert warnings_of(tmp_path, cluster=cluster, included_resources=("secrets", "pods")) == ([], [])


@pytest.mark.parametrize("name", ["", *_GOLDEN])
def test_ordinary_backups_have_no_such_warning(name: str, tmp_path: Path) -> None:
    backup = GOLDEN / "bucket" / "backups" / name / "velero-backup.json"
    spec = BackupSpec.from_document(json.loads(backup.read_bytes())["spec"]) if name else BackupSpec()
    assert warnings_of(tmp_path, **{field: getattr(spec, field) for field in spec.__dataclass_fields__}) == ([], [])


@pytest.mark.parametrize(
    "spec",
    [
        {"included_resources": ("*",)},
        {"included_resources": ("namespaces",)},
        {"included_resources": ("pods", "ingresses", "statefulsets", "jobs.batch")},
        {"included_resources": ("pods", "secrets"), "label_selector": {"matchLabels": {"app": "web"}}},
        {"included_cluster_scoped_resources": ("*",), "included_namespaces": ("golden-*",)},
        {"included_cluster_scoped_resources": ("storageclasses", "*classes.*", "crd")},
        {"included_namespace_scoped_resources": ("*.apps", "po"), "excluded_namespaces": ("golden-b",)},
        {"excluded_resources": ("nosuchkinds", "events")},
    ],
)
def test_what_is_named_and_there_and_what_is_named_and_nowhere_is_no_warning(
    spec: dict[str, Any], tmp_path: Path
) -> None:
    assert warnings_of(tmp_path, **spec) == ([], [])
