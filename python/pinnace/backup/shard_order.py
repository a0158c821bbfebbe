"""What a run tells the process of a shard, and what that says in the end: as JSON, since they share nothing else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pinnace.collect.collected_list import CollectedList, Span
from pinnace.collect.item_collector import Probe, Revision
from pinnace.collect.plan import ListRequest
from pinnace.engine import Digest
from pinnace.kube.discovery import ApiResource
from pinnace.store.object_store import StretchPlace
from pinnace.velero.backup import Backup
from pinnace.velero.results import Results

__all__ = ["ShardMade", "ShardOrder"]


@dataclass(frozen=True)
class ShardOrder:
    """One shard: the segments that it lists, the stretch of the archive that they become, and how it is compressed."""

    backup: Backup
    segments: tuple[tuple[Probe, ...], ...]
    place: StretchPlace
    level: str
    threads: int
    mtime_seconds: int
    log_level: str
    client_page_size: int | None
    list_encoding: str = "auto"

    @property
    def probes(self) -> tuple[Probe, ...]:
        """Every list, in order."""
        return tuple(probe for segment in self.segments for probe in segment)

    def to_json(self) -> bytes:
        """Write it, in one line."""
        return orjson.dumps({**vars(self), "backup": self.backup.to_document()})

    @classmethod
    def from_json(cls, text: bytes) -> "ShardOrder":
        """Read it."""
        document = orjson.loads(text)
        document["backup"] = Backup.from_document(document["backup"])
        document["segments"] = tuple(tuple(map(_probe, segment)) for segment in document["segments"])
        document["place"] = StretchPlace(**document["place"])
        return cls(**document)


@dataclass(frozen=True)
class ShardMade:
    """What a shard came to; `digest` is what `Archive.adopt` wants, `stretch` what `ObjectWriter.append` does."""

    digest: Mapping[str, Any]
    stretch: Mapping[str, Any]
    lists: tuple[CollectedList, ...]
    namespaces: Sequence[str]
    results: Mapping[str, Any]

    @classmethod
    def to_document(
        cls,
        digest: Digest,
        stretch: Mapping[str, Any],
        lists: Sequence[CollectedList],
        *,
        namespaces: set[str],
        results: Results,
    ) -> dict[str, Any]:
        """Write it; its lists are those of the order, and are told by their place in it."""
        names = ("archive_bytes", "archive_sha256", "tar_bytes", "member_count")
        return {
            "digest": {name: getattr(digest, name) for name in names},
            "stretch": stretch,
            "lists": [{**vars(collected), "request": None} for collected in lists],
            "namespaces": sorted(namespaces),
            "results": results.to_shared(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], order: ShardOrder) -> "ShardMade":
        """Read it."""
        lists = tuple(
            CollectedList(
                **{
                    **collected,
                    "request": probe.request,
                    "spans": [Span(**span) for span in collected["spans"]],
                    "left_out": Counter(collected["left_out"]),
                }
            )
            for probe, collected in zip(order.probes, document["lists"], strict=True)
        )
        return cls(**{**document, "lists": lists})


def _probe(document: Mapping[str, Any]) -> Probe:
    request = document["request"]
    resource = {**request["resource"], "short_names": tuple(request["resource"]["short_names"])}
    lists = {
        **request,
        "resource": ApiResource(**resource),
        "excluded_namespaces": tuple(request["excluded_namespaces"]),
    }
    return Probe(**{**document, "request": ListRequest(**lists), "revision": Revision(**document["revision"])})
