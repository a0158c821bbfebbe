"""What a run says: a summary for people, the Backup alone for programs, and lines of the level that was asked for."""

import gzip
import json
import re
from pathlib import Path

import pytest
import yaml

from command import pinnace
from integration.cluster_fixtures import TestedCluster
from pinnace.store.backup_store import BackupStore
from pinnace.store.open import open_store


@pytest.fixture
def arguments(local_cluster: TestedCluster, tmp_path: Path) -> tuple[str, ...]:
    return ("--store", str(tmp_path), "--kubeconfig", str(local_cluster.kubeconfig))


def test_people_get_a_summary_and_the_errors_with_their_cause(arguments: tuple[str, ...], tmp_path: Path) -> None:
    run = pinnace("backup", "run", "b", "--include-namespaces", "fleet", *arguments)
    words = dict(re.split(r"  +", line, maxsplit=1) for line in run.stdout.splitlines())
    assert list(words) == [
        "Name", "Phase", "Items", "Kinds", "Archive", "Duration", "Consistency", "Errors", "Warnings", "Location",
    ]  # fmt: skip
    assert (words["Name"], words["Phase"], words["Errors"]) == ("b", "PartiallyFailed", "1")
    assert re.fullmatch(r"revision [0-9]+(; each in itself: events)?", words["Consistency"])
    assert words["Location"] == f"folder {tmp_path}, backups/b/"
    lines = run.stderr.splitlines()
    assert re.fullmatch(r"backing up about [0-9,]+ items of [0-9]+ kinds in [0-9]+ lists", lines[0])
    assert re.split(r"  +", lines[-3]) == ["ERROR", "NAMESPACE", "NAME", "CAUSE"]
    assert lines[-2].startswith("broken.example.com/v1beta1  ")
    assert "Error getting API group" in lines[-2]
    assert lines[-1] == "the backup is there, but not whole: 1 error, listed above"


def test_programs_get_the_backup_alone_and_lines_that_are_json(arguments: tuple[str, ...], tmp_path: Path) -> None:
    filters = ("--include-namespaces", "fleet", "--include-resources", "configmaps")
    run = pinnace(
        "backup", "run", "b", *filters, *arguments, "-o", "yaml", "--log-level", "debug", "--log-format", "json"
    )
    store = BackupStore(open_store(str(tmp_path)), "b")
    assert yaml.safe_load(run.stdout) == json.loads(store.read_metadata())
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    items = [line["name"] for line in lines if line["msg"] == "Backed up item"]
    listed = pinnace("backup", "contents", "b", "--store", str(tmp_path)).stdout.splitlines()
    assert items == [name.rpartition("/")[2] for name in listed]
    written = gzip.decompress(store.read(store.keys.log)).decode().splitlines()
    assert sum('level=debug msg="Backed up item"' in line for line in written) == len(items) > 5000
    assert all(re.search(r' logSource="pinnace/[a-z_/]+\.py:[0-9]+"', line) for line in written)
