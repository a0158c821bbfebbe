"""`pinnace install`: put the dispatcher, its rights and the kinds of velero.io into a cluster, or print them."""

import dataclasses
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pinnace.cli.output import Output, show
from pinnace.errors import UsageError
from pinnace.hooks.allowed import AllowedHooks
from pinnace.install.crds import Existing
from pinnace.install.options import DEFAULT_NAMESPACE, InstallOptions, read_location
from pinnace.store.part_sizes import MOST_STRETCHES

if TYPE_CHECKING:
    from pinnace.install.manifests import Manifest
    from pinnace.install.run import Outcome

__all__ = ["install"]

Pairs = Annotated[list[str] | None, typer.Option(help="key=value; comma-separated or repeated.")]


def install(
    bucket: Annotated[str, typer.Option(help="Bucket of the location `default`; none is made without it.")] = "",
    prefix: Annotated[str, typer.Option(help="Path inside the bucket.")] = "",
    region: Annotated[str, typer.Option(help="Region of the bucket.")] = "",
    s3_url: Annotated[str, typer.Option(help="An S3 server other than AWS; buckets are then named in paths.")] = "",
    location_config: Pairs = None,
    ca_cert_file: Annotated[Path | None, typer.Option(help="CA certificates of that server (PEM).")] = None,
    secret_file: Annotated[Path | None, typer.Option(help="AWS credentials file, stored as a Secret.")] = None,
    service_account_annotations: Pairs = None,
    namespace: Annotated[str, typer.Option(help="Where the dispatcher, Backups and Jobs live.")] = DEFAULT_NAMESPACE,
    image: Annotated[str, typer.Option(help="Image of the dispatcher and the Jobs; this version's if not given.")] = "",
    retention_guard: Annotated[
        bool,
        typer.Option(
            "--retention-guard/--no-retention-guard",
            help="Keep the last Completed backup of a schedule past its TTL while no newer one is Completed.",
        ),
    ] = True,
    garbage_collection_frequency: Annotated[
        str, typer.Option(help="How often Backups are looked for that have expired; 1h if not given.")
    ] = "",
    hooks: Annotated[
        AllowedHooks,
        typer.Option(help="Hooks that backups run: of pods' annotations too, of spec.hooks only, none."),
    ] = AllowedHooks.SPEC,
    csi_snapshots: Annotated[
        Literal["on", "off"],
        typer.Option(help="CSI snapshots of volumes, where a Backup wants any. off: no account may make one."),
    ] = "on",
    job_shards: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_STRETCHES, help="Pods that make each backup together; for clusters of millions of items."
        ),
    ] = 1,
    job_list_encoding: Annotated[
        Literal["auto", "json", "protobuf"],
        typer.Option(help="How backups list built-in kinds, as of `pinnace backup run`."),
    ] = "auto",
    crds_only: Annotated[bool, typer.Option("--crds-only", help="Only the kinds of velero.io.")] = False,
    crds: Annotated[Existing, typer.Option(help="What to do with kinds that Velero has installed.")] = Existing.KEEP,
    force_conflicts: Annotated[
        bool, typer.Option("--force-conflicts", help="Take over fields that another tool has set.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the manifests; no cluster is asked.")] = False,
    kubeconfig: Annotated[Path | None, typer.Option(help="As kubectl's.")] = None,
    context: Annotated[str | None, typer.Option(help="As kubectl's.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.TABLE,
) -> None:
    """Install pinnace; again changes only what differs. Give the same flags again: what is left out is taken away."""
    from pinnace.install.render import render

    location = read_location(
        bucket, prefix=prefix, region=region, s3_url=s3_url, ca_cert_file=ca_cert_file, secret_file=secret_file,
        config=_pairs(location_config, flag="--location-config"),
    )  # fmt: skip
    options = InstallOptions(
        namespace=namespace, image=image, location=location, crds_only=crds_only, retention_guard=retention_guard,
        garbage_collection_frequency=garbage_collection_frequency, hooks=hooks, csi_snapshots=csi_snapshots == "on",
        job_shards=job_shards, job_list_encoding=job_list_encoding,
        service_account_annotations=_pairs(service_account_annotations, flag="--service-account-annotations"),
    )  # fmt: skip
    if dry_run:
        _print_manifests(render(options), output=output)
        return
    from pinnace.install.run import install as apply_all
    from pinnace.kube.client import connect

    client = connect(kubeconfig=kubeconfig, context=context)
    _print_outcomes(apply_all(client, options, existing=crds, force_conflicts=force_conflicts), output=output)
    if output is Output.TABLE:
        print(_next_step(options))


def _print_manifests(documents: "Sequence[Manifest]", *, output: Output) -> None:
    """Print what `kubectl apply -f -` takes: YAML documents, or one List as JSON."""
    if output is Output.JSON:
        show({"apiVersion": "v1", "kind": "List", "items": list(documents)}, output=output, rows=())
    else:
        import yaml

        yaml.safe_dump_all(documents, sys.stdout, sort_keys=False, allow_unicode=True, width=120)


def _print_outcomes(outcomes: "Iterable[Outcome]", *, output: Output) -> None:
    """Print a line as soon as a document is applied; for programs all of them at the end."""
    if output is Output.TABLE:
        for outcome in outcomes:
            note = f" ({outcome.note})" if outcome.note else ""
            print(f"{outcome.kind.lower()}/{outcome.name} {outcome.result}{note}", flush=True)
    else:
        show([dataclasses.asdict(outcome) for outcome in outcomes], output=output, rows=())


def _next_step(options: InstallOptions) -> str:
    if options.crds_only:
        return "next: pinnace install --bucket BUCKET --region REGION --secret-file FILE"
    if options.location is None:
        return "next: say where backups go, by a BackupStorageLocation or by --bucket"
    in_namespace = f"kubectl --namespace {options.namespace}"
    backup = '{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":"first"}}'
    return "\n".join(
        [
            "next: wait until the bucket has answered, and make a first backup",
            f"  {in_namespace} wait backupstoragelocation/default --for=jsonpath='{{.status.phase}}'=Available",
            f"  echo '{backup}' | {in_namespace} create --filename -",
        ]
    )


def _pairs(texts: Sequence[str] | None, *, flag: str) -> Mapping[str, str]:
    pairs = [part.partition("=") for text in texts or () for part in text.split(",")]
    for key, equals, value in pairs:
        if not key or not equals:
            raise UsageError(f"{flag}: {key + equals + value!r} is not key=value")
    return {key: value for key, _, value in pairs}
