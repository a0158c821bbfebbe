"""The filters, replayed on a recorded cluster, list what the real Velero 1.18.1 put into its archives."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from pinnace.collect.plan import ListRequest, Plan, make_plan
from pinnace.engine import Archive
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


def archive_list(archive: Archive, request: ListRequest, *, spec: BackupSpec) -> set[str]:
    """Answer a list as the server would, archive it, and give the namespaces of what was written."""
    items = [
        item
        for item in page(request.path)
        if matches_labels(spec.label_selector or {}, item["metadata"].get("labels") or {}) or request.only_names
    ]
    opened = archive.page(
        request=request.path,
        group_resource=request.resource.group_resource,
        api_version=request.resource.api_version,
        kind=request.resource.kind,
        excluded_namespaces=request.excluded_namespaces,
        only_names=request.only_names,
        deduplicate=request.deduplicate,
    )
    opened.feed(json.dumps({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}).encode())
    return {namespace for namespace, count in opened.finish().namespaces.items() if namespace and count}


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
    """The paths of the archive that the recorded cluster gives."""
    plan, selection = planned(spec)
    archive = Archive(level="fast", mtime_seconds=0, threads=1)
    collected_from = set().union(*(archive_list(archive, request, spec=spec) for request in plan.lists))
    if plan.namespaces is not None:
        wanted = frozenset(
            item["metadata"]["name"]
            for item in page("api/v1/namespaces")
            if wants_namespace_object(
                item["metadata"]["name"],
                labels=item["metadata"].get("labels") or {},
                active=item["status"]["phase"] == "Active",
                spec=spec,
                selection=selection,
                collected_from=item["metadata"]["name"] in collected_from,
            )
        )
        archive_list(archive, ListRequest(plan.namespaces, only_names=wanted), spec=spec)
    archive.finish()
    return paths(io.BytesIO(archive.take_archive()))


def paths(archive: BinaryIO) -> set[str]:
    with tarfile.open(fileobj=archive, mode="r:gz") as tar:
        return set(tar.getnames())


@pytest.mark.parametrize("name", sorted(_PULLED_IN_BY_ACTIONS))
def test_what_is_listed_and_what_actions_pull_in_is_veleros_archive(name: str) -> None:
    folder = _GOLDEN / "bucket" / "backups" / name
    document = json.loads((folder / "velero-backup.json").read_bytes())
    found = replayed(Backup.from_document(document).spec)
    with (folder / f"{name}.tar.gz").open("rb") as archive:
        expected = paths(archive)
    pulled_in = {
        f"resources/{kind}/{version}cluster/{item}.json"
        for kind, item in (text.split("//") for text in _PULLED_IN_BY_ACTIONS[name])
        for version in ("", "v1-preferredversion/")
    }
    assert (found - expected, expected - found) == (set(), pulled_in)
