"""The flags that choose what is backed up, and from which cluster: those of `velero backup create`, said once."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pinnace.cli.options import CLUSTER, FILTERS, VOLUMES

__all__ = [
    "BACKUP",
    "Annotations",
    "ClusterResources",
    "Consistency",
    "ExcludeClusterScoped",
    "ExcludeNamespaceScoped",
    "ExcludeNamespaces",
    "ExcludeResources",
    "FromFile",
    "IncludeClusterScoped",
    "IncludeNamespaceScoped",
    "IncludeNamespaces",
    "IncludeResources",
    "Labels",
    "OrSelector",
    "OrderedResources",
    "ResourcePolicies",
    "Selector",
    "ServerSnapshotVolumes",
    "SnapshotLocations",
    "SnapshotTimeout",
    "SnapshotVolumes",
    "StorageLocation",
    "Ttl",
]

BACKUP = "Backup"
"""A panel of `--help`, beside those of all commands."""


def _names(what: str, example: str) -> Any:
    return typer.Option(rich_help_panel=FILTERS, metavar="NAMES", help=f"{what}, as {example}. Globs; repeatable.")


IncludeNamespaces = Annotated[list[str] | None, _names("Only items of these namespaces", "'shop-*'")]
ExcludeNamespaces = Annotated[list[str] | None, _names("No items of these", "kube-system")]
IncludeResources = Annotated[
    list[str] | None,
    _names("Only these kinds, by any name that kubectl knows", "pods,deploy,boats.harbour.example"),
]
ExcludeResources = Annotated[list[str] | None, _names("None of these kinds", "events,leases")]
IncludeClusterScoped = Annotated[
    list[str] | None, _names("Of the cluster-scoped kinds these", "storageclasses,customresourcedefinitions")
]
ExcludeClusterScoped = Annotated[list[str] | None, _names("Of the cluster-scoped kinds none of these", "nodes")]
IncludeNamespaceScoped = Annotated[list[str] | None, _names("Of the namespaced kinds only these", "configmaps,secrets")]
ExcludeNamespaceScoped = Annotated[list[str] | None, _names("Of the namespaced kinds none of these", "events")]
ClusterResources = Annotated[
    bool | None,
    typer.Option(
        "--include-cluster-resources/--no-include-cluster-resources",
        rich_help_panel=FILTERS,
        help="All cluster-scoped kinds, or none; without it those that belong to what is backed up.",
    ),
]
Selector = Annotated[
    str,
    typer.Option(
        "--selector",
        "-l",
        rich_help_panel=FILTERS,
        help="Labels that items must have, as app=web,tier!=db,env in (a,b),!old.",
    ),
]
OrSelector = Annotated[
    str,
    typer.Option(
        rich_help_panel=FILTERS, help="Selectors of which one must match, as 'app=web or tier in (db,cache)'."
    ),
]
OrderedResources = Annotated[
    str,
    typer.Option(rich_help_panel=FILTERS, help="Items to take first, as 'pods=shop/db-0,shop/db-1;nodes=a'."),
]
SnapshotVolumes = Annotated[
    bool | None,
    typer.Option(
        "--snapshot-volumes/--no-snapshot-volumes",
        rich_help_panel=VOLUMES,
        help="Take snapshots of volumes. They are made in the cluster and stay in its storage, so without it a run "
        "from here takes none, and says of how many claims.",
    ),
]
ServerSnapshotVolumes = Annotated[
    bool | None,
    typer.Option(
        "--snapshot-volumes/--no-snapshot-volumes",
        rich_help_panel=VOLUMES,
        help="Take snapshots of volumes. Where possible without it.",
    ),
]
SnapshotLocations = Annotated[
    str,
    typer.Option(
        rich_help_panel=VOLUMES,
        help="VolumeSnapshotLocations of native snapshots, as ebs. In Velero's namespace.",
    ),
]
ResourcePolicies = Annotated[
    str,
    typer.Option(
        rich_help_panel=VOLUMES,
        help="The ConfigMap with resource policies, as rules. In Velero's namespace.",
    ),
]
SnapshotTimeout = Annotated[
    str, typer.Option(rich_help_panel=VOLUMES, help="How long one may take, as 10m (the default).")
]
FromFile = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=BACKUP,
        help="A Backup manifest (YAML or JSON) whose spec is taken, as nightly.yaml; no filter flags then.",
    ),
]
Ttl = Annotated[str, typer.Option(rich_help_panel=BACKUP, help="How long to keep it, as 720h0m0s (the default).")]
Labels = Annotated[str, typer.Option(rich_help_panel=BACKUP, help="Labels of the Backup, as team=shop,env=prod.")]
Annotations = Annotated[str, typer.Option(rich_help_panel=BACKUP, help="Annotations of the Backup, as ticket=OPS-1.")]
StorageLocation = Annotated[
    str, typer.Option(rich_help_panel=BACKUP, help="The location; without it the cluster's default.")
]
Consistency = Annotated[
    Literal["revision", "kind"],
    typer.Option(
        rich_help_panel=CLUSTER,
        help="revision: every kind at one resourceVersion, where the server allows it; kind: each in itself.",
    ),
]
