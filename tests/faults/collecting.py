"""Lists as a fake apiserver answers them, and an archive that says what came of them."""

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faults.list_server import Answer, Asked, serving
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.list_encoding import Encoding, Encodings
from pinnace.collect.plan import ListRequest
from pinnace.collect.probe import Probe, Revision
from pinnace.engine import Archive, Page, PageSummary
from pinnace.kube.discovery import ApiResource

__all__ = ["CONFIG_MAPS", "EXACT", "LARGER_THAN_A_CHUNK", "Collected", "Sink", "collect", "kind", "page", "refusal"]

CONFIG_MAPS = ApiResource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
LARGER_THAN_A_CHUNK = 300 << 10
"""So that whole items are archived before the connection ends."""

EXACT = "resourceVersion=7&resourceVersionMatch=Exact"


def kind(plural: str, *, aggregated: bool = False) -> ApiResource:
    """A kind of the group `example.com`."""
    return ApiResource(
        group="example.com",
        version="v1",
        kind=plural.title(),
        plural=plural,
        namespaced=True,
        aggregated=aggregated,
    )


def page(names: Sequence[str], *, token: str = "", revision: str = "7", value_bytes: int = 40) -> bytes:
    """A list response, metadata first as typed lists have it."""
    metadata = {"resourceVersion": revision, **({"continue": token} if token else {})}
    items = [
        {"metadata": {"name": name, "namespace": "n", "uid": f"u-{name}"}, "data": {"k": "v" * value_bytes}}
        for name in names
    ]
    return json.dumps({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": items}).encode()


def refusal(
    status: int, message: str, *, token: str = "", retry_after: str = "3", details: dict[str, str] | None = None
) -> Answer:
    """A Status."""
    document = {
        "kind": "Status",
        "metadata": {"continue": token} if token else {},
        "message": message,
        "details": details or {},
    }
    headers = {"Retry-After": retry_after} if retry_after else {}
    return Answer(json.dumps(document).encode(), status=status, headers=headers)


class Sink:
    """An archive in memory."""

    def __init__(self) -> None:
        self.archive = Archive(level="fast", mtime_seconds=0, threads=1)
        self.namespaces: dict[str, int] = {}

    def open(
        self, request: ListRequest, *, described: str, encoding: Encoding, skip_items: int, skip_uid: str | None
    ) -> Page:
        return self.archive.page(
            request=described,
            group_resource=request.resource.group_resource,
            api_version=request.resource.api_version,
            kind=request.resource.kind,
            protobuf_of=encoding.protobuf_of,
            skip_items=skip_items,
            skip_uid=skip_uid,
        )

    def take_held(self, _: ListRequest, page: Page) -> int:
        """Nothing is held here."""
        assert page.take_held() == []
        return 0

    def fed(self) -> None:
        """Nothing waits for bytes here."""

    def finished(self, _: ListRequest, summary: PageSummary) -> None:
        for namespace, count in summary.namespaces.items():
            self.namespaces[namespace] = self.namespaces.get(namespace, 0) + count

    def names(self) -> list[str]:
        """The archived items, in order."""
        self.archive.finish()
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(self.archive.take_archive()))) as tar:
            paths = [name for name in tar.getnames() if "v1-preferredversion" in name]
        return [Path(path).stem for path in paths]


@dataclass(frozen=True)
class Collected:
    """One list, and what it took."""

    result: CollectedList
    names: list[str]
    asked: Asked
    pauses: list[float]
    namespaces: dict[str, int]


def collect(
    answers: Sequence[Answer],
    *,
    folder: Path,
    resource: ApiResource = CONFIG_MAPS,
    client_page_size: int | None = 2,
    encodings: Encodings | None = None,
) -> Collected:
    """Collect one list of four items at revision 7."""
    pauses: list[float] = []
    sink = Sink()
    with serving(answers, folder=folder) as (client, asked):
        collector = ItemCollector(client, client_page_size=client_page_size, sleep=pauses.append, encodings=encodings)
        (result,) = collector.collect([Probe(ListRequest(resource), 4, Revision("7"))], sink=sink)
    return Collected(result, sink.names(), asked, pauses, sink.namespaces)
