"""Turns options into manifests: pure, and the same for the same options."""

from base64 import b64encode
from collections.abc import Iterator, Mapping

from pinnace.hooks.allowed import AllowedHooks
from pinnace.install import manifests
from pinnace.install.manifests import Manifest
from pinnace.install.options import DEFAULT_NAMESPACE, InstallOptions, Location

__all__ = ["LOCATION_NAME", "obsolete", "render"]

LOCATION_NAME = "default"
_HOOKS_NAME = "pinnace-backup-hooks"
"""The account that may run commands in pods, and everything that gives it rights."""

_SNAPSHOT_NAMES = ("pinnace-backup-snapshots", "pinnace-backup-hooks-snapshots", "pinnace-dispatcher-snapshots")
"""The accounts that may make VolumeSnapshots, and everything that gives them rights."""

_PART_OF = {"app.kubernetes.io/part-of": "pinnace"}
_SECRET_NAME = "cloud-credentials"  # noqa: S105  # the name that Velero gives it
_SECRET_KEY = "cloud"  # noqa: S105


def render(options: InstallOptions) -> list[Manifest]:
    """Every document in the order in which it is applied: namespace, kinds, rights, dispatcher, location."""
    if options.crds_only:
        return manifests.crds()
    wanted = (document for document in manifests.base() if _is_wanted(document, options=options))
    namespace, *rest = (_filled_in(document, options=options) for document in wanted)
    return [namespace, *manifests.crds(), *rest, *_location(options.location, namespace=options.namespace)]


def obsolete(options: InstallOptions) -> list[Manifest]:
    """What an earlier installation may have made that these options are without; it is deleted.

    Not the ClusterRole, which another namespace's installation may use, and which gives nothing to anybody by itself.
    """
    if options.crds_only:
        return []
    unwanted = [document for document in manifests.base() if not _is_wanted(document, options=options)]
    return [_filled_in(document, options=options) for document in unwanted if document["kind"] != "ClusterRole"]


def _is_wanted(document: Manifest, *, options: InstallOptions) -> bool:
    """What is off nothing may do, also not an account that nobody uses."""
    name = document["metadata"]["name"]
    has_hooks = options.hooks is not AllowedHooks.OFF
    return (has_hooks or name != _HOOKS_NAME) and (options.csi_snapshots or name not in _SNAPSHOT_NAMES)


def _filled_in(document: Manifest, *, options: InstallOptions) -> Manifest:
    metadata, kind = document["metadata"], document["kind"]
    if kind == "Namespace":
        metadata["name"] = options.namespace
    if "namespace" in metadata:
        metadata["namespace"] = options.namespace
    for subject in document.get("subjects", ()):
        subject["namespace"] = options.namespace
    if kind == "ClusterRoleBinding" and options.namespace != DEFAULT_NAMESPACE:
        # A binding has one list of subjects: under one name a second installation would take the first one's rights.
        metadata["name"] += f"-{options.namespace}"
    if kind == "ServiceAccount" and options.service_account_annotations:
        metadata["annotations"] = dict(options.service_account_annotations)
    if kind == "Deployment":
        image = options.image or manifests.default_image()
        _set_image(document, image=image)
        values = {"PINNACE_JOB_IMAGE": image, "PINNACE_HOOKS": options.hooks.value}
        values["PINNACE_CSI_SNAPSHOTS"] = "auto" if options.csi_snapshots else "off"
        _set_variables(document, values)
        [container] = document["spec"]["template"]["spec"]["containers"]
        container["args"] += _arguments(options)
    return document


def _arguments(options: InstallOptions) -> Iterator[str]:
    """The dispatcher's flags for what is not as usual."""
    if not options.retention_guard:
        yield "--no-retention-guard"
    if options.garbage_collection_frequency:
        yield f"--garbage-collection-frequency={options.garbage_collection_frequency}"
    if options.job_shards > 1:
        yield f"--job-shards={options.job_shards}"
    if options.job_list_encoding != "auto":
        yield f"--job-list-encoding={options.job_list_encoding}"


def _set_image(deployment: Manifest, *, image: str) -> None:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["image"] = image


def _set_variables(deployment: Manifest, values: Mapping[str, str]) -> None:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        if variable["name"] in values:
            variable["value"] = values[variable["name"]]


def _location(location: Location | None, *, namespace: str) -> list[Manifest]:
    """The BackupStorageLocation, after the Secret that it names."""
    if location is None:
        return []
    storage = {"bucket": location.bucket}
    if location.prefix:
        storage["prefix"] = location.prefix
    if location.ca_cert:
        storage["caCert"] = b64encode(location.ca_cert).decode()
    spec: Manifest = {"provider": "aws", "default": True, "objectStorage": storage}
    if location.config:
        spec["config"] = dict(location.config)
    metadata = {"namespace": namespace, "labels": dict(_PART_OF)}
    documents: list[Manifest] = []
    if location.credentials:
        spec["credential"] = {"name": _SECRET_NAME, "key": _SECRET_KEY}
        documents.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": _SECRET_NAME, **metadata},
                "type": "Opaque",
                "data": {_SECRET_KEY: b64encode(location.credentials).decode()},
            }
        )
    documents.append(
        {
            "apiVersion": "velero.io/v1",
            "kind": "BackupStorageLocation",
            "metadata": {"name": LOCATION_NAME, **metadata},
            "spec": spec,
        }
    )
    return documents
