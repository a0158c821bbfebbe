"""`pinnace cluster`: a real local Kubernetes for trying, testing and measuring; never the user's own cluster."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pinnace.cli.output import Output, show
from pinnace.cluster import folders

__all__ = ["app"]

app = typer.Typer(
    name="cluster",
    no_args_is_help=True,
    help="A real local Kubernetes (etcd, apiserver, controllers, scheduler; on request a node), without containers. "
    "It is built from Go modules once, which takes about 7 minutes and needs Go; then it starts in seconds. "
    "Each cluster has a name, a folder and free ports of its own, so several can run at once.",
)

Name = Annotated[str, typer.Option(help="Which local cluster; each name is a cluster of its own.")]


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@app.command()
def build(
    with_node: Annotated[bool, typer.Option("--with-node", help="Build what a node needs, too.")] = False,
) -> None:
    """Build the cluster's programs into the cache, unless they are there; prints their folder."""
    from pinnace.cluster import binaries

    print(binaries.ensure(report=_report, with_node=with_node).folder)


@app.command()
def up(
    name: Name = "default",
    with_node: Annotated[
        bool, typer.Option("--with-node", help="Run pods: containerd and kubelet, as root (see `just node-packages`).")
    ] = False,
    samples: Annotated[bool, typer.Option("--samples", help="Put sample workloads of many kinds on it.")] = False,
    objects: Annotated[int, typer.Option(min=0, help="Put so many objects on it, for measuring.")] = 0,
    object_bytes: Annotated[int, typer.Option(min=1000, help="Average size of each of --objects.")] = 3500,
) -> None:
    """Start a cluster, or find it running; prints a line for the shell.

    Use it by: eval "$(pinnace cluster up)"
    """
    from pinnace.cluster import local_cluster, synthetic
    from pinnace.cluster import samples as sample_items

    cluster = local_cluster.up(folders.cluster_folder(name), nodes=int(with_node), report=_report)
    if samples:
        sample_items.apply(cluster, report=_report)
    if objects:
        synthetic.load(cluster, objects=objects, object_bytes=object_bytes, report=_report)
    print(f"export KUBECONFIG={cluster.kubeconfig}")


@app.command("load-image")
def load_image(
    archive: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `docker save` wrote.")],
    name: Name = "default",
) -> None:
    """Give an image to the nodes of a cluster, which have no registry to pull from."""
    from pinnace.cluster import local_cluster

    nodes = local_cluster.load_image(folders.cluster_folder(name), archive=archive)
    _report(f"{archive} is on {', '.join(nodes)}; use it with imagePullPolicy IfNotPresent or Never")


@app.command()
def down(
    name: Name = "default",
    keep_contents: Annotated[
        bool, typer.Option("--keep-contents", help="Keep what the cluster holds for the next `up`.")
    ] = False,
) -> None:
    """End a cluster's programs and remove its folder; what it held is gone."""
    from pinnace.cluster import local_cluster

    ended = local_cluster.down(folders.cluster_folder(name), keep_contents=keep_contents)
    _report(f"cluster {name}: {'ended' if ended else 'not there, nothing to do'}")


@app.command()
def status(
    name: Annotated[str | None, typer.Option(help="Only this cluster; otherwise all of them.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.TABLE,
) -> None:
    """Show the local clusters: ready or not, addresses, pids."""
    from pinnace.cluster import local_cluster

    wanted = [folders.cluster_folder(name)] if name else _all_folders()
    documents = [_document(local_cluster.status(folder)) for folder in wanted]
    show(documents, output=output, rows=[_row(document) for document in documents])
    if not documents and output is Output.TABLE:
        print("no local cluster; start one by: pinnace cluster up")


def _all_folders() -> list[Path]:
    root = folders.clusters_folder()
    return sorted(path.parent for path in root.glob("*/state.json"))


def _document(found: Any) -> dict[str, Any]:
    """A status as plain values: paths as text, and the name first."""
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in dataclasses.asdict(found).items()}
    plain["programs"] = list(plain["programs"])
    return {"name": found.folder.name, "running": found.running, **plain}


def _row(document: dict[str, Any]) -> dict[str, str]:
    state = "ready" if document["ready"] else "running" if document["running"] else "stopped"
    return {
        "NAME": document["name"],
        "STATE": state if document["exists"] else "absent",
        "VERSION": document["kubernetes_version"] or "-",
        "SERVER": document["server"] or "-",
        "PIDS": ",".join(str(program["pid"]) for program in document["programs"] if program["running"]) or "-",
        "KUBECONFIG": document["kubeconfig"],
    }
