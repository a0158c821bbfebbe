"""A real control plane loses old revisions, and its apiserver, in the middle of a list."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from faults.collecting import CONFIG_MAPS, Sink
from integration.cluster_fixtures import cluster_folder
from integration.own_cluster import OwnCluster
from pinnace.cluster import etcd_loader, local_cluster, synthetic
from pinnace.collect.collected_list import CollectedList
from pinnace.collect.item_collector import ItemCollector
from pinnace.collect.plan import ListRequest
from pinnace.collect.probe import Prober, Revision
from pinnace.engine import PageSummary
from pinnace.kube.client import connect

_FLEET = ListRequest(CONFIG_MAPS, namespace="fleet")
_NAMES = [f"device-{index:05}" for index in range(synthetic.FLEET_ITEMS)]


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[OwnCluster]:
    """Without snapshots in the watch cache, so that what etcd has forgotten is gone at once."""
    with cluster_folder() as folder:
        cluster = local_cluster.up(folder, apiserver_flags=["--feature-gates=ListFromCacheSnapshot=false"])
        own = OwnCluster(cluster)
        etcd_loader.load(cluster.etcd, entries=synthetic.fleet(created="2026-01-02T03:04:05Z"))
        try:
            yield own
        finally:
            own.end()


class TroubledSink(Sink):
    """Lets something happen after the second page."""

    def __init__(self, trouble: Callable[[], None]) -> None:
        super().__init__()
        self._trouble = trouble
        self._pages = 0

    def finished(self, request: ListRequest, summary: PageSummary) -> None:
        super().finished(request, summary)
        self._pages += 1
        if self._pages == 2:
            self._trouble()


@dataclass
class Outcome:
    """How the list went."""

    result: CollectedList
    names: list[str]
    revision: Revision
    pauses: list[float]


def collected(own: OwnCluster, *, trouble: Callable[[], None]) -> Outcome:
    """Collect the fleet in pages of 250."""
    client = connect(kubeconfig=own.cluster.kubeconfig)
    revision = Revision(client.get("/api/v1/namespaces")["metadata"]["resourceVersion"])
    sink = TroubledSink(trouble)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(seconds)

    (probe,) = Prober(client).probes([_FLEET], revision=revision)
    (result,) = ItemCollector(client, client_page_size=250, sleep=sleep).collect([probe], sink=sink)
    return Outcome(result, sink.names(), revision, pauses)


def test_a_list_that_expires_in_its_middle_goes_on_at_a_newer_revision_and_tells_after_which_item(
    own_cluster: OwnCluster,
) -> None:
    outcome = collected(own_cluster, trouble=own_cluster.write_and_compact)
    result = outcome.result
    assert (result.error, outcome.names) == ("", _NAMES)
    first, second = result.spans
    assert first.resource_version == outcome.revision.resource_version
    assert first.up_to == f"fleet/{_NAMES[first.item_count - 1]}"
    assert first.item_count >= 500
    assert int(second.resource_version) > int(first.resource_version)
    assert (first.item_count + second.item_count, result.consistency) == (5000, "kind")
    assert len(result.warnings) == 1


def test_an_apiserver_that_is_restarted_loses_nothing(own_cluster: OwnCluster) -> None:
    restart = threading.Thread(target=own_cluster.restart_apiserver)

    def trouble() -> None:
        restart.start()
        own_cluster.is_gone.wait()

    outcome = collected(own_cluster, trouble=trouble)
    restart.join()
    assert outcome.pauses
    assert (outcome.result.error, outcome.names, outcome.result.consistency) == ("", _NAMES, "revision")
    assert outcome.result.revisions == [outcome.revision.resource_version]
