"""`pinnace backup shard`: what `pinnace backup run --shards` starts for each shard but its own; people run that."""

import typer

from pinnace.cli.options import Context, Kubeconfig, LogFormatOption, LogLevelOption, Name, StoreUrl, configure
from pinnace.errors import InterruptedRun, PinnaceError

__all__ = ["shard"]


def shard(
    name: Name,
    store: StoreUrl = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Make one shard of a backup: its order is read from standard input, and what it comes to written to stdout.

    It stops when its standard input ends, since then the run is gone that wanted it.
    """
    settings = configure(store=store, log_level=log_level, log_format=log_format)

    from pinnace import interruption
    from pinnace.backup.shard import make_shard
    from pinnace.backup.shard_pipe import ShardPipe
    from pinnace.cli.backup import open_backup
    from pinnace.kube.client import connect

    pipe = ShardPipe()
    order = pipe.read_order()
    try:
        with interruption.deferred():
            made = make_shard(
                order,
                client=connect(kubeconfig=kubeconfig, context=context),
                store=open_backup(settings.store, name),
                observer=pipe,
            )
    except InterruptedRun as error:
        raise typer.Exit(error.exit_code) from error
    except PinnaceError as error:
        pipe.failed(error)
        raise typer.Exit(error.exit_code) from error
    pipe.made(made)
