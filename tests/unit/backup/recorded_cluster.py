"""A cluster that answers from recorded lists, as far as a backup asks: selectors, `limit=1`, discovery."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pinnace.errors import KubeError
from pinnace.kube.client import CHUNK_BYTES, Client
from pinnace.velero.label_selectors import matches_labels, parse_selector

__all__ = ["RecordedCluster"]

_REVISION = "7"


class _Body:
    """An answer with status 200."""

    first_byte_seconds = 0.0
    content_type = "application/json"

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __enter__(self) -> "_Body":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self) -> bytes:
        """The whole of it."""
        return self._body

    def chunks(self) -> Iterator[bytes]:
        """In pieces, as a connection gives them."""
        for start in range(0, len(self._body), CHUNK_BYTES):
            yield self._body[start : start + CHUNK_BYTES]


class RecordedCluster:
    """What `Client` promises, for reading; `asked` has the requests. A list that was empty was not recorded.

    `refused` are paths that are answered with 403, `more` are items beside the recorded ones, by path. Real servers
    do not count what a selector selects.
    """

    server = "https://recorded.example.com"
    streams_lists = True
    minor_version = "1.35"
    throttled_count = 0

    def __init__(
        self,
        folder: Path,
        *,
        refused: frozenset[str] = frozenset(),
        more: Mapping[str, list[dict[str, Any]]] | None = None,
        counts_selected: bool = True,
    ) -> None:
        self._folder = folder
        self._refused = refused
        self._more = dict(more or {})
        self._counts_selected = counts_selected
        self._bodies: dict[tuple[str, str, str, bool], bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def client(self) -> Client:
        """The same, as what it stands in for."""
        return cast(Client, self)

    def version(self) -> Mapping[str, str]:
        """Say `/version`."""
        return {"gitVersion": "v1.35.4", "major": "1", "minor": "35"}

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> Any:
        """Read a small answer and parse it."""
        del accept
        if path in ("/api", "/apis"):
            return json.loads((self._folder / f"discovery-{path.strip('/')}.json").read_bytes())
        return json.loads(self._list(path, query or {}))

    def open(self, path: str, query: Mapping[str, str], *, accept: str = "", call: object = None) -> _Body:
        """Answer a list."""
        del accept, call
        self.asked.append((path, dict(query)))
        if path in self._refused:
            raise KubeError(request=f"GET {path}", status=403, reason="forbidden")
        return _Body(self._list(path, query))

    def _list(self, path: str, query: Mapping[str, str]) -> bytes:
        selectors = (query.get("labelSelector", ""), query.get("fieldSelector", ""), query.get("limit") == "1")
        if (path, *selectors) not in self._bodies:
            self._bodies[(path, *selectors)] = self._body(path, *selectors)
        return self._bodies[(path, *selectors)]

    def _body(self, path: str, label_selector: str, field_selector: str, is_probe: bool) -> bytes:
        file = self._folder / f"{path.strip('/').replace('/', '__')}.json"
        recorded = json.loads(file.read_bytes())["items"] if file.exists() else []
        labels = parse_selector(label_selector, flag="recorded") if label_selector else {}
        name = field_selector.removeprefix("metadata.name=")
        found = [
            item
            for item in (*recorded, *self._more.get(path, ()))
            if name in ("", item["metadata"]["name"]) and matches_labels(labels, item["metadata"].get("labels") or {})
        ]
        given = found[:1] if is_probe else found
        metadata: dict[str, Any] = {"resourceVersion": _REVISION}
        if len(given) < len(found):
            metadata["continue"] = "more"
            if self._counts_selected or not label_selector:
                metadata["remainingItemCount"] = len(found) - len(given)
        return json.dumps({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": given}).encode()
