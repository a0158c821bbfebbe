"""`pinnace schedule`: the Schedules of a cluster, listed, made, paused and deleted, as by `velero schedule`."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnace.cli import human
from pinnace.cli.filter_options import (
    Annotations,
    ClusterResources,
    ExcludeClusterScoped,
    ExcludeNamespaces,
    ExcludeNamespaceScoped,
    ExcludeResources,
    FromFile,
    IncludeClusterScoped,
    IncludeNamespaces,
    IncludeNamespaceScoped,
    IncludeResources,
    Labels,
    OrderedResources,
    OrSelector,
    ResourcePolicies,
    Selector,
    ServerSnapshotVolumes,
    SnapshotLocations,
    SnapshotTimeout,
    StorageLocation,
    Ttl,
)
from pinnace.cli.help import GroupedCommand
from pinnace.cli.options import Context, Format, Kubeconfig, Namespace, configure
from pinnace.cli.output import Output, show

if TYPE_CHECKING:
    from pinnace.kube.objects import Objects

__all__ = ["app"]

SCHEDULE = "Schedule"
app = typer.Typer(name="schedule", no_args_is_help=True, help="Make backups by the clock: list, make, pause, delete.")

Name = Annotated[str, typer.Argument(help="The schedule's name.", metavar="NAME")]
Names = Annotated[list[str] | None, typer.Argument(help="The schedules.", metavar="NAME")]
All = Annotated[bool, typer.Option("--all", help="All schedules of the cluster.")]
ItsLabels = Annotated[str, typer.Option("--selector", "-l", help="Those with these labels, as team=shop.")]
SkipImmediately = Annotated[
    bool | None,
    typer.Option(
        "--skip-immediately/--no-skip-immediately",
        rich_help_panel=SCHEDULE,
        help="Leave out, or make, what is due when it begins; without it the dispatcher's setting decides.",
    ),
]


def _objects(*, namespace: str, kubeconfig: Path | None, context: str | None) -> "Objects":
    from pinnace.kube.client import connect
    from pinnace.kube.kinds import SCHEDULES
    from pinnace.kube.objects import Objects

    configure(store=None)
    return Objects(connect(kubeconfig=kubeconfig, context=context), SCHEDULES, namespace=namespace)


def _chosen(
    schedules: "Objects", names: list[str] | None, *, everything: bool = False, selector: str = "", verb: str = ""
) -> list[dict[str, Any]]:
    """Those named, or with these labels, or all; with a verb one of these must be said."""
    from pinnace.errors import ItemNotFoundError, UsageError

    if verb and sum((bool(names), everything, bool(selector))) != 1:
        raise UsageError(f"schedule {verb}: give names, or --selector, or --all")
    found = {str(document["metadata"]["name"]): document for document in schedules.list(label_selector=selector)}
    if missing := [name for name in names or () if name not in found]:
        raise ItemNotFoundError(f"no Schedule {', '.join(missing)}" + ("; nothing was changed" if verb else ""))
    return [found[name] for name in names or sorted(found)]


@app.command(cls=GroupedCommand)
def get(
    names: Names = None,
    selector: ItsLabels = "",
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
) -> None:
    """List the schedules of a cluster, with the columns of `velero schedule get`."""
    schedules = _objects(namespace=namespace, kubeconfig=kubeconfig, context=context)
    documents = _chosen(schedules, names, selector=selector)
    show(documents, output=output, rows=[_row(document, now=datetime.now(UTC)) for document in documents])


def _row(schedule: Mapping[str, Any], *, now: datetime) -> dict[str, object]:
    spec, status = schedule.get("spec") or {}, schedule.get("status") or {}
    template = spec.get("template") or {}
    return {
        "NAME": schedule["metadata"]["name"],
        "STATUS": status.get("phase") or "New",
        "CREATED": human.created_at(str(schedule["metadata"].get("creationTimestamp") or "")),
        "SCHEDULE": spec.get("schedule") or "",
        "BACKUP TTL": template.get("ttl") or "0s",
        "LAST BACKUP": human.from_now(str(status.get("lastBackup") or ""), now=now),
        "SELECTOR": human.selector(template.get("labelSelector")),
        "PAUSED": str(bool(spec.get("paused"))).lower(),
    }


@app.command(cls=GroupedCommand)
def create(
    name: Name,
    schedule: Annotated[
        str,
        typer.Option(
            rich_help_panel=SCHEDULE,
            help="Five cron fields in UTC, as '0 2 * * *', or '@every 6h', '@daily' and the like; "
            "'CRON_TZ=Europe/Berlin 0 2 * * *' names a time zone.",
        ),
    ],
    include_namespaces: IncludeNamespaces = None,
    exclude_namespaces: ExcludeNamespaces = None,
    include_resources: IncludeResources = None,
    exclude_resources: ExcludeResources = None,
    include_cluster_scoped_resources: IncludeClusterScoped = None,
    exclude_cluster_scoped_resources: ExcludeClusterScoped = None,
    include_namespace_scoped_resources: IncludeNamespaceScoped = None,
    exclude_namespace_scoped_resources: ExcludeNamespaceScoped = None,
    include_cluster_resources: ClusterResources = None,
    selector: Selector = "",
    or_selector: OrSelector = "",
    ordered_resources: OrderedResources = "",
    snapshot_volumes: ServerSnapshotVolumes = None,
    volume_snapshot_locations: SnapshotLocations = "",
    resource_policies_configmap: ResourcePolicies = "",
    csi_snapshot_timeout: SnapshotTimeout = "",
    from_file: FromFile = None,
    ttl: Ttl = "",
    labels: Labels = "",
    annotations: Annotations = "",
    storage_location: StorageLocation = "",
    use_owner_references_in_backup: Annotated[
        bool,
        typer.Option(
            "--use-owner-references-in-backup",
            rich_help_panel=SCHEDULE,
            help="Let the Schedule own its Backups: they are deleted from the cluster with it, and synced anew.",
        ),
    ] = False,
    paused: Annotated[
        bool, typer.Option("--paused", rich_help_panel=SCHEDULE, help="Make none before it is unpaused.")
    ] = False,
    skip_immediately: SkipImmediately = None,
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
) -> None:
    """Make a Schedule, with the flags of `velero schedule create`; labels and annotations go on to its backups."""
    from pinnace.cli import backup_flags
    from pinnace.errors import UsageError
    from pinnace.velero.cron import parse_cron

    spec = backup_flags.spec_document(locals())
    backup = backup_flags.read_backup(name, spec=spec, labels=labels, annotations=annotations, from_file=from_file)
    try:
        parse_cron(schedule)
    except UsageError as error:
        raise UsageError(f"--schedule: {error}") from error
    template = backup.spec.to_document() | ({"storageLocation": storage_location} if storage_location else {})
    document: dict[str, Any] = {
        "apiVersion": "velero.io/v1",
        "kind": "Schedule",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(backup.labels),
            "annotations": dict(backup.annotations),
        },
        "spec": {
            "schedule": schedule,
            "template": template,
            "useOwnerReferencesInBackup": use_owner_references_in_backup,
            "paused": paused,
            **({} if skip_immediately is None else {"skipImmediately": skip_immediately}),
        },
    }
    schedules = _objects(namespace=namespace, kubeconfig=kubeconfig, context=context)
    if not schedules.create(document):
        raise UsageError(f"schedule create: namespace {namespace} has a Schedule {name} already; choose another name")
    if output is Output.TABLE:
        print(f'Schedule "{name}" created successfully.')
    show(schedules.get(name) or document, output=output, rows=[])


@app.command(cls=GroupedCommand)
def pause(
    names: Names = None,
    everything: All = False,
    selector: ItsLabels = "",
    skip_immediately: SkipImmediately = None,
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Make no more backups for now; those that are due meanwhile are made up for by one when it is unpaused."""
    schedules = _objects(namespace=namespace, kubeconfig=kubeconfig, context=context)
    chosen = _chosen(schedules, names, everything=everything, selector=selector, verb="pause")
    _set_paused(schedules, chosen, paused=True, skip_immediately=skip_immediately)


@app.command(cls=GroupedCommand)
def unpause(
    names: Names = None,
    everything: All = False,
    selector: ItsLabels = "",
    skip_immediately: SkipImmediately = None,
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Go on; what became due meanwhile is made at once, unless --skip-immediately leaves it out."""
    schedules = _objects(namespace=namespace, kubeconfig=kubeconfig, context=context)
    chosen = _chosen(schedules, names, everything=everything, selector=selector, verb="unpause")
    _set_paused(schedules, chosen, paused=False, skip_immediately=skip_immediately)


def _set_paused(
    schedules: "Objects", chosen: list[dict[str, Any]], *, paused: bool, skip_immediately: bool | None
) -> None:
    if not chosen:
        print("No schedules found", file=sys.stderr)
    word = "paused" if paused else "unpaused"
    for schedule in chosen:
        name, spec = str(schedule["metadata"]["name"]), schedule.get("spec") or {}
        if bool(spec.get("paused")) is paused:
            print(f"Schedule {name} is already {word}, skip")
            continue
        patch: dict[str, Any] = {"paused": paused}
        if skip_immediately is not None:
            patch["skipImmediately"] = skip_immediately
        schedules.merge_patch(name, {"spec": patch})
        print(f"Schedule {name} {word} successfully")


@app.command(cls=GroupedCommand)
def delete(
    names: Names = None,
    everything: All = False,
    selector: ItsLabels = "",
    confirm: Annotated[bool, typer.Option("--confirm", help="Do not ask whether you are sure.")] = False,
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Delete schedules; their backups stay until they expire."""
    schedules = _objects(namespace=namespace, kubeconfig=kubeconfig, context=context)
    chosen = _chosen(schedules, names, everything=everything, selector=selector, verb="delete")
    if not chosen:
        print("No schedules found", file=sys.stderr)
        return
    if not confirm:
        shown = ", ".join(str(schedule["metadata"]["name"]) for schedule in chosen)
        typer.confirm(f"Delete schedule {shown}?", abort=True, err=True)
    for schedule in chosen:
        schedules.delete(schedule["metadata"]["name"], uid=schedule["metadata"]["uid"])
        print(f"Schedule deleted: {schedule['metadata']['name']}")
