"""Items that no compression makes much smaller, so that a backup of a few of them has many parts."""

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from integration.cluster_fixtures import TestedCluster

__all__ = ["CHANGING_KINDS", "LARGE_ITEMS", "large_items"]

_RANDOM_BYTES = 650 << 10
LARGE_ITEMS = 20
"""Of each of three kinds: 17 MB of JSON each, and 13 MB of archive."""

CHANGING_KINDS = (
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "horizontalpodautoscalers.autoscaling",
)
"""Written by the control plane all the time: two backups that differ in them are no two of the same."""


@contextmanager
def large_items(cluster: TestedCluster, *, namespace: str, count: int = LARGE_ITEMS) -> Iterator[None]:
    """Make `count` of each kind in a namespace of their own, and remove them."""
    cluster.kubectl("create", "namespace", namespace)
    try:
        for number in range(count):
            value = base64.b64encode(os.urandom(_RANDOM_BYTES)).decode()
            # Before `kube-root-ca.crt`: by the first item of a list its size is guessed.
            metadata = {"name": f"a-large-{number}", "namespace": namespace}
            items = [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": {"k": value}},
                {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"k": value}},
                {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "revision": 1}
                | {"data": {"k": value}},
            ]
            document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
            cluster.kubectl("create", "-f", "-", standard_input=document)
        yield
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
