"""`pinnace backup`: run a backup from here, and look at what a store holds, whoever wrote it."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnace.cli import human
from pinnace.cli.backup_create import create
from pinnace.cli.backup_delete import delete
from pinnace.cli.backup_job import job
from pinnace.cli.backup_plan import plan
from pinnace.cli.backup_run import run
from pinnace.cli.backup_shard import shard
from pinnace.cli.backup_watch import watch
from pinnace.cli.help import GroupedCommand
from pinnace.cli.options import OUTPUT, Format, Name, StoreUrl, configure
from pinnace.cli.output import Output, show, show_each

if TYPE_CHECKING:
    from pinnace.backup.description import Description
    from pinnace.store.backup_store import BackupStore

__all__ = ["app", "open_backup"]

app = typer.Typer(name="backup", no_args_is_help=True, help="Make backups, list them, prove them, read from them.")
app.command(cls=GroupedCommand)(run)
app.command(cls=GroupedCommand)(create)
app.command(cls=GroupedCommand)(watch)
app.command(cls=GroupedCommand)(delete)
app.command(cls=GroupedCommand)(plan)
app.command(cls=GroupedCommand, hidden=True)(job)
app.command(cls=GroupedCommand, hidden=True)(shard)


def open_backup(url: str, name: str, *, for_writing: bool = False) -> "BackupStore":
    """Open one backup of a store; UsageError for a URL that names none."""
    from pinnace.store.backup_store import BackupStore
    from pinnace.store.open import open_store

    store = open_store(url)
    if for_writing:
        store.prepare()
    return BackupStore(store, name)


@app.command(cls=GroupedCommand)
def get(store: StoreUrl = None, output: Format = Output.TABLE) -> None:
    """List the backups of a store, with the columns of `velero backup get`."""
    from pinnace.backup.description import stored_backups
    from pinnace.errors import MalformedObjectError
    from pinnace.store.open import open_store

    opened = open_store(configure(store=store).store)
    backups: list[Mapping[str, Any]] = []
    for found in stored_backups(opened):
        if isinstance(found, MalformedObjectError):
            print(f"warning: {found}", file=sys.stderr)
        else:
            backups.append(found)
    backups.sort(key=lambda backup: human.sort_key(backup["metadata"]["name"]))
    show(backups, output=output, rows=[_row(backup, now=datetime.now(UTC)) for backup in backups])
    if not backups and output is Output.TABLE:
        print(f"{opened.location} holds no backup", file=sys.stderr)


def _row(backup: Mapping[str, Any], *, now: datetime) -> dict[str, object]:
    status, spec = backup["status"], backup["spec"]
    created = status.get("startTimestamp") or backup["metadata"].get("creationTimestamp") or ""
    return {
        "NAME": backup["metadata"]["name"],
        "STATUS": status.get("phase") or "New",
        "ERRORS": status.get("errors") or 0,
        "WARNINGS": status.get("warnings") or 0,
        "CREATED": human.created_at(created),
        "EXPIRES": human.from_now(status.get("expiration") or "", now=now),
        "STORAGE LOCATION": spec.get("storageLocation") or "<none>",
        "SELECTOR": human.selector(spec.get("labelSelector")),
    }


@app.command(cls=GroupedCommand)
def describe(
    name: Name,
    store: StoreUrl = None,
    details: Annotated[
        bool,
        typer.Option("--details", rich_help_panel=OUTPUT, help="Add every item's name, and how each list went."),
    ] = False,
    output: Format = Output.TABLE,
) -> None:
    """Show status, filters, counts, errors and warnings, as `velero backup describe`."""
    from pinnace.backup.description import describe as describe_backup
    from pinnace.backup.description import listed_items
    from pinnace.cli.describe_text import description_lines

    opened = open_backup(configure(store=store).store, name)
    description = describe_backup(opened)
    if output is Output.TABLE:
        for line in description_lines(description, listed_items=listed_items(opened) if details else None):
            print(line)
        return
    names: dict[str, list[str]] = {}
    for kind, item in listed_items(opened) if details else ():
        names.setdefault(kind, []).append(item)
    show(_document(description, names=names), output=output, rows=[])


def _document(description: "Description", *, names: Mapping[str, list[str]]) -> dict[str, Any]:
    results = description.results
    document = {
        "backup": description.backup,
        "manifest": description.manifest and description.manifest.document,
        "results": None if results is None else [vars(result) for result in results],
        "resourceCounts": description.kind_counts,
        "archiveBytes": description.archive_bytes,
        "volumeInfos": description.volume_infos,
        "itemOperations": description.item_operations,
        "podVolumeBackups": description.pod_volume_backups,
    }
    return {**document, "resourceList": names} if names else document


@app.command(cls=GroupedCommand)
def logs(name: Name, store: StoreUrl = None) -> None:
    """Print a backup's log."""
    from pinnace.backup import stored

    opened = open_backup(configure(store=store).store, name)
    for piece in stored.log(opened):
        sys.stdout.buffer.write(piece)


@app.command(cls=GroupedCommand)
def download(
    name: Name,
    store: StoreUrl = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", rich_help_panel=OUTPUT, help="The file to write, or - for stdout; NAME.tar.gz if not given."
        ),
    ] = None,
) -> None:
    """Write the archive into a new file or to stdout; one that fails leaves no file."""
    from pinnace.backup.download import download as download_archive

    opened = open_backup(configure(store=store).store, name)
    if str(to) == "-":
        for chunk in opened.chunks(opened.keys.archive):
            sys.stdout.buffer.write(chunk)
        return
    print(download_archive(opened, to or Path(f"{name}.tar.gz")))


@app.command(cls=GroupedCommand)
def contents(name: Name, store: StoreUrl = None, output: Format = Output.TABLE) -> None:
    """List a backup's items, one a line, as `extract` takes them."""
    from pinnace.archive.contents import items

    found = items(open_backup(configure(store=store).store, name))
    show_each(((item.item_name, item.to_document()) for item in found), output=output)


@app.command(cls=GroupedCommand)
def verify(name: Name, store: StoreUrl = None, output: Format = Output.TABLE) -> None:
    """Prove that a backup is whole; exit code 5 and one sentence at the first difference.

    A backup of pinnace is compared byte by byte with its index and manifest. One that Velero wrote has neither:
    then gzip, tar, items and resource list are checked against each other, and the result says what that leaves open.
    """
    from pinnace.backup.verify import verify as verify_backup
    from pinnace.cli.progress_display import VerifyDisplay
    from pinnace.cli.verified_text import verified_lines

    settings = configure(store=store)
    with VerifyDisplay(settings) as display:
        verified = verify_backup(open_backup(settings.store, name), observer=display)
    if output is Output.TABLE:
        for line in verified_lines(verified):
            print(line)
    else:
        document = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(verified).items()}
        show(document, output=output, rows=[])


@app.command(cls=GroupedCommand)
def extract(
    name: Name,
    item: Annotated[str, typer.Argument(help="deployments.apps/namespace/name, or nodes/name.", metavar="ITEM")],
    store: StoreUrl = None,
) -> None:
    """Print one item; where there is an index, only that and the item's own bytes are read."""
    from pinnace.archive.contents import extract as extract_item

    opened = open_backup(configure(store=store).store, name)
    sys.stdout.buffer.write(extract_item(opened, item) + b"\n")


@app.command(cls=GroupedCommand)
def cleanup(
    older_than: Annotated[str, typer.Option(help="Only uploads that began before that long, as 24h.")],
    store: StoreUrl = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Abort them; without it they are only listed.")] = False,
    output: Format = Output.TABLE,
) -> None:
    """List, and with --confirm abort, uploads that killed runs left behind."""
    from pinnace.backup import cleanup as cleaning
    from pinnace.store.open import open_store
    from pinnace.velero.duration import parse_duration

    opened = open_store(configure(store=store).store)
    seconds = parse_duration(older_than, field="--older-than")
    uploads = cleaning.left_over(opened, older_than_seconds=seconds, now=datetime.now(UTC))
    if confirm:
        cleaning.abort(opened, uploads)
    rows = [{"key": upload.key, "started": upload.started.isoformat(), "aborted": confirm} for upload in uploads]
    show(rows, output=output, rows=rows)
