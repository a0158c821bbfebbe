"""Write items straight into a local cluster's etcd: 5 times faster than the API, and only for clusters of our own.

The apiserver serves them at once. It would have given them a uid and a creationTimestamp; here the writer does.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Final

import urllib3

from pinnace.cluster import etcd_gateway
from pinnace.errors import ClusterError

__all__ = ["batches", "count", "load", "registry_key", "transaction"]

_BATCH_ITEMS: Final = 50
"""Items of one transaction: etcd permits 128 operations."""

_BATCH_BYTES: Final = 1 << 20
"""Bytes of one transaction: etcd's default limit of a request is 1.5 MiB."""

_THREADS: Final = 4

Entry = tuple[str, bytes]


def registry_key(item: Mapping[str, Any], *, plural: str) -> str:
    """Where the apiserver keeps an item of a core kind."""
    metadata = item["metadata"]
    place = [metadata["namespace"]] if "namespace" in metadata else []
    return "/".join(["/registry", plural, *place, metadata["name"]])


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut a stream of entries so that each part fits one transaction; one item larger than that stands alone."""
    batch: list[Entry] = []
    size_bytes = 0
    for key, value in entries:
        if batch and (len(batch) == _BATCH_ITEMS or size_bytes + len(value) > _BATCH_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append((key, value))
        size_bytes += len(value)
    if batch:
        yield batch


def transaction(batch: Iterable[Entry]) -> bytes:
    """The body for `/v3/kv/txn` that puts every entry."""
    puts = [
        {"requestPut": {"key": etcd_gateway.encoded(key.encode()), "value": etcd_gateway.encoded(value)}}
        for key, value in batch
    ]
    return json.dumps({"success": puts}, separators=(",", ":")).encode()


def load(etcd_url: str, *, entries: Iterable[Entry]) -> int:
    """Put all entries and return how many; at most a few transactions per thread are in memory."""
    loaded = 0
    pending: set[Future[int]] = set()
    connections = etcd_gateway.connections(count=_THREADS)
    with ThreadPoolExecutor(_THREADS) as threads:
        for batch in batches(entries):
            pending.add(threads.submit(_put, connections, f"{etcd_url}/v3/kv/txn", batch))
            if len(pending) >= 2 * _THREADS:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                loaded += sum(future.result() for future in done)
        return loaded + sum(future.result() for future in pending)


def count(etcd_url: str, *, prefix: str) -> int:
    """How many keys start with `prefix`."""
    key = prefix.encode()
    end = etcd_gateway.encoded(etcd_gateway.end_of(key))
    question = {"key": etcd_gateway.encoded(key), "range_end": end, "count_only": True}
    answer = etcd_gateway.post(etcd_gateway.connections(), f"{etcd_url}/v3/kv/range", question)
    return int(answer.get("count", 0))


def _put(connections: urllib3.PoolManager, url: str, batch: list[Entry]) -> int:
    answer = etcd_gateway.post(connections, url, transaction(batch))
    if not answer.get("succeeded"):
        raise ClusterError(f"{url}: etcd did not accept a transaction of {len(batch)} items: {answer}")
    return len(batch)
