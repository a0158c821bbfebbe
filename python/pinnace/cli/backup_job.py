"""`pinnace backup job`: what the Job's container runs; people run `pinnace backup run`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pinnace.cli.options import (
    CLUSTER,
    OUTPUT,
    ListEncoding,
    LogFormatOption,
    LogLevel,
    LogLevelOption,
    Name,
    configure,
)
from pinnace.hooks.allowed import AllowedHooks
from pinnace.store.part_sizes import MOST_STRETCHES

__all__ = ["job"]


def job(
    name: Name,
    namespace: Annotated[
        str, typer.Option(envvar="PINNACE_NAMESPACE", rich_help_panel=CLUSTER, help="Where the Backup is.")
    ],
    backup_uid: Annotated[
        str, typer.Option(envvar="PINNACE_BACKUP_UID", rich_help_panel=CLUSTER, help="The Backup's uid.")
    ],
    attempt_id: Annotated[
        str, typer.Option(envvar="PINNACE_ATTEMPT_ID", rich_help_panel=CLUSTER, help="The pod's uid.")
    ],
    compression: Annotated[
        Literal["fast", "default", "small"],
        typer.Option(
            envvar="PINNACE_COMPRESSION",
            rich_help_panel=OUTPUT,
            help="fast: the list sets the pace; small: the smallest archive.",
        ),
    ] = "default",
    list_encoding: ListEncoding = "auto",
    hooks: Annotated[
        AllowedHooks,
        typer.Option(envvar="PINNACE_HOOKS", rich_help_panel=CLUSTER, help="Which hooks may be run in pods."),
    ] = AllowedHooks.OFF,
    csi_snapshots: Annotated[
        Literal["auto", "off"],
        typer.Option(
            envvar="PINNACE_CSI_SNAPSHOTS", rich_help_panel=CLUSTER, help="Whether CSI snapshots may be taken."
        ),
    ] = "off",
    shards: Annotated[
        int,
        typer.Option(
            envvar="PINNACE_SHARDS",
            min=1,
            max=MOST_STRETCHES,
            rich_help_panel=CLUSTER,
            help="Pods that make the backup together.",
        ),
    ] = 1,
    index: Annotated[
        int,
        typer.Option(
            envvar="JOB_COMPLETION_INDEX",
            min=0,
            max=MOST_STRETCHES - 1,
            rich_help_panel=CLUSTER,
            help="Which of them this is: 0 makes the backup, the others each a shard of it.",
        ),
    ] = 0,
    termination_log: Annotated[
        Path, typer.Option(rich_help_panel=OUTPUT, help="The container's terminationMessagePath.")
    ] = Path("/dev/termination-log"),
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Make one Backup that the dispatcher has marked InProgress, or a shard of one; its Job runs this.

    Exit code 75: what ended it may be mended by itself, and the Job makes another attempt.
    """
    settings = configure(store=None, log_level=log_level or LogLevel.INFO, log_format=log_format)

    from functools import partial

    from pinnace.backup.run import RunOptions
    from pinnace.backup.shard_makers import Sharding
    from pinnace.backup.shard_pods import ShardPods
    from pinnace.entrypoint.job_process import JobProcess
    from pinnace.entrypoint.shard_process import ShardProcess
    from pinnace.entrypoint.surroundings import JobSurroundings
    from pinnace.kube.client import connect

    surroundings = JobSurroundings(
        namespace=namespace,
        backup_name=name,
        backup_uid=backup_uid,
        attempt_id=attempt_id,
        termination_log=termination_log,
    )
    if index:
        raise typer.Exit(ShardProcess(connect(), surroundings, number=index).run())
    process = JobProcess(
        connect(),
        surroundings,
        options=RunOptions(
            list_encoding=list_encoding,
            level=compression,
            log_level=settings.stored_log_level,
            leaves_log=True,
            hooks=hooks,
            takes_csi_snapshots=csi_snapshots == "auto",
            sharding=Sharding(shards, partial(ShardPods, attempt_id=attempt_id)) if shards > 1 else None,
        ),
    )
    raise typer.Exit(process.run())
