"""`pinnace backup watch`: follows a Backup of a cluster to its end."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnace import interruption
from pinnace.cli.options import OUTPUT, Context, Format, Kubeconfig, Name, Namespace, configure
from pinnace.cli.output import Output, show

if TYPE_CHECKING:
    from pinnace.kube.objects import Objects
    from pinnace.settings import Settings

__all__ = ["exit_code_of", "follow", "show_end", "watch"]

_PAUSE_SECONDS = 1.0
"""As often as a Job writes its progress."""

_EXIT_CODES: Mapping[str, int] = {"Completed": 0, "PartiallyFailed": 4, "FailedValidation": 3, "Failed": 1}


def watch(
    name: Name,
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
    quiet: Annotated[
        bool, typer.Option("--quiet", rich_help_panel=OUTPUT, help="No progress, only how it ended.")
    ] = False,
) -> None:
    """Show how far a Backup's Job is, until it ends; the exit code says how, as that of `pinnace backup run`.

    Ctrl-C ends only the watching.
    """
    settings = configure(store=None)

    from pinnace.kube.client import connect
    from pinnace.kube.kinds import BACKUPS
    from pinnace.kube.objects import Objects

    backups = Objects(connect(kubeconfig=kubeconfig, context=context), BACKUPS, namespace=namespace)
    backup = follow(backups, name, settings=settings, namespace=namespace, is_quiet=quiet)
    show_end(backup, output=output)
    raise typer.Exit(exit_code_of(backup))


def follow(
    backups: "Objects", name: str, *, settings: "Settings", namespace: str, is_quiet: bool = False
) -> dict[str, Any]:
    """Give the Backup once it has its last phase; ItemNotFoundError where it is not there, or not any more."""
    from contextlib import nullcontext

    from pinnace.cli.progress_display import WatchDisplay
    from pinnace.errors import ItemNotFoundError

    goes_on = interruption.meaning(f"only the watching: backup {name} goes on in the cluster")
    with goes_on, nullcontext() if is_quiet else WatchDisplay(settings, name=name) as display:
        while (backup := backups.get(name)) is not None:
            phase, status = _phase(backup), backup.get("status") or {}
            if phase in _EXIT_CODES:
                return backup
            if display is not None:
                progress = status.get("progress") or {}
                display.seen(
                    phase=phase,
                    done=int(progress.get("itemsBackedUp") or 0),
                    total=int(progress.get("totalItems") or 0),
                    note=_note(status),
                )
            time.sleep(_PAUSE_SECONDS)
    raise ItemNotFoundError(f"namespace {namespace}: no Backup {name}; `kubectl get backups.velero.io` lists them")


def _note(status: Mapping[str, Any]) -> str:
    if position := status.get("queuePosition"):
        return f"place {position} in the queue"
    return str(status.get("failureReason") or "")


def _phase(backup: Mapping[str, Any]) -> str:
    return str((backup.get("status") or {}).get("phase") or "New")


def exit_code_of(backup: Mapping[str, Any]) -> int:
    """The code of its phase, those of `pinnace backup run`."""
    return _EXIT_CODES.get(_phase(backup), 0)


def show_end(backup: Mapping[str, Any], *, output: Output) -> None:
    """Print how a Backup ended."""
    status = backup.get("status") or {}
    rows: list[dict[str, object]] = [
        {"what": "backup", "value": backup["metadata"]["name"]},
        {"what": "phase", "value": _phase(backup)},
        {"what": "items", "value": (status.get("progress") or {}).get("itemsBackedUp") or 0},
        {"what": "errors", "value": status.get("errors") or 0},
        {"what": "warnings", "value": status.get("warnings") or 0},
    ]
    if status.get("failureReason"):
        rows.append({"what": "reason", "value": status["failureReason"]})
    rows += [{"what": "refused", "value": error} for error in status.get("validationErrors") or ()]
    show(backup, output=output, rows=rows, has_header=False)
