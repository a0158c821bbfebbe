"""Server-side apply: the server merges a document into what is there, and knows which fields are whose."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import orjson

from pinnace.errors import KubeError
from pinnace.kube.client import Client

__all__ = ["Applied", "Applier"]

_CONTENT_TYPE = "application/apply-patch+yaml"
"""JSON is YAML, and every server since 1.16 takes this type."""


class Applied(StrEnum):
    """What an apply did, in kubectl's words."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


class Applier:
    """Applies documents of any kind that the server serves, under the name of one field manager.

    Where a kind is found is asked once for each group version, and again as long as it is not there.
    """

    def __init__(self, client: Client, *, field_manager: str) -> None:
        self._client = client
        self._field_manager = field_manager
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def apply(self, document: Mapping[str, Any], *, force: bool = False) -> Applied:
        """Apply one document; without `force`, a field that another manager set to another value is a 409."""
        path = self._path(document)
        before = self.read(document)
        query = {"fieldManager": self._field_manager, "force": "true" if force else "false"}
        body = orjson.dumps(document).decode()
        after = self._client.send("PATCH", path, query=query, body=body, content_type=_CONTENT_TYPE)
        if before is None:
            return Applied.CREATED
        same = before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
        return Applied.UNCHANGED if same else Applied.CONFIGURED

    def read(self, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Read what the server has under the document's kind and name; None where there is nothing."""
        try:
            found: dict[str, Any] = self._client.get(self._path(document))
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        return found

    def delete(self, document: Mapping[str, Any]) -> bool:
        """Delete what is under the document's kind and name; False where there is nothing."""
        try:
            self._client.send("DELETE", self._path(document))
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True

    def is_served(self, document: Mapping[str, Any]) -> bool:
        """Tell whether the server knows the document's kind."""
        return self._resource(document) is not None

    def _path(self, document: Mapping[str, Any]) -> str:
        resource = self._resource(document)
        if resource is None:
            kind, api_version = document["kind"], document["apiVersion"]
            raise KubeError(
                request=f"apply {kind}", status=404, reason=f"the server has no {kind} of {api_version}",
                fix="install its CRD first",
            )  # fmt: skip
        plural, namespaced = resource
        metadata = document["metadata"]
        scope = f"namespaces/{metadata['namespace']}/" if namespaced else ""
        return f"{_root(document['apiVersion'])}/{scope}{plural}/{metadata['name']}"

    def _resource(self, document: Mapping[str, Any]) -> tuple[str, bool] | None:
        api_version, kind = str(document["apiVersion"]), str(document["kind"])
        if kind not in self._kinds.get(api_version, {}):
            self._kinds[api_version] = self._served(api_version)
        return self._kinds[api_version].get(kind)

    def _served(self, api_version: str) -> dict[str, tuple[str, bool]]:
        """Kinds of a group version: plural, and whether they have namespaces; none where it is not served."""
        try:
            answer = self._client.get(_root(api_version))
        except KubeError as error:
            if error.status == 404:
                return {}
            raise
        found = [entry for entry in answer["resources"] if "/" not in entry["name"]]
        return {str(entry["kind"]): (str(entry["name"]), bool(entry["namespaced"])) for entry in found}


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
