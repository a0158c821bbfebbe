"""The local cluster is a real one, holds the samples, and leaves nothing behind."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from integration.cluster_fixtures import TestedCluster, cluster_folder
from pinnace.cluster import kubectl, local_cluster, samples, synthetic, versions
from pinnace.errors import ClusterError

_SAMPLE_NAMESPACES = ("awkward", "data", "empty", "fleet", "ignored", "shop")


@pytest.fixture
def second_folder() -> Iterator[Path]:
    with cluster_folder() as folder:
        yield folder


def test_up_of_a_running_cluster_finds_it(local_cluster: TestedCluster) -> None:
    again = _up(local_cluster.cluster.folder)
    assert again == local_cluster.cluster


def test_applying_the_samples_again_changes_nothing(local_cluster: TestedCluster) -> None:
    before = _versions_of_samples(local_cluster)
    samples.apply(local_cluster.cluster)
    assert _versions_of_samples(local_cluster) == before


def test_every_sample_document_is_served(local_cluster: TestedCluster) -> None:
    wanted, served = Counter[str](), Counter[str]()
    for path in (versions.modules_folder() / "samples").glob("*.yaml"):
        documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
        wanted.update(_identity(document) for document in documents)
        found = json.loads(local_cluster.kubectl("get", f"--filename={path}", "--output=json"))
        served.update(_identity(document) for document in found.get("items", [found]))
    assert served == wanted


def test_the_fleet_has_5000_configmaps(local_cluster: TestedCluster) -> None:
    first = json.loads(local_cluster.kubectl("get", "--raw=/api/v1/namespaces/fleet/configmaps?limit=500"))
    names = local_cluster.kubectl("get", "configmaps", "--namespace=fleet", "--output=name").split()
    devices = [name for name in names if name.startswith("configmap/device-")]
    assert first["metadata"]["continue"]
    assert devices == [f"configmap/device-{index:05}" for index in range(synthetic.FLEET_ITEMS)]


def test_control_characters_arrive_unchanged(local_cluster: TestedCluster) -> None:
    found = json.loads(local_cluster.kubectl("get", "--raw=/api/v1/namespaces/awkward/configmaps/controls"))
    assert "".join(found["data"].values()) == "".join(chr(code) for code in range(0xA0) if not 0x20 <= code < 0x7F)


def test_the_broken_aggregated_api_does_not_answer(local_cluster: TestedCluster) -> None:
    conditions = "--output=jsonpath={.status.conditions[?(@.type=='Available')].status}"
    assert local_cluster.kubectl("get", "apiservice", "v1beta1.broken.example.com", conditions) == "False"


def test_a_second_cluster_runs_beside_it_and_down_leaves_nothing(
    local_cluster: TestedCluster, second_folder: Path
) -> None:
    second = _up(second_folder)
    assert second.server != local_cluster.server
    assert (
        "namespace/shop" not in kubectl.run("get", "namespaces", "--output=name", kubeconfig=second.kubeconfig).split()
    )
    assert synthetic.load(second, objects=300) == 300
    _wait_for_pods(second, count=100)

    assert _down(second_folder)
    assert [pid for pid in second.pids.values() if _runs(pid)] == []
    assert not second_folder.exists()
    assert not _down(second_folder)
    assert json.loads(local_cluster.kubectl("get", "--raw=/version"))["gitVersion"] == "v1.35.4"


def test_kept_contents_are_there_after_the_next_start(second_folder: Path) -> None:
    first = _up(second_folder)
    kubectl.run("create", "namespace", "kept", kubeconfig=first.kubeconfig)
    _down(second_folder, keep_contents=True)
    assert not _status(second_folder).running

    second = _up(second_folder)
    assert second.pids.keys() == first.pids.keys()
    kubectl.run("get", "namespace", "kept", kubeconfig=second.kubeconfig)
    assert _status(second_folder).ready

    _end_controllers(second_folder)
    running = {program.name: program.running for program in _status(second_folder).programs}
    assert running == {
        "etcd": True, "kube-apiserver": True, "kube-controller-manager": False, "kube-scheduler": False,
    }  # fmt: skip
    assert _status(second_folder).ready
    kubectl.run("get", "namespace", "kept", kubeconfig=_up(second_folder).kubeconfig)
    assert _status(second_folder).running


def test_a_start_that_fails_says_why_and_leaves_no_process(second_folder: Path) -> None:
    with pytest.raises(
        ClusterError, match=r"(?s)kube-apiserver ended while it was started.*unknown flag: --no-such-flag"
    ):
        _up(second_folder, apiserver_flags=["--no-such-flag"])
    assert {program.name: program.running for program in _status(second_folder).programs} == {
        "etcd": False,
        "kube-apiserver": False,
    }


# The fixture has the module's name, so that tests can't reach the module by it.
_up, _down, _status = local_cluster.up, local_cluster.down, local_cluster.status
_end_controllers = local_cluster.end_controllers


def _wait_for_pods(cluster: local_cluster.LocalCluster, *, count: int) -> None:
    """Until they are served: they were written past the apiserver, whose watch cache hears of them a little later."""
    deadline = time.monotonic() + 30
    arguments = ("get", "pods", "--all-namespaces", "--output=name")
    while len(found := kubectl.run(*arguments, kubeconfig=cluster.kubeconfig).split()) != count:
        assert time.monotonic() < deadline, f"{len(found)} pods"
        time.sleep(0.2)


def _identity(document: dict[str, object]) -> str:
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    return f"{document['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def _versions_of_samples(cluster: TestedCluster) -> dict[str, str]:
    """Name to resourceVersion of the samples' ConfigMaps; other kinds have a status that controllers write meanwhile.

    Those of other tests' namespaces go with their namespace at any time.
    """
    listed = json.loads(cluster.kubectl("get", "--raw=/api/v1/configmaps"))
    found = [item["metadata"] for item in listed["items"]]
    return {
        f"{metadata['namespace']}/{metadata['name']}": metadata["resourceVersion"]
        for metadata in found
        if metadata["namespace"] in _SAMPLE_NAMESPACES
    }


def _runs(pid: int) -> bool:
    """Whether it is there, and not only waits to be noticed by its parent."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
