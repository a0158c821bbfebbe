"""`pinnace bench`: measure a backup against only listing the cluster, and show the figures."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pinnace.cli.help import GroupedCommand
from pinnace.cli.options import CLUSTER, OUTPUT, Format
from pinnace.cli.output import Output, print_rows, show

if TYPE_CHECKING:
    from pinnace.bench.local import LocalServers

__all__ = ["app"]

AGAINST, MEASURED = "Against", "Measured"

app = typer.Typer(
    name="bench",
    help="Measure backups against the floor: a minimal client that makes the same lists and throws the answers away.",
)

LocalName = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        rich_help_panel=CLUSTER,
        metavar="NAME",
        help="A local one of `pinnace cluster`; then its API server and etcd are measured, too.",
    ),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(rich_help_panel=CLUSTER, help="As kubectl's, else KUBECONFIG, ~/.kube/config or the pod's."),
]
Context = Annotated[str | None, typer.Option(rich_help_panel=CLUSTER, help="As kubectl's: a context's name.")]
Folder = Annotated[
    Path,
    typer.Option("--to", rich_help_panel=OUTPUT, help="The folder for report.html, figures.md, charts and figures."),
]


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _local(name: str | None) -> "LocalServers | None":
    from pinnace.bench import local
    from pinnace.cluster import folders

    return local.find(folders.cluster_folder(name)) if name else None


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="10,000 and 60,000 objects on a local cluster; about 10 minutes.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="300,000 objects too, and after compaction; within an hour.")
    ] = False,
    to: Folder = Path("bench-results"),
) -> None:
    """Run the whole benchmark (--quick, --full), or a part of it by a command."""
    if context.invoked_subcommand:
        return
    if not (quick or full):
        print(context.get_help())
        raise typer.Exit(2)
    from pinnace.bench import series

    print(series.run_series(series.FULL if full else series.QUICK, folder=to, report_line=_report))


@app.command(cls=GroupedCommand)
def load(
    objects: Annotated[int, typer.Option(min=0, rich_help_panel=MEASURED, help="So many objects of 12 kinds.")],
    large: Annotated[int, typer.Option(min=0, rich_help_panel=MEASURED, help="And so many ConfigMaps of 1 MB.")] = 0,
    seed: Annotated[
        int, typer.Option(rich_help_panel=MEASURED, help="The same seed gives the same objects anywhere.")
    ] = 1,
    cluster: LocalName = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    direct: Annotated[
        bool,
        typer.Option("--direct", rich_help_panel=CLUSTER, help="Straight into the etcd of --cluster, and much faster."),
    ] = False,
) -> None:
    """Fill a cluster with objects that no controller touches, in 40 namespaces `bench-00` to `bench-39`.

    What is there already stays. To remove them, delete the namespaces and the CRD widgets.bench.pinnace.io.
    """
    from pinnace.bench import load as loading
    from pinnace.errors import UsageError
    from pinnace.kube.client import connect

    if direct and not cluster:
        raise UsageError("--direct: give --cluster; only a local cluster's etcd is written to")
    servers = _local(cluster)
    client = connect(kubeconfig=servers.kubeconfig if servers else kubeconfig, context=context)
    wanted = loading.Wanted(objects, large=large, seed=seed)
    if direct and servers:
        loading.load_direct(client, servers.etcd_url, wanted, report=_report)
    else:
        loading.load(client, wanted, report=_report)


@app.command(cls=GroupedCommand)
def run(
    rounds: Annotated[int, typer.Option(min=1, rich_help_panel=MEASURED, help="How often each side runs.")] = 5,
    consistency: Annotated[
        Literal["revision", "kind"], typer.Option(rich_help_panel=MEASURED, help="Of both sides, as `backup run` has.")
    ] = "revision",
    compression: Annotated[
        Literal["fast", "default", "small"], typer.Option(rich_help_panel=MEASURED, help="As `backup run` has.")
    ] = "default",
    list_encoding: Annotated[
        Literal["auto", "json", "protobuf"],
        typer.Option(rich_help_panel=MEASURED, help="Of the backup, as `backup run` has; the floor lists JSON."),
    ] = "auto",
    page_sizes: Annotated[
        str, typer.Option(rich_help_panel=MEASURED, metavar="LIST", help="Of the floor; 0 is unpaged.")
    ] = "0,500,5000,20000",
    store: Annotated[
        str,
        typer.Option(
            rich_help_panel=MEASURED, metavar="URL", help="Where the backups go; else a folder that is removed."
        ),
    ] = "",
    idle_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            rich_help_panel=MEASURED,
            help="Wait before the first round; 660 lets any cluster's etcd be compacted.",
        ),
    ] = 0.0,
    compacted: Annotated[
        bool,
        typer.Option(
            "--compacted",
            rich_help_panel=MEASURED,
            help="Compact etcd of --cluster first: the state in which idle time leaves a server, at once.",
        ),
    ] = False,
    bystander: Annotated[
        bool,
        typer.Option(
            "--bystander",
            rich_help_panel=MEASURED,
            help="Measure another client, too: 20 small requests a second alone, beside the floor, beside the backup. "
            "It has a namespace of its own, which is removed.",
        ),
    ] = False,
    gzip: Annotated[
        bool, typer.Option("--gzip/--no-gzip", rich_help_panel=MEASURED, help="Compare the archive with gzip -6.")
    ] = True,
    against_command: Annotated[
        str,
        typer.Option(
            rich_help_panel=AGAINST,
            metavar="COMMAND",
            help="Another tool, by sh, in the same rounds; BENCH_REPETITION is the round's number.",
        ),
    ] = "",
    against_pid: Annotated[
        int | None,
        typer.Option(rich_help_panel=AGAINST, help="A server that works for it, whose CPU and memory count, too."),
    ] = None,
    cluster: LocalName = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
) -> None:
    """Measure: backup, floor and any other tool take turns, each a process of its own.

    Time begins with the first list request of a side; what comes before is its start-up.
    """
    from pinnace.bench import series, tables
    from pinnace.bench.run import Options, measure
    from pinnace.errors import UsageError
    from pinnace.kube.client import connect

    pages = _page_sizes(page_sizes)
    servers = _local(cluster)
    if compacted and not servers:
        raise UsageError("--compacted: give --cluster; only a local cluster's etcd is compacted")
    kubeconfig = servers.kubeconfig if servers else kubeconfig
    client = connect(kubeconfig=kubeconfig, context=context)
    options = Options(
        kubeconfig=kubeconfig,
        context=context,
        store_url=store,
        consistency=consistency,
        compression=compression,
        list_encoding=list_encoding,
        repetitions=rounds,
        page_sizes=pages,
        idle_seconds=idle_seconds,
        etcd_url=servers.etcd_url if servers and compacted else "",
        with_bystander=bystander,
        against_command=against_command,
        against_pid=against_pid,
        compares_gzip=gzip,
        server_pids=servers.pids if servers else {},
        about=series.about(client),
    )
    measured = measure(client, options, report=_report)
    show(measured.to_document(), output=output, rows=[tables.side_row(measured, side) for side in measured.sides])
    if output is Output.TABLE:
        print_rows(tables.archive_rows(measured), has_header=False)
        print_rows(tables.beside_rows(measured))


def _page_sizes(text: str) -> tuple[int, ...]:
    from pinnace.errors import UsageError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"--page-sizes {text}: give numbers, as 0,500,5000")
    return tuple(map(int, parts))


@app.command(cls=GroupedCommand)
def report(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES", help="What `bench run --output json` printed, one a measurement.")
    ],
    to: Folder = Path("bench-results"),
) -> None:
    """Turn figures into an HTML page that needs nothing else, tables in Markdown, and charts that are files, too."""
    from pinnace.bench import series

    print(series.write_report([series.read(path) for path in files], folder=to, report_line=_report))
