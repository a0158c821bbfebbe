"""`pinnace dispatcher`: the process that sends out one Job per Backup."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pinnace import interruption
from pinnace.cli.options import LogFormatOption, LogLevel, LogLevelOption, configure
from pinnace.hooks.allowed import AllowedHooks
from pinnace.store.part_sizes import MOST_STRETCHES

__all__ = ["dispatcher"]


def dispatcher(
    namespace: Annotated[
        str, typer.Option(envvar="PINNACE_NAMESPACE", help="Where Backups, locations and Jobs are.")
    ] = "velero",
    job_image: Annotated[str, typer.Option(envvar="PINNACE_JOB_IMAGE", help="The image of the Jobs.")] = "",
    identity: Annotated[
        str, typer.Option(envvar="PINNACE_POD_NAME", help="This replica's name; the pod's name in a cluster.")
    ] = "",
    concurrent_backups: Annotated[
        int, typer.Option(min=1, help="How many Backups may run at once; others wait in phase Queued.")
    ] = 1,
    default_backup_storage_location: Annotated[
        str, typer.Option(help="The location of Backups that name none, if no location is marked as the default.")
    ] = "default",
    default_backup_ttl: Annotated[str, typer.Option(help="How long to keep Backups that do not say it.")] = "720h",
    backup_sync_period: Annotated[
        str, typer.Option(help="How often a bucket is looked at for Backups; 0 is never. A location may say otherwise.")
    ] = "1m",
    garbage_collection_frequency: Annotated[
        str, typer.Option(help="How often Backups are looked for that have expired.")
    ] = "1h",
    retention_guard: Annotated[
        bool,
        typer.Option(
            "--retention-guard/--no-retention-guard",
            help="Keep the last Completed backup of a schedule past its TTL while no newer one is Completed.",
        ),
    ] = True,
    schedule_skip_immediately: Annotated[
        bool,
        typer.Option(
            "--schedule-skip-immediately/--no-schedule-skip-immediately",
            help="Leave out what is due at once because a Schedule is new or was paused, if it does not say itself.",
        ),
    ] = False,
    job_memory: Annotated[str, typer.Option(help="Memory of a Job's pod; request and limit.")] = "192Mi",
    job_compression: Annotated[
        Literal["fast", "default", "small"], typer.Option(help="How hard Jobs compress, as of `pinnace backup run`.")
    ] = "default",
    job_list_encoding: Annotated[
        Literal["auto", "json", "protobuf"],
        typer.Option(help="How Jobs list built-in kinds, as of `pinnace backup run`."),
    ] = "auto",
    job_shards: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_STRETCHES,
            help="How many pods make each backup together, each with all of the memory; 1 is a plain Job.",
        ),
    ] = 1,
    job_service_account: Annotated[str, typer.Option(help="The service account of the Jobs.")] = "pinnace-backup",
    hooks: Annotated[
        AllowedHooks,
        typer.Option(
            envvar="PINNACE_HOOKS", help="Hooks that Jobs run: also of pods' annotations, of spec.hooks, none."
        ),
    ] = AllowedHooks.SPEC,
    hooks_service_account: Annotated[
        str, typer.Option(help="The service account of Jobs that may run hooks.")
    ] = "pinnace-backup-hooks",
    csi_snapshots: Annotated[
        Literal["auto", "off"],
        typer.Option(
            envvar="PINNACE_CSI_SNAPSHOTS",
            help="auto: Jobs take CSI snapshots where the cluster has their kinds and the Backup wants any.",
        ),
    ] = "auto",
    leader_election: Annotated[
        bool, typer.Option("--leader-election/--no-leader-election", help="Off only where one replica can ever run.")
    ] = True,
    health_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of /healthz and /readyz.")] = 8081,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of /metrics.")] = 8085,
    kubeconfig: Annotated[Path | None, typer.Option(help="As kubectl's; not needed in a pod.")] = None,
    context: Annotated[str | None, typer.Option(help="As kubectl's.")] = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Watch Backups and send out one isolated Job for each.

    Several replicas may run: one leads, by a Lease, and another takes over within 15 seconds.
    """
    configure(store=None, log_level=log_level or LogLevel.INFO, log_format=log_format)

    import socket

    from pinnace.dispatcher.dispatcher import Dispatcher, DispatcherSettings, UpkeepSettings
    from pinnace.dispatcher.job import JobSettings
    from pinnace.errors import UsageError
    from pinnace.kube.client import connect
    from pinnace.velero.duration import parse_duration, parse_frequency
    from pinnace.velero.server_defaults import ServerDefaults

    if not job_image:
        raise UsageError("--job-image: give the image of the Jobs, or set PINNACE_JOB_IMAGE")
    ttl_seconds = parse_duration(default_backup_ttl, field="--default-backup-ttl")
    gc_seconds = parse_frequency(garbage_collection_frequency, field="--garbage-collection-frequency")
    upkeep = UpkeepSettings(
        backup_sync_period_seconds=parse_duration(backup_sync_period, field="--backup-sync-period"),
        garbage_collection_seconds=gc_seconds,
        retention_guard=retention_guard,
        schedule_skip_immediately=schedule_skip_immediately,
    )
    settings = DispatcherSettings(
        job=JobSettings(
            namespace=namespace,
            image=job_image,
            memory=job_memory,
            compression=job_compression,
            list_encoding=job_list_encoding,
            shards=job_shards,
            service_account=job_service_account,
            hooks=hooks,
            hooks_service_account=hooks_service_account,
            csi_snapshots=csi_snapshots == "auto",
        ),
        identity=identity or socket.gethostname(),
        concurrent_backups=concurrent_backups,
        defaults=ServerDefaults(storage_location=default_backup_storage_location, backup_ttl_seconds=ttl_seconds),
        upkeep=upkeep,
        leader_election=leader_election,
        health_port=health_port,
        metrics_port=metrics_port,
    )
    with interruption.meaning("the dispatcher has stopped; Jobs go on, and so does the next dispatcher"):
        Dispatcher(connect(kubeconfig=kubeconfig, context=context), settings).run()
