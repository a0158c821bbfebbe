"""What a page lacks is an error in the results: items that were refused, and what items ask for and do not get."""

import gzip
from pathlib import Path
from typing import Any

from pinnace.backup.description import describe
from pinnace.backup.stored import StoredResult
from pinnace.kube.discovery import ApiResource
from pinnace.velero.pod_annotations import UNMET_REQUESTS
from pinnace.velero.results import Entry, Results
from unit.backup.small_backup import CONFIG_MAPS, page_of, write_backup

PODS = ApiResource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)
_VOLUMES = "backup.velero.io/backup-volumes"


def annotated(name: str, **annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "annotations": annotations}}


def recorded(folder: Path, *items: dict[str, Any], resource: ApiResource = PODS) -> tuple[list[Entry], int]:
    results = Results()
    write_backup(folder, pages=[(resource, page_of(*items, kind=resource.kind))], results=results)
    return list(results.entries()), results.error_count


def test_a_pod_is_named_once_for_each_request_that_is_not_met_and_is_archived(tmp_path: Path) -> None:
    asking = annotated("db-0", **{_VOLUMES: "data", "backup.velero.io/backup-volumes-excludes": "tmp"})
    found = recorded(tmp_path, annotated("web", **{"backup.velero.io/backup-volumes-excludes": "tmp"}), asking)
    assert found == ([Entry("error", UNMET_REQUESTS[_VOLUMES], "ns", "pods", "db-0")], 1)


def test_such_a_backup_is_partially_failed_and_says_so_in_its_results_and_log(tmp_path: Path) -> None:
    body = page_of(annotated("db-0", **{_VOLUMES: "data"}), kind="Pod")
    store = write_backup(tmp_path, pages=[(PODS, body)])
    described = describe(store)
    assert described.backup["status"]["phase"] == "PartiallyFailed"
    assert described.kind_counts == {"v1/Pod": 1}
    text = f" resource: /pods name: /db-0 message: /{UNMET_REQUESTS[_VOLUMES]}"
    assert described.results == (StoredResult("error", place="namespaces", namespace="ns", text=text),)
    line = f'level=error msg="{UNMET_REQUESTS[_VOLUMES]}"'
    assert line in gzip.decompress(store.read(store.keys.log)).decode()


def test_pods_beyond_the_first_hundred_are_counted(tmp_path: Path) -> None:
    pods = (annotated(f"p{number:03}", **{_VOLUMES: "data"}) for number in range(103))
    entries, error_count = recorded(tmp_path, *pods)
    named = [Entry("error", UNMET_REQUESTS[_VOLUMES], "ns", "pods", f"p{number:03}") for number in range(100)]
    more = Entry("error", f"and 3 more like it: {UNMET_REQUESTS[_VOLUMES]}", "ns", "pods")
    assert (entries, error_count) == ([*named, more], 103)


def test_only_pods_ask_by_annotation(tmp_path: Path) -> None:
    asking = annotated("settings", **{_VOLUMES: "data"})
    assert recorded(tmp_path, asking, resource=CONFIG_MAPS) == ([], 0)


def test_refused_items_are_named_with_their_byte_and_beyond_the_first_hundred_counted(tmp_path: Path) -> None:
    item = {"metadata": {"name": "a/b", "namespace": "ns"}}
    offset = page_of(item, kind="Pod").index(b'{"metadata": {"name"')
    entries, error_count = recorded(tmp_path, *[item] * 101)
    cause = f"GET /api/v1/pods: byte {offset}: the item's name would not stay within its folder"
    assert entries[0] == Entry("error", "Error backing up item", "ns", "pods", "a/b", cause)
    assert (entries[100], error_count) == (Entry("error", "Error backing up item", "", "pods"), 101)
