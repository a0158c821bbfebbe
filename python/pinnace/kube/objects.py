"""Single objects of the API server: read, create, merge-patch and delete, as plain documents."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pinnace.errors import KubeError
from pinnace.kube.client import Client

__all__ = ["Kind", "Objects"]

_NOT_FOUND = 404
_CONFLICT = 409
_NAME = re.compile(r"(?!\.{1,2}$)[^/%]+")
"""What the API server takes as a segment of a path; a name may come from a user's document."""


class Kind:
    """Where the objects of a kind are served: `Kind("velero.io/v1", "backups")`."""

    def __init__(self, api_version: str, plural: str) -> None:
        self.api_version = api_version
        self.plural = plural

    def path(self, *, namespace: str = "", name: str = "") -> str:
        """The path of one object, or of the list."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        place = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{place}/{self.plural}" + (f"/{name}" if name else "")


class Objects:
    """The objects of one kind in one namespace."""

    def __init__(self, client: Client, kind: Kind, *, namespace: str = "") -> None:
        self._client = client
        self._kind = kind
        self._namespace = namespace

    def get(self, name: str) -> dict[str, Any] | None:
        """Read one; None where it does not exist, as nothing does whose name would be another path."""
        if not _NAME.fullmatch(name):
            return None
        try:
            document: dict[str, Any] = self._client.get(self._path(name))
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return document

    def list(self, *, label_selector: str = "") -> list[dict[str, Any]]:
        """Read all; for kinds of which a namespace holds few."""
        query = {"labelSelector": label_selector} if label_selector else {}
        return list(self._client.get(self._path(), query).get("items") or [])

    def each(self, *, label_selector: str) -> Iterator[dict[str, Any]]:
        """Read all that have some labels, however many: a page is held at a time."""
        for page in self._client.pages(self._path(), {"labelSelector": label_selector}):
            yield from page.get("items") or []

    def create(self, document: Mapping[str, Any]) -> bool:
        """Create; False where the name is taken already, which a repeated step finds and goes on from."""
        try:
            self._client.send("POST", self._path(), body=dict(document))
        except KubeError as error:
            if error.status == _CONFLICT:
                return False
            raise
        return True

    def merge_patch(self, name: str, patch: Mapping[str, Any], *, subresource: str = "") -> dict[str, Any] | None:
        """Change only the given fields (RFC 7386), so that fields of newer CRDs stay; None where it does not exist.

        Without `subresource` the main resource is patched: Velero's kinds have none for their status.
        """
        path = f"{self._path(name)}/{subresource}" if subresource else self._path(name)
        try:
            document: dict[str, Any] = self._client.send(
                "PATCH", path, body=dict(patch), content_type="application/merge-patch+json"
            )
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return document

    def patch_unchanged(self, document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any] | None:
        """Change only what was read: a merge patch, refused (409) where somebody else wrote in between."""
        metadata = document["metadata"]
        version = {"resourceVersion": metadata["resourceVersion"]}
        return self.merge_patch(metadata["name"], {**patch, "metadata": {**(patch.get("metadata") or {}), **version}})

    def delete(self, name: str, *, uid: str = "") -> bool:
        """Delete with its dependents in the background; with `uid` only that very object. False where it is gone."""
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            self._client.send("DELETE", self._path(name), body=options)
        except KubeError as error:
            if error.status in (_NOT_FOUND, _CONFLICT):
                return False
            raise
        return True

    def _path(self, name: str = "") -> str:
        return self._kind.path(namespace=self._namespace, name=name)
