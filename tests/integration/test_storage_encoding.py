"""What is loaded straight into etcd lies there as the API server would keep it, and is served as it was made."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from integration import etcd
from integration.cluster_fixtures import TestedCluster
from pinnace.bench.load import CREATED, Wanted, items
from pinnace.cluster import etcd_gateway, etcd_loader, storage_encoding
from pinnace.errors import ClusterError
from pinnace.kube.client import connect

_LOADED = [
    item
    for item in items(Wanted(400), created=CREATED)
    if item.namespace == "bench-00" and item.kind.plural != "widgets"
]


@pytest.fixture
def loaded(local_cluster: TestedCluster) -> Iterator[TestedCluster]:
    local_cluster.kubectl("create", "namespace", "bench-00")
    entries = [(item.registry_key, orjson.dumps(item.document)) for item in _LOADED]
    etcd_loader.load(local_cluster.etcd, entries=storage_encoding.stored(entries, report=print))
    yield local_cluster
    # Pods that no kubelet knows would keep the namespace for ever.
    for item in _LOADED:
        etcd.delete(local_cluster.etcd, prefix=item.registry_key)
    local_cluster.kubectl("delete", "namespace", "bench-00", "--wait=false")


def test_items_are_protobuf_in_etcd_and_come_back_with_all_that_they_were_made_of(loaded: TestedCluster) -> None:
    client = connect(kubeconfig=loaded.kubeconfig)
    for item in _LOADED:
        path = f"{item.kind.path(item.namespace)}/{item.document['metadata']['name']}"
        assert _kept(loaded.etcd, item.registry_key).startswith(b"k8s\x00"), path
        assert _lost(item.document, client.get(path)) == [], path
    assert len({item.kind.plural for item in _LOADED}) > 4


def test_a_custom_resource_stays_json() -> None:
    widget = next(item for item in items(Wanted(400), created=CREATED) if item.kind.plural == "widgets")
    entry = (widget.registry_key, orjson.dumps(widget.document))
    assert list(storage_encoding.stored([entry], report=print)) == [entry]


def test_what_is_no_object_is_named_by_its_number() -> None:
    entries = [
        ("/registry/pods/n/p", json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 3}}).encode())
    ]
    with pytest.raises(ClusterError, match="object 1: json: cannot unmarshal number"):
        list(storage_encoding.stored(entries, report=print))


def test_a_source_that_fails_fails_the_load() -> None:
    def entries() -> Iterator[etcd_loader.Entry]:
        yield "/registry/pods/n/p", b'{"apiVersion":"v1","kind":"Pod"}'
        raise BrokenPipeError("of the source")

    with pytest.raises(BrokenPipeError, match="of the source"):
        list(storage_encoding.stored(entries(), report=print))


def _kept(etcd_url: str, key: str) -> bytes:
    question = {"key": etcd_gateway.encoded(key.encode())}
    answer = etcd_gateway.post(etcd_gateway.connections(), f"{etcd_url}/v3/kv/range", question)
    return base64.b64decode(answer["kvs"][0]["value"])


def _lost(made: Any, served: Any, *, place: str = "") -> list[str]:
    """Paths at which what is served lacks something that is not empty, or has another value; it may have more."""
    if isinstance(made, dict) and isinstance(served, dict):
        return [lost for key, value in made.items() for lost in _lost(value, served.get(key), place=f"{place}.{key}")]
    if isinstance(made, list) and isinstance(served, list) and len(made) == len(served):
        pairs = zip(made, served, strict=True)
        return [lost for at, pair in enumerate(pairs) for lost in _lost(*pair, place=f"{place}[{at}]")]
    return [] if made == served or (served is None and not made) else [place]
