"""The command `pinnace`: mounts the nouns, and turns every error into one sentence and an exit code."""

import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pinnace import interruption
from pinnace.cli import backup, bench, cluster, install, location, schedule
from pinnace.cli.dispatcher import dispatcher
from pinnace.cli.help import HELP_WIDTH, GroupedCommand
from pinnace.cli.output import Output, show
from pinnace.errors import InterruptedRun, PinnaceError
from pinnace.settings import Settings

__all__ = ["app", "main"]

_AS_PLUGIN = "kubectl pinnace"
"""What people have typed where kubectl runs us."""

app = typer.Typer(
    name="pinnace",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP_WIDTH,
    help="Backups of a Kubernetes cluster's objects in Velero's format, in fixed memory.",
)
app.add_typer(backup.app)
app.add_typer(schedule.app)
app.add_typer(location.app)
app.add_typer(cluster.app)
app.add_typer(bench.app)
app.command(cls=GroupedCommand)(dispatcher)
app.command(name="install", cls=GroupedCommand)(install.install)


@app.command()
def version(output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.TABLE) -> None:
    """Print version, commit, how it was built, and what it runs on."""
    import platform
    from importlib import metadata

    from pinnace import engine

    document = {
        **dict(sorted(engine.build_info().items())),
        "version": metadata.version("pinnace"),
        "python": platform.python_version(),
        "kubernetes_client": metadata.version("kubernetes"),
    }
    show(document, output=output, rows=[{"what": key, "value": value} for key, value in document.items()])


def main() -> None:
    """Run the command; exit codes stand in the README."""
    interruption.install()
    try:
        Settings.read(os.environ)
        app(prog_name=_AS_PLUGIN if Path(sys.argv[0]).name == "kubectl-pinnace" else None)
    except (PinnaceError, InterruptedRun) as error:
        print(f"error: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(f"       {note}", file=sys.stderr)
        sys.exit(error.exit_code)
    finally:
        interruption.ignore()
        # What is left is the system's to take back: looking through it for garbage takes Python 0.1 s at its end.
        gc.freeze()


if __name__ == "__main__":
    main()
