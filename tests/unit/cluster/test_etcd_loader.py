"""Transactions for etcd's HTTP gateway: keys, bodies, and how many items fit one."""

import base64
import json

from pinnace.cluster import etcd_loader


def test_keys_are_those_of_the_apiserver() -> None:
    namespaced = {"metadata": {"name": "b", "namespace": "a"}}
    assert etcd_loader.registry_key(namespaced, plural="configmaps") == "/registry/configmaps/a/b"
    assert etcd_loader.registry_key({"metadata": {"name": "b"}}, plural="nodes") == "/registry/nodes/b"


def test_a_batch_ends_at_50_items() -> None:
    entries = [(f"/k/{index}", b"x") for index in range(120)]
    cut = list(etcd_loader.batches(entries))
    assert [len(batch) for batch in cut] == [50, 50, 20]
    assert [entry for batch in cut for entry in batch] == entries


def test_a_batch_ends_before_a_mebibyte_and_a_larger_item_stands_alone() -> None:
    sizes = [600_000, 600_000, 2_000_000, 10]
    cut = etcd_loader.batches((f"/k/{size}", b"x" * size) for size in sizes)
    assert [[len(value) for _, value in batch] for batch in cut] == [[600_000], [600_000], [2_000_000], [10]]


def test_a_transaction_puts_every_entry_in_base64() -> None:
    put = {"key": base64.b64encode(b"/k").decode(), "value": base64.b64encode(b"\x00v").decode()}
    assert json.loads(etcd_loader.transaction([("/k", b"\x00v")])) == {"success": [{"requestPut": put}]}
