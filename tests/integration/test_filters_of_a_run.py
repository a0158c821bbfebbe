"""Filters whose effect only a real API server shows: selectors, namespaces that are not there, items in an order."""

import gzip
import json
from pathlib import Path
from typing import Any

from command import pinnace
from integration.cluster_fixtures import TestedCluster


def run(cluster: TestedCluster, store: Path, *flags: str) -> tuple[int, str]:
    arguments = ("--store", str(store), "--kubeconfig", str(cluster.kubeconfig))
    ended = pinnace("backup", "run", "few", *flags, *arguments)
    return ended.returncode, ended.stderr


def contents(store: Path) -> list[str]:
    return pinnace("backup", "contents", "few", "--store", str(store)).stdout.split()


def results(store: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(gzip.decompress(Path(store, "backups", "few", "few-results.gz").read_bytes()))
    return document


def test_set_based_selectors_are_the_servers(local_cluster: TestedCluster, tmp_path: Path) -> None:
    flags = ("--include-resources", "cm", "--include-namespaces", "shop,awkward", "--selector")
    code, stderr = run(local_cluster, tmp_path, *flags, "app in (web,db), app!=db, !velero.io/exclude-from-backup")
    assert code == 4, stderr
    assert contents(tmp_path) == ["configmaps/shop/web"]


def test_an_item_that_two_or_selectors_have_is_stored_once(local_cluster: TestedCluster, tmp_path: Path) -> None:
    flags = ("--include-resources", "cm", "--include-namespaces", "shop", "--or-selector")
    code, stderr = run(local_cluster, tmp_path, *flags, "app=web or app in (web,db) or nothing=x")
    assert code == 4, stderr
    assert contents(tmp_path) == ["configmaps/shop/web"]


def test_an_ordered_item_comes_first_and_a_missing_one_is_one_warning(
    local_cluster: TestedCluster, tmp_path: Path
) -> None:
    flags = ("--include-resources", "cm", "--include-namespaces", "shop,awkward", "--or-selector", "app or !app")
    ordered = "configmaps=shop/web,awkward/no-data,shop/gone,fleet/x;pods=shop/none"
    code, stderr = run(local_cluster, tmp_path, *flags, "--ordered-resources", ordered)
    assert code == 4, stderr
    names = contents(tmp_path)
    assert names[:2] == ["configmaps/shop/web", "configmaps/awkward/no-data"]
    assert len(names) == len(set(names))
    assert results(tmp_path)["warnings"] == {
        "velero": [
            " resource: /configmaps message: /Cannot find resource 'fleet/x'.",
            " resource: /configmaps message: /Cannot find resource 'shop/gone'.",
        ]
    }


def test_an_included_namespace_that_is_not_there_is_an_error(local_cluster: TestedCluster, tmp_path: Path) -> None:
    code, stderr = run(local_cluster, tmp_path, "--include-namespaces", "empty,gone", "--include-resources", "cm,ns")
    assert code == 4, stderr
    assert (
        " resource: /namespaces message: /fail to get the namespace gone specified in backup.Spec.IncludedNamespaces"
        in results(tmp_path)["errors"]["velero"]
    )
    assert contents(tmp_path) == ["configmaps/empty/kube-root-ca.crt", "namespaces/empty"]


def test_including_a_namespace_that_is_labelled_to_be_excluded_fails_and_leaves_nothing(
    local_cluster: TestedCluster, tmp_path: Path
) -> None:
    code, stderr = run(local_cluster, tmp_path, "--include-namespaces", "shop,ignored")
    sentence = "excludes list cannot contain an item in the includes list: ignored"
    assert (code, stderr) == (
        3,
        f"error: backup few: Invalid included/excluded namespace lists: {sentence}\n",
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_selector_that_the_server_would_refuse_fails_the_validation(
    local_cluster: TestedCluster, tmp_path: Path
) -> None:
    manifest = tmp_path / "backup.yaml"
    manifest.write_text(
        "kind: Backup\napiVersion: velero.io/v1\n"
        "spec: {labelSelector: {matchExpressions: [{key: app, operator: In}]}}\n"
    )
    code, stderr = run(local_cluster, tmp_path / "store", "--from-file", str(manifest))
    assert (code, stderr) == (3, "error: backup few: spec.labelSelector: app: operator In needs values\n")


def test_without_cluster_scoped_kinds_there_are_no_namespaces_either(
    local_cluster: TestedCluster, tmp_path: Path
) -> None:
    flags = ("--include-namespaces", "empty", "--no-include-cluster-resources")
    code, stderr = run(local_cluster, tmp_path, *flags)
    assert code == 4, stderr
    assert {name.split("/")[0] for name in contents(tmp_path)} == {"configmaps", "serviceaccounts"}
