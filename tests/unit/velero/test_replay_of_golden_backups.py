"""The filters, replayed on a recorded cluster, list what the real Velero 1.18.1 put into its archives."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pinnace.collect.plan import ListRequest, Plan, make_plan
from pinnace.kube.discovery import read_groups
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.includes_excludes import (
    NamespaceSelection,
    ResourceFilter,
    select_namespaces,
    wants_namespace_object,
)
from pinnace.velero.label_selectors import matches_labels

_GOLDEN = Path(__file__).parents[2] / "golden"
_OF_WEB = {
    "clusterrolebindings.rbac.authorization.k8s.io//golden-web-reads",
    "clusterroles.rbac.authorization.k8s.io//golden:reader",
    "customresourcedefinitions.apiextensions.k8s.io//boats.harbour.example",
    "priorityclasses.scheduling.k8s.io//golden-high",
}
_PULLED_IN_BY_ACTIONS: dict[str, set[str]] = {
    "golden-all": set(),
    "golden-namespace": {*_OF_WEB, "persistentvolumes//golden-pv-1"},
    "golden-newfilters": {"customresourcedefinitions.apiextensions.k8s.io//boats.harbour.example"},
    "golden-resources": set(),
    "golden-selector": _OF_WEB,
}


def page(path: str) -> list[dict[str, Any]]:
    """The items of a recorded list; what was empty was not recorded."""
    file = _GOLDEN / "cluster" / f"{path.strip('/').replace('/', '__')}.json"
    items: list[dict[str, Any]] = json.loads(file.read_bytes())["items"] if file.exists() else []
    return items


def is_left_out(item: dict[str, Any]) -> bool:
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    return labels.get("velero.io/exclude-from-backup") == "true" or "deletionTimestamp" in metadata


def listed(request: ListRequest, spec: BackupSpec) -> Iterator[str]:
    selector = spec.label_selector or {}
    for item in page(request.path):
        metadata = item["metadata"]
        if matches_labels(selector, metadata.get("labels") or {}) and not is_left_out(item):
            yield f"{request.resource.group_resource}/{metadata.get('namespace', '')}/{metadata['name']}"


def planned(spec: BackupSpec) -> tuple[Plan, NamespaceSelection]:
    documents = [json.loads(file.read_bytes()) for file in sorted((_GOLDEN / "cluster").glob("discovery-*.json"))]
    discovery = read_groups([group for document in documents for group in document["items"]])
    selection = select_namespaces(spec, existing=[item["metadata"]["name"] for item in page("api/v1/namespaces")])
    chosen = ResourceFilter.from_spec(
        spec,
        resolve=discovery.resolve,
        namespaces_everything=selection.everything,
        scopes={resource.group_resource: resource.namespaced for resource in discovery.resources},
    )
    assert chosen.warnings == ()
    plan = make_plan(
        discovery.resources,
        spec=spec,
        selection=selection,
        includes=lambda resource: chosen.reason(resource.group_resource, namespaced=resource.namespaced),
    )
    return plan, selection


def replayed(spec: BackupSpec) -> set[str]:
    plan, selection = planned(spec)
    items = {name for request in plan.lists for name in listed(request, spec)}
    if plan.namespaces is None:
        return items
    for item in page("api/v1/namespaces"):
        name = item["metadata"]["name"]
        if not is_left_out(item) and wants_namespace_object(
            name,
            labels=item["metadata"].get("labels") or {},
            active=item["status"]["phase"] == "Active",
            spec=spec,
            selection=selection,
            collected_from=any(f"/{name}/" in found for found in items),
        ):
            items.add(f"namespaces//{name}")
    return items


def archived(name: str) -> set[str]:
    """Each item of the golden archive once, as `group resource/namespace/name`."""
    items = set()
    with tarfile.open(_GOLDEN / "bucket" / "backups" / name / f"{name}.tar.gz") as tar:
        for path in tar.getnames():
            parts = path.removesuffix(".json").split("/")
            if parts[0] == "resources" and not any(part.endswith("-preferredversion") for part in parts):
                items.add(f"{parts[1]}/{parts[3] if parts[2] == 'namespaces' else ''}/{parts[-1]}")
    return items


@pytest.mark.parametrize("name", sorted(_PULLED_IN_BY_ACTIONS))
def test_what_is_listed_and_what_actions_pull_in_is_veleros_archive(name: str) -> None:
    document = json.loads((_GOLDEN / "bucket" / "backups" / name / "velero-backup.json").read_bytes())
    items, expected = replayed(Backup.from_document(document).spec), archived(name)
    assert (items - expected, expected - items) == (set(), _PULLED_IN_BY_ACTIONS[name])
