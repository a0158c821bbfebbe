"""The options that commands share: name, help and panel said once."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from pinnace import logs
from pinnace.cli.output import Output
from pinnace.settings import Settings

__all__ = [
    "CLUSTER",
    "FILTERS",
    "OUTPUT",
    "STORE",
    "VOLUMES",
    "Context",
    "Format",
    "Kubeconfig",
    "ListEncoding",
    "LogFormat",
    "LogFormatOption",
    "LogLevel",
    "LogLevelOption",
    "Name",
    "Names",
    "Namespace",
    "StoreUrl",
    "configure",
]

FILTERS, CLUSTER, STORE, OUTPUT, VOLUMES = "Filters", "Cluster", "Store", "Output", "Volumes"
"""Panels of `--help`."""


class LogLevel(StrEnum):
    """`--log-level`, in Velero's words."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class LogFormat(StrEnum):
    """`--log-format`, in Velero's words."""

    TEXT = "text"
    JSON = "json"


Name = Annotated[str, typer.Argument(help="The backup's name.", metavar="NAME")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        rich_help_panel=STORE,
        metavar="URL",
        help="Where the backups are, else PINNACE_STORE: file:///srv/backups, or "
        "s3://bucket/prefix?region=eu-central-1 with the config keys of a location of provider aws.",
    ),
]
Format = Annotated[
    Output,
    typer.Option("--output", "-o", rich_help_panel=OUTPUT, help="table for people; json or yaml for programs."),
]
Names = list[str] | None
Kubeconfig = Annotated[
    Path | None,
    typer.Option(rich_help_panel=CLUSTER, help="As kubectl's, else KUBECONFIG, ~/.kube/config or the pod's."),
]
Context = Annotated[str | None, typer.Option(rich_help_panel=CLUSTER, help="As kubectl's: a context's name.")]
ListEncoding = Annotated[
    Literal["auto", "json", "protobuf"],
    typer.Option(
        envvar="PINNACE_LIST_ENCODING",
        rich_help_panel=CLUSTER,
        help="How the server encodes lists. protobuf costs it half of json, for built-in kinds of versions that are "
        "known; auto goes on as json where protobuf does not tell null from []. The backup is the same.",
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", envvar="PINNACE_NAMESPACE", rich_help_panel=CLUSTER,
        help="Where the dispatcher, Backups and locations are.",
    ),
]  # fmt: skip
LogLevelOption = Annotated[
    LogLevel | None,
    typer.Option(
        rich_help_panel=OUTPUT,
        help="Write log lines of this level and above to stderr and into the backup's log, else PINNACE_LOG_LEVEL. "
        "Without it the backup's log is at info and stderr shows progress only; debug has a line for each item.",
    ),
]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        rich_help_panel=OUTPUT,
        help="How lines on stderr are written, else PINNACE_LOG_FORMAT or text; the backup's log is always text.",
    ),
]


def configure(*, store: str | None, log_level: LogLevel | None = None, log_format: LogFormat | None = None) -> Settings:
    """Read the settings of this process, and set up its logging by them; UsageError."""
    settings = Settings.read(os.environ, store=store, log_level=log_level, log_format=log_format)
    level = settings.log_level or ("info" if settings.log_format == "json" else None)
    logs.set_up(level=level, log_format=settings.log_format)
    return settings
