"""Turns options into manifests: pure, and the same for the same options."""

from base64 import b64encode

from pinnace.install import manifests
from pinnace.install.manifests import Manifest
from pinnace.install.options import DEFAULT_NAMESPACE, InstallOptions, Location

__all__ = ["LOCATION_NAME", "render"]

LOCATION_NAME = "default"
_PART_OF = {"app.kubernetes.io/part-of": "pinnace"}
_SECRET_NAME = "cloud-credentials"  # noqa: S105  # the name that Velero gives it
_SECRET_KEY = "cloud"  # noqa: S105


def render(options: InstallOptions) -> list[Manifest]:
    """Every document in the order in which it is applied: namespace, kinds, rights, dispatcher, location."""
    if options.crds_only:
        return manifests.crds()
    namespace, *rest = (_filled_in(document, options=options) for document in manifests.base())
    return [namespace, *manifests.crds(), *rest, *_location(options.location, namespace=options.namespace)]


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
        _set_image(document, image=options.image or manifests.default_image())
        if not options.retention_guard:
            [container] = document["spec"]["template"]["spec"]["containers"]
            container["args"].append("--no-retention-guard")
    return document


def _set_image(deployment: Manifest, *, image: str) -> None:
    """Name the image for the dispatcher, and for the Jobs that it makes."""
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["image"] = image
    for variable in container["env"]:
        if variable["name"] == "PINNACE_JOB_IMAGE":
            variable["value"] = image


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
