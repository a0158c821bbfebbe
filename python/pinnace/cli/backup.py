"""`pinnace backup`: run a backup from here, and look at what a store holds."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnace.cli.output import Output, show
from pinnace.errors import UsageError

if TYPE_CHECKING:
    from pinnace.backup.run import Outcome
    from pinnace.store.backup_store import BackupStore
    from pinnace.velero.backup import Backup

__all__ = ["app"]

app = typer.Typer(name="backup", no_args_is_help=True, help="Make backups, list them, prove them, read from them.")

Name = Annotated[str, typer.Argument(help="The backup's name.")]
Store = Annotated[str, typer.Option(envvar="PINNACE_STORE", help="file:///path, the root of the backups.")]
Format = Annotated[Output, typer.Option("--output", "-o", help="How to print it.")]
Names = Annotated[list[str] | None, typer.Option(help="Names, globs allowed; comma-separated or repeated.")]


@app.command()
def run(
    name: Name,
    store: Store = "",
    include_namespaces: Names = None,
    exclude_namespaces: Names = None,
    include_resources: Names = None,
    exclude_resources: Names = None,
    include_cluster_scoped_resources: Names = None,
    exclude_cluster_scoped_resources: Names = None,
    include_namespace_scoped_resources: Names = None,
    exclude_namespace_scoped_resources: Names = None,
    include_cluster_resources: Annotated[
        bool | None, typer.Option("--include-cluster-resources/--no-include-cluster-resources")
    ] = None,
    selector: Annotated[str, typer.Option("--selector", "-l", help="Labels that items must have: a=b,c=d.")] = "",
    or_selector: Annotated[str, typer.Option(help="Selectors of which one must match: a=b or c=d.")] = "",
    ttl: Annotated[str, typer.Option(help="How long to keep it, as 720h0m0s.")] = "",
    ordered_resources: Annotated[str, typer.Option(help="Items to take first: pods=ns/a,ns/b;nodes=n.")] = "",
    labels: Annotated[str, typer.Option(help="Labels of the Backup: a=b,c=d.")] = "",
    from_file: Annotated[
        Path | None, typer.Option(help="A Backup manifest whose spec is taken; no filter flags then.")
    ] = None,
    kubeconfig: Annotated[Path | None, typer.Option(help="As kubectl's.")] = None,
    context: Annotated[str | None, typer.Option(help="As kubectl's.")] = None,
    consistency: Annotated[str, typer.Option(help="revision: all kinds at one; kind: each in itself.")] = "revision",
    client_page_size: Annotated[
        int | None, typer.Option(min=0, help="Items a page, 0 unpaged; adapts if not given.")
    ] = None,
    compression: Annotated[str, typer.Option(help="fast, default or small.")] = "default",
    output: Format = Output.TABLE,
) -> None:
    """Back up a cluster into a store, from here; nothing needs to be installed in the cluster."""
    from pinnace.backup.run import RunOptions
    from pinnace.backup.run import run as run_backup
    from pinnace.cli import backup_flags
    from pinnace.cli.progress_display import ProgressDisplay
    from pinnace.kube.client import connect

    spec: dict[str, Any] = backup_flags.spec_document(
        {key: value for key, value in locals().items() if key in backup_flags.FILTER_FLAGS}
    )
    if consistency not in ("revision", "kind"):
        raise UsageError(f"--consistency {consistency}: give revision or kind")
    if compression not in ("fast", "default", "small"):
        raise UsageError(f"--compression {compression}: give fast, default or small")
    backup = backup_flags.read_backup(name, spec=spec, labels=labels, from_file=from_file)
    with ProgressDisplay() as display:
        outcome = run_backup(
            backup,
            client=connect(kubeconfig=kubeconfig, context=context),
            store=_backup_store(store, name, for_writing=True),
            options=RunOptions(consistency=consistency, client_page_size=client_page_size, level=compression),
            observer=display,
        )
    _show_outcome(outcome, output=output)
    if outcome.results.error_count:
        raise typer.Exit(4)


def _show_outcome(outcome: "Outcome", *, output: Output) -> None:
    status = outcome.backup.status
    rows = [{"name": outcome.backup.name, **_row(outcome.backup), "archive": f"{outcome.digest.archive_bytes:,} bytes"}]
    show(outcome.backup.to_document(), output=output, rows=rows)
    for entry in outcome.results.entries():
        print(f"{entry.severity}:{entry.text}", file=sys.stderr)
    if status.errors:
        print(f"the backup is there, but {status.errors} errors say what it lacks", file=sys.stderr)


def _backup_store(url: str, name: str, *, for_writing: bool = False) -> "BackupStore":
    from pinnace.store.backup_store import BackupStore
    from pinnace.store.open import open_store

    store = open_store(url)
    if for_writing:
        store.prepare()
    return BackupStore(store, name)


def _row(backup: "Backup") -> dict[str, object]:
    status = backup.status
    return {
        "phase": status.phase,
        "errors": status.errors,
        "warnings": status.warnings,
        "items": status.items_backed_up,
        "started": status.start_timestamp,
        "expires": status.expiration,
    }


def _read(store: "BackupStore") -> "Backup":
    import orjson

    from pinnace.velero.backup import Backup

    return Backup.from_document(orjson.loads(store.read_metadata()))


@app.command()
def get(store: Store = "", output: Format = Output.TABLE) -> None:
    """List the backups of a store."""
    from pinnace.store.backup_store import BackupStore, backup_names
    from pinnace.store.open import open_store

    opened = open_store(store)
    backups = [_read(BackupStore(opened, name)) for name in backup_names(opened)]
    rows = [{"name": backup.name, **_row(backup)} for backup in backups]
    show([backup.to_document() for backup in backups], output=output, rows=rows)
    if not backups and output is Output.TABLE:
        print(f"{opened.location} holds no backup", file=sys.stderr)


@app.command()
def describe(name: Name, store: Store = "", output: Format = Output.TABLE) -> None:
    """Show a backup's status, and how each list went."""
    from pinnace.backup import verify as reading

    opened = _backup_store(store, name)
    backup, manifest = _read(opened), reading.manifest(opened)
    rows = [
        {
            "group resource": entry["groupResource"],
            "namespace": entry.get("namespace", ""),
            "items": entry["items"],
            "consistency": entry["consistency"],
            "revision": ",".join(entry.get("resourceVersions", [])),
            "error": entry.get("error", ""),
        }
        for entry in manifest["lists"]
    ]
    if output is Output.TABLE:
        show(None, output=output, rows=[{"name": name, **_row(backup)}])
        print()
    show({"backup": backup.to_document(), "manifest": manifest}, output=output, rows=rows)


@app.command()
def logs(name: Name, store: Store = "") -> None:
    """Print a backup's log."""
    import gzip

    opened = _backup_store(store, name)
    sys.stdout.write(gzip.decompress(opened.read(opened.keys.log)).decode())


@app.command()
def download(
    name: Name,
    store: Store = "",
    to: Annotated[Path | None, typer.Option(help="The file to write; <name>.tar.gz if not given.")] = None,
) -> None:
    """Write a backup's archive into a file."""
    opened = _backup_store(store, name)
    target = to or Path(f"{name}.tar.gz")
    try:
        with target.open("xb") as file:
            for chunk in opened.chunks(opened.keys.archive):
                file.write(chunk)
    except FileExistsError as error:
        raise UsageError(f"{target} exists; give another file with --to") from error
    print(target)


@app.command()
def contents(name: Name, store: Store = "") -> None:
    """List a backup's items, one a line, as `extract` takes them."""
    from pinnace.backup import verify as reading

    for line in reading.index_lines(_backup_store(store, name)):
        print(reading.item_name(line))


@app.command()
def verify(name: Name, store: Store = "", output: Format = Output.TABLE) -> None:
    """Prove that a backup is whole: every item and stream against its SHA-256."""
    import dataclasses

    from pinnace.backup import verify as reading

    verified = dataclasses.asdict(reading.verify(_backup_store(store, name)))
    show(verified, output=output, rows=[verified])


@app.command()
def extract(
    name: Name,
    item: Annotated[str, typer.Argument(help="deployments.apps/namespace/name, or nodes/name.")],
    store: Store = "",
) -> None:
    """Print one item, reading only the index and the item's own bytes."""
    from pinnace.backup import verify as reading

    sys.stdout.buffer.write(reading.extract(_backup_store(store, name), item) + b"\n")


@app.command()
def cleanup(
    older_than: Annotated[str, typer.Option(help="Only uploads that began before that long, as 24h.")],
    store: Store = "",
    confirm: Annotated[bool, typer.Option("--confirm", help="Abort them; without it they are only listed.")] = False,
    output: Format = Output.TABLE,
) -> None:
    """List, and with --confirm abort, uploads that killed runs left; those of going runs are younger."""
    from datetime import UTC, datetime

    from pinnace.backup import cleanup as cleaning
    from pinnace.store.open import open_store
    from pinnace.velero.duration import parse_duration

    opened = open_store(store)
    seconds = parse_duration(older_than, field="--older-than")
    uploads = cleaning.left_over(opened, older_than_seconds=seconds, now=datetime.now(UTC))
    if confirm:
        cleaning.abort(opened, uploads)
    rows = [{"key": upload.key, "started": upload.started.isoformat(), "aborted": confirm} for upload in uploads]
    show(rows, output=output, rows=rows)
