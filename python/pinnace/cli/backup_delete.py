"""`pinnace backup delete`: asks the dispatcher of a cluster to delete backups with all that they have."""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnace import interruption
from pinnace.cli.filter_options import Selector
from pinnace.cli.options import Context, Format, Kubeconfig, Namespace, configure
from pinnace.cli.output import Output, show

if TYPE_CHECKING:
    from pinnace.kube.client import Client

__all__ = ["delete"]

_PAUSE_SECONDS = 0.5


def delete(
    names: Annotated[list[str] | None, typer.Argument(help="The backups.", metavar="NAME")] = None,
    all_backups: Annotated[bool, typer.Option("--all", help="All backups of the cluster.")] = False,
    selector: Selector = "",
    confirm: Annotated[bool, typer.Option("--confirm", help="Do not ask whether you are sure.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Wait until they are gone; exit code 1 where one is not.")
    ] = False,
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
) -> None:
    """Delete backups with their objects in the bucket, their snapshots and their Restores.

    `kubectl delete backup` deletes no data: the next look at the bucket brings the Backup back.
    """
    configure(store=None)

    from pinnace.errors import UsageError
    from pinnace.kube.client import connect

    if sum((bool(names), all_backups, bool(selector))) != 1:
        raise UsageError("backup delete: give names, or --selector, or --all")
    client = connect(kubeconfig=kubeconfig, context=context)
    backups = _chosen(client, names or (), selector=selector, namespace=namespace)
    if not backups:
        print("No backups found", file=sys.stderr)
        return
    if not confirm:
        chosen = ", ".join(str(backup["metadata"]["name"]) for backup in backups)
        typer.confirm(f"Delete {chosen} with all of their data?", abort=True, err=True)
    requests = [_request(client, backup, namespace=namespace) for backup in backups]
    if output is Output.TABLE:
        for backup in backups:
            print(f'Request to delete backup "{backup["metadata"]["name"]}" submitted successfully.')
    else:
        show(requests, output=output, rows=[])
    with interruption.meaning("only the waiting: the deletion goes on in the cluster"):
        if wait and [request for request in requests if not _is_gone(client, request, namespace=namespace)]:
            raise typer.Exit(1)


def _chosen(client: "Client", names: Any, *, selector: str, namespace: str) -> list[dict[str, Any]]:
    from pinnace.errors import ItemNotFoundError
    from pinnace.kube.kinds import BACKUPS
    from pinnace.kube.objects import Objects

    backups = Objects(client, BACKUPS, namespace=namespace)
    if not names:
        return backups.list(label_selector=selector)
    found = {name: backups.get(name) for name in names}
    if missing := [name for name, backup in found.items() if backup is None]:
        raise ItemNotFoundError(f"namespace {namespace}: no Backup {', '.join(missing)}; nothing was deleted")
    return [backup for backup in found.values() if backup is not None]


def _request(client: "Client", backup: Mapping[str, Any], *, namespace: str) -> dict[str, Any]:
    """Create a request as the `velero` CLI does: its labels say which Backup is meant, should another get its name."""
    from pinnace.kube.kinds import DELETE_BACKUP_REQUESTS
    from pinnace.velero.delete_request import delete_request

    path = DELETE_BACKUP_REQUESTS.path(namespace=namespace)
    made: dict[str, Any] = client.send("POST", path, body=delete_request(backup))
    return made


def _is_gone(client: "Client", request: Mapping[str, Any], *, namespace: str) -> bool:
    """Wait until the dispatcher has taken the request away, which it does when all is gone."""
    name, backup_name = str(request["metadata"]["name"]), request["spec"]["backupName"]
    from pinnace.kube.kinds import DELETE_BACKUP_REQUESTS
    from pinnace.kube.objects import Objects

    requests = Objects(client, DELETE_BACKUP_REQUESTS, namespace=namespace)
    while (now := requests.get(name)) is not None:
        status = now.get("status") or {}
        if status.get("phase") == "Processed" and status.get("errors"):
            for error in status["errors"]:
                print(f"backup {backup_name}: {error}", file=sys.stderr)
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
