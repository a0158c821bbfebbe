"""`pinnace backup create`: makes a Backup in a cluster, whose dispatcher then sends out a Job, as `velero` does."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnace.cli.filter_options import (
    BACKUP,
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
from pinnace.cli.options import Context, Format, Kubeconfig, Namespace, configure
from pinnace.cli.output import Output, show
from pinnace.errors import ItemNotFoundError, UsageError

if TYPE_CHECKING:
    from pinnace.kube.client import Client

__all__ = ["create"]


def create(
    name: Annotated[
        str, typer.Argument(help="The backup's name; may be left out with --from-schedule.", metavar="NAME")
    ] = "",
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
    from_schedule: Annotated[
        str,
        typer.Option(rich_help_panel=BACKUP, help="The Schedule whose template is taken; no filter flags then."),
    ] = "",
    from_file: FromFile = None,
    ttl: Ttl = "",
    labels: Labels = "",
    annotations: Annotations = "",
    storage_location: StorageLocation = "",
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Show its progress until it ends, as `pinnace backup watch` does.")
    ] = False,
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
) -> None:
    """Ask the dispatcher of a cluster for a backup; `pinnace backup run` makes one from here instead.

    With --wait the exit code says how it ended, as that of `run`.
    """
    from pinnace.cli import backup_flags

    settings = configure(store=None)
    if not name and not from_schedule:
        raise UsageError("backup create: give a NAME, or --from-schedule")
    spec = backup_flags.spec_document(locals())
    if from_schedule and (spec or from_file):
        raise UsageError(f"--from-schedule {from_schedule}: it has the whole spec; leave out filters and --from-file")
    backup = backup_flags.read_backup(name, spec=spec, labels=labels, annotations=annotations, from_file=from_file)

    from pinnace.cli.backup_watch import exit_code_of, follow, show_end
    from pinnace.kube.client import connect
    from pinnace.kube.kinds import BACKUPS
    from pinnace.kube.objects import Objects

    client = connect(kubeconfig=kubeconfig, context=context)
    document = backup.to_document()
    del document["status"]
    document["metadata"]["namespace"] = namespace
    if from_schedule:
        document = _of_schedule(client, from_schedule, document)
    if storage_location:
        document["spec"]["storageLocation"] = storage_location
    name = str(document["metadata"]["name"])
    backups = Objects(client, BACKUPS, namespace=namespace)
    if not backups.create(document):
        raise UsageError(f"backup create: namespace {namespace} has a Backup {name} already; choose another name")
    if output is Output.TABLE:
        print(f'Backup request "{name}" submitted successfully.')
    if wait:
        ended = follow(backups, name, settings=settings, namespace=namespace)
        show_end(ended, output=output)
        raise typer.Exit(exit_code_of(ended))
    show(backups.get(name) or document, output=output, rows=[])
    if output is Output.TABLE:
        print(f"Run `pinnace backup watch {name} --namespace {namespace}` to see how far it is.")


def _of_schedule(client: "Client", schedule_name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Make the Backup that a Schedule would make now, under the name and with the labels that were asked for."""
    from pinnace.kube.kinds import SCHEDULES
    from pinnace.kube.objects import Objects
    from pinnace.velero.schedule import made_backup

    wanted = asked["metadata"]
    schedule = Objects(client, SCHEDULES, namespace=wanted["namespace"]).get(schedule_name)
    if schedule is None:
        raise ItemNotFoundError(f"namespace {wanted['namespace']}: no Schedule {schedule_name}")
    document = made_backup(schedule, datetime.now(UTC))
    metadata = document["metadata"]
    metadata["name"] = wanted.get("name") or metadata["name"]
    for key in ("labels", "annotations"):
        metadata[key] = {**(metadata.get(key) or {}), **(wanted.get(key) or {})}
    return document
