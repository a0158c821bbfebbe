"""The manifests of k8s/crds and k8s/base as the package carries them, read in the order of their kustomizations."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from pinnace.errors import InstallError

__all__ = ["Manifest", "base", "crds", "default_image"]

Manifest = dict[str, Any]
"""One Kubernetes document."""


def crds() -> list[Manifest]:
    """The kinds of velero.io."""
    return _documents("crds")


def base() -> list[Manifest]:
    """The namespace, the accounts and their rights, the dispatcher; with image `pinnace` where one belongs."""
    return _documents("base")


def default_image() -> str:
    """The image that the base's kustomization names."""
    [image] = _kustomization("base")["images"]
    return f"{image.get('newName', image['name'])}:{image['newTag']}"


def _documents(folder: str) -> list[Manifest]:
    root = _folder(folder)
    return [
        document
        for name in _kustomization(folder)["resources"]
        for document in yaml.safe_load_all((root / name).read_text())
    ]


@cache
def _kustomization(folder: str) -> Manifest:
    document: Manifest = yaml.safe_load((_folder(folder) / "kustomization.yaml").read_text())
    return document


def _folder(name: str) -> Traversable:
    """Links to k8s/ in a checkout, files in a wheel; a build that lost the links' targets has neither."""
    folder = files("pinnace.install") / "manifests" / name
    if not (folder / "kustomization.yaml").is_file():
        raise InstallError(
            f"{folder}: the manifests are missing from this build of pinnace; "
            "install a released wheel, or build it where k8s/ is beside python/"
        )
    return folder
