"""Applies the manifests one after another, and says of each what it did; again does nothing."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pinnace.errors import InstallError, KubeError
from pinnace.install.crds import Existing, kept_because
from pinnace.install.manifests import Manifest
from pinnace.install.options import InstallOptions
from pinnace.install.render import obsolete, render
from pinnace.kube.apply import Applier
from pinnace.kube.client import Client

__all__ = ["FIELD_MANAGER", "Outcome", "install"]

FIELD_MANAGER = "pinnace"
_ESTABLISHED_SECONDS = 30.0
"""A kind is served within a second of its creation; this is for a server that has much else to do."""

_POLL_SECONDS = 0.2
_FIXES = {
    403: "installing needs get, create, patch and delete; log in as an administrator of the cluster, or give --context",
    409: "--force-conflicts takes these fields over",
}


@dataclass(frozen=True)
class Outcome:
    """What became of one document: `created`, `configured`, `unchanged`, `kept` or `deleted`."""

    kind: str
    name: str
    namespace: str
    result: str
    note: str = ""


def install(
    client: Client, options: InstallOptions, *, existing: Existing = Existing.KEEP, force_conflicts: bool = False
) -> Iterator[Outcome]:
    """Apply everything in order; what was applied before an error stays, and a second run goes on from there.

    Raises InstallError where a Velero server is at work in the namespace, and KubeError, with the right or the field
    that is in the way, where the server refuses.
    """
    applier = Applier(client, field_manager=FIELD_MANAGER)
    try:
        yield from _install(applier, options, existing=existing, force=force_conflicts)
    except KubeError as error:
        fix, reason = _FIXES.get(error.status, error.fix), " ".join(error.reason.split())
        raise KubeError(request=error.request, status=error.status, reason=reason, fix=fix) from error


def _install(applier: Applier, options: InstallOptions, *, existing: Existing, force: bool) -> Iterator[Outcome]:
    if not options.crds_only:
        _refuse_beside_velero(applier, namespace=options.namespace)
    for document in render(options):
        if document["kind"] == "CustomResourceDefinition":
            yield _crd(applier, document, existing=existing)
            continue
        if document["kind"] == "BackupStorageLocation":
            _wait_until_served(applier, document)
        yield _outcome(document, applier.apply(document, force=force))
    for document in obsolete(options):
        if applier.delete(document):
            yield _outcome(document, "deleted")


def _crd(applier: Applier, document: Manifest, *, existing: Existing) -> Outcome:
    """Apply a kind unless another's is to be kept; ours is taken over from whatever applied it last."""
    if reason := kept_because(applier.read(document), ours=document, existing=existing):
        return _outcome(document, "kept", note=reason.removeprefix("kept: "))
    return _outcome(document, applier.apply(document, force=True))


def _outcome(document: Manifest, result: str, *, note: str = "") -> Outcome:
    metadata = document["metadata"]
    namespace = str(metadata.get("namespace", ""))
    return Outcome(document["kind"], str(metadata["name"]), namespace, result, note=note)


def _refuse_beside_velero(applier: Applier, *, namespace: str) -> None:
    """Two servers in one namespace would run the same Backups twice, and Velero fails ours when it starts."""
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "velero", "namespace": namespace}}
    found = applier.read(wanted)
    if found is not None and found["spec"].get("replicas", 1) != 0:
        raise InstallError(
            f"namespace {namespace}: a Velero server is at work there (Deployment velero), and both would take the "
            "same Backups; give --namespace another one, or scale Velero to 0"
        )


def _wait_until_served(applier: Applier, document: Manifest) -> None:
    deadline = time.monotonic() + _ESTABLISHED_SECONDS
    while not applier.is_served(document):
        if time.monotonic() > deadline:
            raise InstallError(
                f"{document['kind']} of {document['apiVersion']}: still not served {_ESTABLISHED_SECONDS:.0f} s after "
                "its CRD was applied; look at the CRD's conditions, and run the command again"
            )
        time.sleep(_POLL_SECONDS)
