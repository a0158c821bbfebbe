"""A cluster of our own forgets: lists at a revision then come from etcd, as after idle time."""

import pytest

from integration.cluster_fixtures import TestedCluster
from pinnace.cluster import etcd_compaction
from pinnace.errors import KubeError
from pinnace.kube.client import Client, connect

_FETCHED = "apiserver_storage_list_fetched_objects_total{"


def newest(client: Client) -> str:
    return str(client.get("/api/v1/namespaces", {"limit": "1"})["metadata"]["resourceVersion"])


def exact(client: Client, revision: str) -> int:
    query = {"resourceVersion": revision, "resourceVersionMatch": "Exact"}
    return len(client.get("/api/v1/configmaps", query)["items"])


def fetched(cluster: TestedCluster) -> int:
    """ConfigMaps that the API server has listed in etcd so far."""
    lines = cluster.kubectl("get", "--raw", "/metrics").splitlines()
    ours = [line for line in lines if line.startswith(_FETCHED) and 'resource="configmaps"' in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in ours)


def test_after_a_compaction_lists_at_a_revision_are_read_from_etcd_and_older_revisions_are_gone(
    local_cluster: TestedCluster,
) -> None:
    client = connect(kubeconfig=local_cluster.kubeconfig)
    # A change, of which the watch cache keeps a snapshot.
    local_cluster.kubectl("create", "configmap", "compaction", "--namespace=default")
    try:
        old = newest(client)
        before = fetched(local_cluster)
        count = exact(client, old)
        assert (count > 0, fetched(local_cluster) - before) == (True, 0)
        local_cluster.kubectl("label", "configmap", "compaction", "--namespace=default", "a=b")
        etcd_compaction.forget_revisions(local_cluster.etcd)
        before = fetched(local_cluster)
        assert (exact(client, newest(client)), fetched(local_cluster) - before) == (count, count)
        with pytest.raises(KubeError, match="provided list is too old"):
            exact(client, old)
    finally:
        local_cluster.kubectl("delete", "configmap", "compaction", "--namespace=default")
