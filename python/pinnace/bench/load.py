"""Fill a cluster with the mix: by creates through the API, or straight into the etcd of a local cluster."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

import orjson

from pinnace.bench import mix
from pinnace.bench.mix import Item, Mix
from pinnace.cluster import etcd_loader, storage_encoding
from pinnace.errors import BenchError, KubeError
from pinnace.kube.client import Client

__all__ = ["CREATED", "Wanted", "items", "load", "load_direct"]

CREATED: Final = "2026-01-02T03:04:05Z"
"""Of items that no API server made; a constant, so that two loads give the same bytes."""

_THREADS: Final = 8
"""As many as the client keeps connections; the API server of a small machine takes no more from more of them."""

_READY_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.2
_NOT_FOUND, _CONFLICT = 404, 409

Report = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What is to be there: items `first` to `objects` of the seed's mix, and `large` ConfigMaps of 1 MB besides."""

    objects: int
    large: int = 0
    seed: int = 1
    first: int = 0


def items(wanted: Wanted, *, created: str) -> Iterator[Item]:
    """Make them one after the other."""
    made = Mix(seed=wanted.seed, created=created)
    yield from map(made.item, range(wanted.first, wanted.objects))
    yield from map(made.large_item, range(wanted.large))


def load(client: Client, wanted: Wanted, *, report: Report) -> int:
    """Create what is not there yet through the API, some hundred a second; gives how many were made."""
    _prepare(client, needs_accounts=True)
    started = time.monotonic()
    made = sum(_in_threads(lambda item: _create(client, item), items(wanted, created="")))
    report(f"created {made:,} objects in {time.monotonic() - started:.0f} s")
    return made


def load_direct(client: Client, etcd_url: str, wanted: Wanted, *, report: Report) -> int:
    """Write them into etcd as the API server would, some thousand a second; gives how many.

    The API server serves them at once. Items that are there already are written again, the same.
    """
    _prepare(client, needs_accounts=False)
    started = time.monotonic()
    entries = ((item.registry_key, orjson.dumps(item.document)) for item in items(wanted, created=CREATED))
    loaded = etcd_loader.load(etcd_url, entries=storage_encoding.stored(entries, report=report))
    report(f"wrote {loaded:,} objects into etcd in {time.monotonic() - started:.0f} s")
    return loaded


def _prepare(client: Client, *, needs_accounts: bool) -> None:
    """Namespaces and the custom kind; waits until items are taken, Pods only beside their ServiceAccount."""
    _send(client, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", mix.CRD)
    paths = ["/apis/bench.pinnace.io/v1/widgets"]
    for name in mix.namespaces():
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        _send(client, "/api/v1/namespaces", document)
        if needs_accounts:
            paths.append(f"/api/v1/namespaces/{name}/serviceaccounts/default")
    deadline = time.monotonic() + _READY_SECONDS
    for path in paths:
        while not _is_there(client, path):
            if time.monotonic() > deadline:
                raise BenchError(f"{client.server}{path}: not there {_READY_SECONDS:.0f} s after it was asked for")
            time.sleep(_POLL_SECONDS)


def _create(client: Client, item: Item) -> bool:
    return _send(client, item.kind.path(item.namespace), item.document)


def _send(client: Client, path: str, document: object) -> bool:
    """Create one; False where it is there already."""
    try:
        client.send("POST", path, body=document)
    except KubeError as error:
        if error.status != _CONFLICT:
            raise
        return False
    return True


def _is_there(client: Client, path: str) -> bool:
    try:
        client.get(path, {"limit": "1"})
    except KubeError as error:
        if error.status != _NOT_FOUND:
            raise
        return False
    return True


def _in_threads(act: Callable[[Item], bool], made: Iterable[Item]) -> Iterator[bool]:
    """Act on each in threads; a few for each thread are in memory."""
    rest = iter(made)
    with ThreadPoolExecutor(_THREADS) as threads:
        pending: set[Future[bool]] = {threads.submit(act, item) for item in itertools.islice(rest, 2 * _THREADS)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
            pending |= {threads.submit(act, item) for item in itertools.islice(rest, len(done))}
