"""`pinnace backup create`: makes a Backup in a cluster, whose dispatcher then sends out a Job, as `velero` does."""

from typing import Annotated

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
    Selector,
    Ttl,
)
from pinnace.cli.options import Context, Format, Kubeconfig, Name, Namespace, configure
from pinnace.cli.output import Output, show

__all__ = ["create"]


def create(
    name: Name,
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
    from_file: FromFile = None,
    ttl: Ttl = "",
    labels: Labels = "",
    annotations: Annotations = "",
    storage_location: Annotated[
        str, typer.Option(rich_help_panel=BACKUP, help="The location; without it the cluster's default.")
    ] = "",
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
    spec = backup_flags.spec_document(locals())
    backup = backup_flags.read_backup(name, spec=spec, labels=labels, annotations=annotations, from_file=from_file)

    from pinnace.cli.backup_watch import exit_code_of, follow, show_end
    from pinnace.errors import UsageError
    from pinnace.kube.client import connect
    from pinnace.kube.kinds import BACKUPS
    from pinnace.kube.objects import Objects

    document = backup.to_document()
    del document["status"]
    document["metadata"]["namespace"] = namespace
    if storage_location:
        document["spec"]["storageLocation"] = storage_location
    backups = Objects(connect(kubeconfig=kubeconfig, context=context), BACKUPS, namespace=namespace)
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
