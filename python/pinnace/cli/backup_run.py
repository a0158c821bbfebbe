"""`pinnace backup run`: the flags of `velero backup create`, and how to run it from here."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pinnace.cli.filter_options import (
    Annotations,
    ClusterResources,
    Consistency,
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
    SnapshotLocations,
    SnapshotTimeout,
    SnapshotVolumes,
    Ttl,
)
from pinnace.cli.options import (
    CLUSTER,
    OUTPUT,
    Context,
    Format,
    Kubeconfig,
    ListEncoding,
    LogFormatOption,
    LogLevelOption,
    Name,
    StoreUrl,
    configure,
)
from pinnace.cli.output import Output, print_rows, show
from pinnace.hooks.allowed import AllowedHooks
from pinnace.store.part_sizes import MOST_STRETCHES

if TYPE_CHECKING:
    from pathlib import Path

    from pinnace.backup.run import Outcome
    from pinnace.backup.shard_makers import Sharding
    from pinnace.settings import Settings

__all__ = ["run"]


def run(
    name: Name,
    store: StoreUrl = None,
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
    snapshot_volumes: SnapshotVolumes = None,
    volume_snapshot_locations: SnapshotLocations = "",
    resource_policies_configmap: ResourcePolicies = "",
    csi_snapshot_timeout: SnapshotTimeout = "",
    from_file: FromFile = None,
    ttl: Ttl = "",
    labels: Labels = "",
    annotations: Annotations = "",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    consistency: Consistency = "revision",
    list_encoding: ListEncoding = "auto",
    client_page_size: Annotated[
        int | None,
        typer.Option(
            min=0,
            rich_help_panel=CLUSTER,
            help="Items a page, as 500; 0 is unpaged. Without it pages adapt to their cost.",
        ),
    ] = None,
    hooks: Annotated[
        AllowedHooks,
        typer.Option(
            rich_help_panel=CLUSTER,
            help="Commands to run in pods before and after: those of pods' annotations and spec.hooks, of spec.hooks, "
            "or none. One that may not be run is an error.",
        ),
    ] = AllowedHooks.ANNOTATIONS,
    shards: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_STRETCHES,
            rich_help_panel=CLUSTER,
            help="Processes that list and compress side by side, for clusters of millions of items; the archive is "
            "the same whatever their number.",
        ),
    ] = 1,
    compression: Annotated[
        Literal["fast", "default", "small"],
        typer.Option(rich_help_panel=OUTPUT, help="fast: the list sets the pace; small: the smallest archive."),
    ] = "default",
    output: Format = Output.TABLE,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Back up a cluster into a store; nothing needs to be installed in the cluster.

    Exit code 4 (PartiallyFailed): the backup is there, and its results name what is missing.
    """
    from pinnace.cli import backup_flags

    settings = configure(store=store, log_level=log_level, log_format=log_format)
    spec = backup_flags.spec_document(locals())
    backup = backup_flags.read_backup(name, spec=spec, labels=labels, annotations=annotations, from_file=from_file)
    backup, no_snapshots_because = backup_flags.with_snapshots_decided(backup)

    from pinnace.backup.run import RunOptions
    from pinnace.backup.run import run as run_backup
    from pinnace.cli.backup import open_backup
    from pinnace.cli.progress_display import RunDisplay
    from pinnace.kube.client import connect

    opened = open_backup(settings.store, name, for_writing=True)
    started = time.monotonic()
    with RunDisplay(settings) as display:
        outcome = run_backup(
            backup,
            client=connect(kubeconfig=kubeconfig, context=context),
            store=opened,
            options=RunOptions(
                consistency=consistency,
                client_page_size=client_page_size,
                list_encoding=list_encoding,
                level=compression,
                log_level=settings.stored_log_level,
                hooks=hooks,
                no_snapshots_because=no_snapshots_because,
                sharding=_sharding(
                    shards, settings=settings, backup_name=backup.name, kubeconfig=kubeconfig, context=context
                ),
            ),
            observer=display,
        )
    _show_outcome(outcome, output=output, seconds=time.monotonic() - started, location=opened.location)
    if settings.log_format == "text":
        _show_results(outcome)
    if outcome.results.error_count:
        raise typer.Exit(4)


def _sharding(
    count: int, *, settings: "Settings", backup_name: str, kubeconfig: "Path | None", context: str | None
) -> "Sharding | None":
    """Say how a shard's process is started: with what this one was told of store, cluster and log."""
    from functools import partial

    from pinnace.backup.shard_makers import Sharding
    from pinnace.backup.shard_processes import ShardProcesses

    if count == 1:
        return None
    told = {
        "--store": settings.store,
        "--kubeconfig": str(kubeconfig) if kubeconfig else None,
        "--context": context,
        "--log-level": settings.log_level,
        "--log-format": settings.log_format,
    }
    flags = [part for flag, value in told.items() if value for part in (flag, value)]
    command = (sys.executable, "-m", "pinnace.cli.main", "backup", "shard", backup_name, *flags)
    return Sharding(count, partial(ShardProcesses, command=command))


def _show_outcome(outcome: "Outcome", *, output: Output, seconds: float, location: str) -> None:
    """Print the Backup for programs, or a table for people."""
    from pinnace.cli.outcome import outcome_rows

    rows = outcome_rows(outcome, seconds=seconds, location=location)
    show(outcome.backup.to_document(), output=output, rows=rows, has_header=False)


def _show_results(outcome: "Outcome") -> None:
    """Print errors and warnings to stderr, whatever goes to stdout; as JSON they were log lines already."""
    from pinnace.cli import human
    from pinnace.cli.outcome import result_rows

    entries = outcome.results.entries()
    for severity in ("error", "warning"):
        print_rows(list(result_rows([entry for entry in entries if entry.severity == severity])), file=sys.stderr)
    if outcome.results.error_count:
        errors = human.counted(outcome.results.error_count, "error")
        print(f"the backup is there, but not whole: {errors}, listed above", file=sys.stderr)
