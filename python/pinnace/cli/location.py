"""`pinnace location`: the BackupStorageLocations of a cluster, and whether a bucket can do what backups need."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnace.cli import human
from pinnace.cli.help import GroupedCommand
from pinnace.cli.options import Context, Format, Kubeconfig, Namespace, StoreUrl, configure
from pinnace.cli.output import Output, show

if TYPE_CHECKING:
    from pinnace.store.object_store import ObjectStore

__all__ = ["app"]

app = typer.Typer(name="location", no_args_is_help=True, help="Look at locations, and check what their buckets can do.")


@app.command(cls=GroupedCommand)
def get(
    names: Annotated[list[str] | None, typer.Argument(help="Only these.", metavar="NAME")] = None,
    selector: Annotated[str, typer.Option("--selector", "-l", help="Those with these labels, as team=shop.")] = "",
    default: Annotated[bool, typer.Option("--default", help="Only the default one.")] = False,
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
) -> None:
    """List the locations of a cluster, with the columns of `velero backup-location get`."""
    configure(store=None)

    from pinnace.errors import ItemNotFoundError
    from pinnace.kube.client import connect
    from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS
    from pinnace.kube.objects import Objects

    objects = Objects(connect(kubeconfig=kubeconfig, context=context), BACKUP_STORAGE_LOCATIONS, namespace=namespace)
    found = {str(document["metadata"]["name"]): document for document in objects.list(label_selector=selector)}
    if missing := [name for name in names or () if name not in found]:
        raise ItemNotFoundError(f"namespace {namespace}: no BackupStorageLocation {', '.join(missing)}")
    documents = [
        found[name] for name in names or sorted(found) if not default or (found[name].get("spec") or {}).get("default")
    ]
    show(documents, output=output, rows=[_row(document) for document in documents])


def _row(location: Mapping[str, Any]) -> dict[str, object]:
    spec, status = location.get("spec") or {}, location.get("status") or {}
    storage = spec.get("objectStorage") or {}
    prefix = str(storage.get("prefix") or "")
    validated = str(status.get("lastValidationTime") or "")
    return {
        "NAME": location["metadata"]["name"],
        "PROVIDER": spec.get("provider") or "",
        "BUCKET/PREFIX": str(storage.get("bucket") or "") + (f"/{prefix}" if prefix else ""),
        "PHASE": status.get("phase") or "Unknown",
        "LAST VALIDATED": human.created_at(validated) if validated else "Unknown",
        "ACCESS MODE": spec.get("accessMode") or "ReadWrite",
        "DEFAULT": "true" if spec.get("default") else "",
    }


@app.command(cls=GroupedCommand)
def check(
    name: Annotated[str, typer.Argument(help="A location of the cluster; or give --store.", metavar="NAME")] = "",
    store: StoreUrl = None,
    namespace: Namespace = "velero",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
) -> None:
    """Try everything that backups do to a bucket, and name the right that is missing where one fails.

    For a location of the cluster its Secret is read, by your own rights. What is written is deleted again.
    Exit code 1: something that backups need does not work.
    """
    settings = configure(store=store)

    from pinnace.errors import UsageError
    from pinnace.store.capabilities import Result, capabilities
    from pinnace.store.open import open_store

    if bool(name) == bool(store) and (name or not settings.store):
        raise UsageError("location check: give either a location's NAME or --store")
    if name:
        with _location(name, namespace=namespace, kubeconfig=kubeconfig, context=context) as (opened, is_read_only):
            found = list(capabilities(opened, is_read_only=is_read_only))
    else:
        opened, is_read_only = open_store(settings.store), False
        found = list(capabilities(opened))
    documents = [{"check": each.name, "right": each.right, "result": each.result.value, "detail": each.detail}
                 for each in found]  # fmt: skip
    show(documents, output=output, rows=[{key.upper(): value for key, value in row.items()} for row in documents])
    if output is Output.TABLE and is_read_only:
        print(f"{opened.location} is a read-only location: nothing was written")
    if any(each.result is Result.FAILS for each in found):
        raise typer.Exit(1)


@contextmanager
def _location(
    name: str, *, namespace: str, kubeconfig: Path | None, context: str | None
) -> "Iterator[tuple[ObjectStore, bool]]":
    """Its store, and whether it is read-only; what its Secret holds is in a file for as long as that lasts."""
    from pinnace.dispatcher.locations import Locations
    from pinnace.errors import ItemNotFoundError
    from pinnace.kube.client import connect
    from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS
    from pinnace.kube.objects import Objects

    client = connect(kubeconfig=kubeconfig, context=context)
    document = Objects(client, BACKUP_STORAGE_LOCATIONS, namespace=namespace).get(name)
    if document is None:
        raise ItemNotFoundError(f"namespace {namespace}: no BackupStorageLocation {name}")
    with Locations(client, namespace=namespace) as locations:
        yield locations.open_document(document), (document.get("spec") or {}).get("accessMode") == "ReadOnly"
