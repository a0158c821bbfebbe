"""A small real backup without a cluster: golden pages through the engine into a folder."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pinnace.backup.archive_sink import ArchiveSink
from pinnace.backup.commit import commit
from pinnace.backup.held_items import held_items
from pinnace.backup.log import VeleroLog
from pinnace.backup.page_intake import PageIntake
from pinnace.backup.prepare import Prepared
from pinnace.backup.progress import Observer
from pinnace.collect.collected_list import CollectedList, Span
from pinnace.collect.list_encoding import JSON
from pinnace.collect.plan import ListRequest, Plan
from pinnace.collect.probe import Revision
from pinnace.engine import Archive
from pinnace.kube.client import Client
from pinnace.kube.discovery import ApiResource
from pinnace.store.backup_store import BackupStore
from pinnace.store.filesystem import FilesystemStore
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.includes_excludes import ResourceFilter, select_namespaces
from pinnace.velero.results import Results
from pinnace.velero.timestamps import timestamp

__all__ = ["CONFIG_MAPS", "GOLDEN", "NOW", "golden_store", "page_of", "write_backup"]

GOLDEN = Path(__file__).parents[2] / "golden"
NO_SERVER = cast(Client, None)
"""Nothing is fetched where the cluster serves no kind."""

NOW = datetime(2026, 11, 25, 3, 0, 0, tzinfo=UTC)
CONFIG_MAPS = ApiResource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
_GOLDEN_LISTS = (
    (CONFIG_MAPS, "api__v1__namespaces__golden-a__configmaps"),
    (
        ApiResource(group="apps", version="v1", kind="Deployment", plural="deployments", namespaced=True),
        "apis__apps__v1__namespaces__golden-a__deployments",
    ),
    (
        ApiResource(group="harbour.example", version="v1", kind="Boat", plural="boats", namespaced=True),
        "apis__harbour.example__v1__namespaces__golden-a__boats",
    ),
    (
        ApiResource(
            group="storage.k8s.io", version="v1", kind="StorageClass", plural="storageclasses", namespaced=False
        ),
        "apis__storage.k8s.io__v1__storageclasses",
    ),
)


def golden_store() -> FilesystemStore:
    """What Velero 1.18.1 wrote; to be read only."""
    return FilesystemStore(GOLDEN / "bucket")


def page_of(*items: dict[str, Any], kind: str = "ConfigMap") -> bytes:
    """A list response."""
    return json.dumps({"kind": f"{kind}List", "metadata": {"resourceVersion": "7"}, "items": items}).encode()


def write_backup(
    folder: Path,
    *,
    name: str = "small",
    pages: list[tuple[ApiResource, bytes]] | None = None,
    collect: Callable[[PageIntake], list[CollectedList]] | None = None,
    results: Results | None = None,
    log_level: str = "info",
) -> BackupStore:
    """Write a whole backup of the pages (golden ones if not given), or of what `collect` feeds."""
    store = BackupStore(FilesystemStore(folder), name)
    if pages is None:
        pages = [(resource, (GOLDEN / "cluster" / f"{file}.json").read_bytes()) for resource, file in _GOLDEN_LISTS]
    backup = Backup(name=name).with_status(start_timestamp=timestamp(NOW))
    with VeleroLog(store.open(store.keys.log), backup=backup, clock=lambda: NOW, level=log_level) as log:
        recorded = results or Results(log.entry)
        archive = Archive(level="default", mtime_seconds=1_700_000_000, threads=1)
        with ArchiveSink(archive, store, observer=Observer(), log=log) as sink:
            with held_items(
                _prepared(),
                backup=backup,
                client=NO_SERVER,
                sink=sink,
                results=recorded,
                log=log,
                clock=lambda: NOW,
            ) as held:
                intake = held.intake
                lists = collect(intake) if collect else [_list(intake, resource, body) for resource, body in pages]
            digest = sink.finish()
            commit(
                backup, digest, _prepared(), tuple(lists), results=recorded, log=log, store=store, clock=lambda: NOW,
                sink=sink, volumes=held.volumes.outcome,
            )  # fmt: skip
    return store


def _list(sink: PageIntake, resource: ApiResource, body: bytes) -> CollectedList:
    request = ListRequest(resource)
    page = sink.open(request, described=f"GET {request.path}", encoding=JSON, skip_items=0, skip_uid=None)
    page.feed(body)
    held_count = sink.take_held(request, page)
    sink.fed()
    summary = page.finish()
    sink.finished(request, summary)
    collected = CollectedList(request, spans=[Span("7")], item_count=summary.written_count + held_count, page_count=1)
    collected.add_left_out(summary.skipped, refused_count=summary.refused_count)
    return collected


def _prepared() -> Prepared:
    spec = BackupSpec()
    namespaces = select_namespaces(spec, existing=[], exclude_labelled=[])
    chosen = ResourceFilter.from_spec(spec, resolve=str, namespaces_everything=True)
    return Prepared((), Revision("7"), (), None, {}, namespaces, spec, Plan((), None, ()), {}, chosen)
