"""Lists of a real apiserver: paged or not they make one archive, at one revision, whatever is written meanwhile."""

from dataclasses import dataclass

import pytest

from faults.collecting import CONFIG_MAPS, Sink
from integration.cluster_fixtures import TestedCluster
from pinnace.cluster import synthetic
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.plan import ListRequest
from pinnace.collect.probe import Prober, Revision
from pinnace.kube.client import Client, connect

_FLEET = ListRequest(CONFIG_MAPS, namespace="fleet")
_COUNT = synthetic.FLEET_ITEMS + 1
"""And `kube-root-ca.crt`, which the controller manager puts into each namespace."""


@dataclass(frozen=True)
class Archived:
    """How the list went, and the archive that it made."""

    result: CollectedList
    sha256: str


def archived(client: Client, *, revision: Revision, client_page_size: int | None) -> Archived:
    """Collect the fleet's 5,000 ConfigMaps."""
    sink = Sink()
    (probe,) = Prober(client).probes([_FLEET], revision=revision)
    (result,) = ItemCollector(client, client_page_size=client_page_size).collect([probe], sink=sink)
    digest = sink.archive.finish()
    return Archived(result, digest.archive_sha256)


@pytest.fixture(scope="module")
def client(local_cluster: TestedCluster) -> Client:
    client = connect(kubeconfig=local_cluster.kubeconfig)
    client.version()
    return client


@pytest.fixture(scope="module")
def revision(client: Client) -> Revision:
    return Revision(client.get("/api/v1/namespaces")["metadata"]["resourceVersion"])


@pytest.mark.parametrize(("client_page_size", "page_count"), [(500, 11), (1999, 3), (5000, 2), (None, 1)])
def test_pages_of_any_size_make_the_same_archive_as_one_response(
    client: Client, revision: Revision, client_page_size: int | None, page_count: int
) -> None:
    whole = archived(client, revision=revision, client_page_size=0)
    paged = archived(client, revision=revision, client_page_size=client_page_size)
    assert (whole.result.item_count, whole.result.page_count) == (_COUNT, 1)
    assert (paged.result.item_count, paged.result.page_count) == (_COUNT, page_count)
    assert paged.sha256 == whole.sha256


def test_a_list_at_a_revision_does_not_see_what_was_written_after_it(
    local_cluster: TestedCluster, client: Client, revision: Revision
) -> None:
    local_cluster.kubectl("create", "configmap", "later", "--namespace", "fleet")
    try:
        exact = archived(client, revision=revision, client_page_size=500)
        newest = archived(client, revision=Revision(), client_page_size=500)
    finally:
        local_cluster.kubectl("delete", "configmap", "later", "--namespace", "fleet")
    assert (exact.result.item_count, exact.result.consistency) == (_COUNT, "revision")
    assert exact.result.revisions == [revision.resource_version]
    assert (newest.result.item_count, newest.result.consistency) == (_COUNT + 1, "kind")


def test_a_probe_of_a_revision_that_the_server_does_not_know_yet_falls_back_with_a_warning(client: Client) -> None:
    (probe,) = Prober(client).probes([_FLEET], revision=Revision("999999999"))
    assert (probe.item_count, probe.revision, probe.error) == (_COUNT, Revision(), None)
    assert probe.warning.startswith("can't be listed at revision 999999999, and is listed at its newest: ")


def test_a_probe_counts_and_weighs(client: Client, revision: Revision) -> None:
    selected = ListRequest(CONFIG_MAPS, namespace="fleet", label_selector="no=such")
    counted, uncounted = Prober(client).probes([_FLEET, selected], revision=revision)
    assert (counted.item_count, counted.is_counted, counted.warning) == (_COUNT, True, "")
    assert (uncounted.item_count, uncounted.is_counted) == (0, True)
