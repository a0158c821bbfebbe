"""`pinnace backup plan`: what a backup with these flags would take, and what not, before anything is made."""

import sys
from typing import TYPE_CHECKING

import typer

from pinnace.cli import human
from pinnace.cli.filter_options import (
    ClusterResources,
    Consistency,
    ExcludeClusterScoped,
    ExcludeNamespaces,
    ExcludeNamespaceScoped,
    ExcludeResources,
    FromFile,
    IncludeClusterScoped,
    IncludeNamespaces,
    IncludeNamespaceScoped,
    IncludeResources,
    OrderedResources,
    OrSelector,
    Selector,
    SnapshotVolumes,
)
from pinnace.cli.options import Context, Format, Kubeconfig, configure
from pinnace.cli.output import Output, print_rows, show

if TYPE_CHECKING:
    from typing import Any

    from pinnace.backup.forecast import Forecast, KindForecast

__all__ = ["forecast_document", "forecast_lines", "plan"]


def plan(
    include_namespaces: IncludeNamespaces = None,
    exclude_namespaces: ExcludeNamespaces = None,
    include_resources: IncludeResources = None,
    exclude_resources: ExcludeResources = None,
    include_cluster_scoped_resources: IncludeClusterScoped = None,
    exclude_cluster_scoped_resources: ExcludeClusterScoped = None,
    include_namespace_scoped_resources: IncludeNamespaceScoped = None,
    exclude_namespace_scoped_resources: ExcludeNamespaceScoped = None,
    include_cluster_resources: ClusterResources = None,
    selector: Selector = "",
    or_selector: OrSelector = "",
    ordered_resources: OrderedResources = "",
    snapshot_volumes: SnapshotVolumes = None,
    from_file: FromFile = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    consistency: Consistency = "revision",
    output: Format = Output.TABLE,
) -> None:
    """Show which kinds, namespaces and items a backup would take, about how many bytes, and what not and why.

    Nothing is written. Exit code 4: a backup would have errors, which are told.
    """
    from pinnace.cli import backup_flags

    configure(store=None)
    spec = backup_flags.spec_document(locals())
    backup = backup_flags.read_backup("plan", spec=spec, labels="", from_file=from_file)
    backup, no_snapshots_because = backup_flags.with_snapshots_decided(backup)

    from pinnace.backup.forecast import forecast
    from pinnace.backup.run import RunOptions
    from pinnace.cli.outcome import result_rows
    from pinnace.kube.client import connect

    client = connect(kubeconfig=kubeconfig, context=context)
    found = forecast(
        backup, client=client, options=RunOptions(consistency=consistency, no_snapshots_because=no_snapshots_because)
    )
    if output is Output.TABLE:
        for line in forecast_lines(found):
            print(line)
    else:
        show(forecast_document(found), output=output, rows=[])
    print_rows(list(result_rows(found.results.entries())), file=sys.stderr)
    if found.results.error_count:
        raise typer.Exit(4)


def forecast_document(forecast: "Forecast") -> "dict[str, Any]":
    """Spell it for programs."""
    return {
        "namespaces": list(forecast.namespaces),
        "kinds": [
            {
                "groupResource": kind.group_resource,
                "lists": kind.list_count,
                "items": kind.item_count,
                "counted": kind.is_counted,
                "bytes": round(kind.page_bytes),
            }
            for kind in forecast.kinds
        ],
        "items": forecast.item_count,
        "bytes": round(forecast.page_bytes),
        "seconds": round(forecast.seconds),
        "skipped": [{"groupResource": kind.group_resource, "reason": kind.reason} for kind in forecast.skipped],
        "snapshots": forecast.snapshots,
        "errors": forecast.results.error_count,
        "warnings": forecast.results.warning_count,
    }


def forecast_lines(forecast: "Forecast") -> "list[str]":
    """Spell it for people: a line a kind, the sum, and what is left out by reason."""
    width = max((len(kind.group_resource) for kind in forecast.kinds), default=0)
    items, kinds = human.counted(forecast.item_count, "item"), human.counted(len(forecast.kinds), "kind")
    size = human.byte_size(forecast.page_bytes)
    lines = [
        *(_kind_line(kind, width=width) for kind in forecast.kinds),
        "",
        f"In all: about {items} of {kinds}, roughly {size} and {human.age(forecast.seconds)}",
        "Namespaces, and what items pull in, come on top",
        f"Namespaces: {', '.join(forecast.namespaces) or 'none'}",
        *([f"Volumes: {forecast.snapshots}"] if forecast.snapshots else []),
    ]
    reasons: dict[str, list[str]] = {}
    for kind in forecast.skipped:
        reasons.setdefault(kind.reason, []).append(kind.group_resource)
    lines += [f"Left out, {reason}: {', '.join(sorted(names))}" for reason, names in sorted(reasons.items())]
    return lines


def _kind_line(kind: "KindForecast", *, width: int) -> str:
    count = human.counted(kind.item_count, "item")
    parts = [f"{kind.group_resource:{width}}", count if kind.is_counted else f"at least {count}"]
    parts.append(f"about {human.byte_size(kind.page_bytes)}")
    if kind.list_count > 1:
        parts.append(f"in {human.counted(kind.list_count, 'list')}")
    return "  ".join(parts)
