"""The slow faults: what never starts is given up after minutes, what is interrupted goes on; each says why.

Three Backups that can't start wait beside each other from the beginning, so that the whole takes as long as the
longest of them: ten minutes without a node.
"""

import base64
import json
import time
from collections.abc import Iterator

import pytest

from command import pinnace
from e2e.installation import NAMESPACE, Installation, phase
from integration.own_cluster import OwnCluster
from integration.s3_server import ACCESS_KEY, SECRET_KEY
from pinnace.kube.kinds import BACKUP_STORAGE_LOCATIONS, LEASES

pytestmark = [pytest.mark.usefixtures("credentials"), pytest.mark.thorough, pytest.mark.timeout(1200)]

_DEPLOYMENT = ("deployment/pinnace-dispatcher", f"--namespace={NAMESPACE}")
_WRONG_IMAGE = "localhost/pinnace:never-built"
_SMALL = "resources: {requests: {cpu: 10m}}"
"""So that those that wait leave the node's CPUs to those that run."""

_LONGEST_SECONDS = 900.0
_LOADED = ["load-*"]
"""The namespaces of the many items: a backup of them takes seconds."""


@pytest.fixture(scope="module")
def stuck(installation: Installation) -> Iterator[Installation]:
    """An installation in which three Backups, of a namespace each, wait for what will not come."""
    set_arguments(installation, "dispatcher", "--concurrent-backups", "5")
    for name in ("unschedulable", "wrong-image", "no-secret"):
        installation.cluster.make_namespace(f"of-{name}")
    make_doomed_location(installation)
    create_held(installation, "unschedulable", node_selector="never")
    create_held(installation, "no-secret", node_selector="later", storageLocation="doomed")
    installation.override_jobs(_SMALL)
    set_job_image(installation, _WRONG_IMAGE)
    create_with_job(installation, "wrong-image")
    installation.override_jobs("")
    set_job_image(installation, installation.cluster.image)
    installation.cluster.kubectl("delete", "secret", "doomed-credentials", f"--namespace={NAMESPACE}")
    installation.cluster.kubectl("label", "nodes", "--all", "pinnace.io/test=later")
    yield installation
    installation.cluster.kubectl("label", "nodes", "--all", "pinnace.io/test-")
    installation.cluster.kubectl("delete", "bsl", "doomed", f"--namespace={NAMESPACE}")
    set_arguments(installation, "dispatcher", "--concurrent-backups", "2")


@pytest.fixture(scope="session")
def own_cluster(installation: Installation) -> Iterator[OwnCluster]:
    """The session's cluster, whose apiserver is restarted; the new one lives as long as the session."""
    own = OwnCluster(installation.cluster.cluster)
    yield own
    own.end()


def make_doomed_location(installation: Installation) -> None:
    """A second location in the same bucket, with a Secret of its own."""
    keys = f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
    location = installation.cluster.get(BACKUP_STORAGE_LOCATIONS, "default", namespace=NAMESPACE)
    assert location is not None
    spec = location["spec"] | {"default": False, "credential": {"name": "doomed-credentials", "key": "cloud"}}
    spec["objectStorage"] = spec["objectStorage"] | {"prefix": "doomed"}
    metadata = {"namespace": NAMESPACE}
    installation.cluster.apply(
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata | {"name": "doomed-credentials"},
            "data": {"cloud": base64.b64encode(keys.encode()).decode()},
        },
        {
            "apiVersion": location["apiVersion"], "kind": location["kind"],
            "metadata": metadata | {"name": "doomed"}, "spec": spec,
        },
    )  # fmt: skip
    installation.cluster.wait_for(
        BACKUP_STORAGE_LOCATIONS, "doomed", namespace=NAMESPACE, what="to be Available",
        until=lambda found: phase(found) == "Available",
    )  # fmt: skip


def set_arguments(installation: Installation, *arguments: str) -> None:
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": list(arguments)}]
    installation.cluster.kubectl("patch", *_DEPLOYMENT, "--type=json", f"--patch={json.dumps(patch)}")
    wait_for_rollout(installation)


def set_job_image(installation: Installation, image: str) -> None:
    installation.cluster.kubectl("set", "env", *_DEPLOYMENT, f"PINNACE_JOB_IMAGE={image}")
    wait_for_rollout(installation)


def wait_for_rollout(installation: Installation) -> None:
    """Until only the new dispatcher is there, and leads."""
    installation.cluster.kubectl("rollout", "status", *_DEPLOYMENT, "--timeout=120s")
    selector = "--selector=app.kubernetes.io/name=pinnace-dispatcher"
    deadline = time.monotonic() + 120
    while True:
        names = installation.cluster.kubectl("get", "pods", f"-n{NAMESPACE}", selector, "-oname").split()
        lease = installation.cluster.get(LEASES, "pinnace-dispatcher", namespace=NAMESPACE)
        if names == [f"pod/{lease and lease['spec'].get('holderIdentity')}"]:
            return
        assert time.monotonic() < deadline, installation.cluster.situation(NAMESPACE)
        time.sleep(0.5)


def create_held(installation: Installation, name: str, *, node_selector: str, **spec: str) -> None:
    """Create a Backup whose pod waits for a node with that label."""
    installation.override_jobs(f"{_SMALL}\npodSpec: {{nodeSelector: {{pinnace.io/test: {node_selector}}}}}")
    create_with_job(installation, name, **spec)


def create_with_job(installation: Installation, name: str, **spec: str) -> None:
    installation.create(name, includedNamespaces=[f"of-{name}"], **spec)
    installation.wait_for_event(name, "JobCreated")
    installation.wait(name, until=lambda backup: phase(backup) == "InProgress")


def assert_given_up(installation: Installation, name: str, *parts: str) -> None:
    """Failed for that reason, told, counted, its Job gone, its log there, and nothing else in the bucket."""
    status = installation.wait(name, timeout_seconds=_LONGEST_SECONDS)["status"]
    assert status["phase"] == "Failed"
    assert "completionTimestamp" in status
    for part in (*parts, "attempt 1 of 3"):
        assert part in status["failureReason"]
    assert ("Warning", "Failed") in installation.wait_for_event(name, "Failed")
    deadline = time.monotonic() + 60
    while installation.job_of(name) is not None or installation.pods_of(name):
        assert time.monotonic() < deadline, installation.cluster.situation(NAMESPACE)
        time.sleep(0.5)
    assert installation.bucket_state(name) == ([], [])


def test_a_pod_that_is_evicted_gets_another_attempt(stuck: Installation) -> None:
    stuck.create("evicted", includedNamespaces=_LOADED)
    name = stuck.running_pod("evicted")["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE}}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction"
    stuck.cluster.kubectl("create", "--raw", path, "--filename=-", standard_input=json.dumps(eviction))
    retried = stuck.wait("evicted", until=lambda backup: "attempt 2 of 3" in str(backup["status"].get("failureReason")))
    assert f"pod {name} was evicted from node" in retried["status"]["failureReason"]
    backup = stuck.wait("evicted", timeout_seconds=240)
    assert (phase(backup), "failureReason" in backup["status"]) == ("Completed", False)
    assert pinnace("backup", "verify", "evicted", "--store", stuck.store_url).returncode == 0
    events = stuck.wait_for_event("evicted", "Completed")
    assert events == [
        ("Normal", "JobCreated"),
        ("Normal", "Started"),
        ("Warning", "Retrying"),
        ("Normal", "Completed"),
    ]


def test_an_apiserver_that_is_restarted_in_mid_run_loses_neither_backup_nor_dispatcher(
    stuck: Installation, own_cluster: OwnCluster
) -> None:
    """Away for longer than the dispatcher's Lease can be without it."""
    stuck.create("apiserver-restarted", includedNamespaces=_LOADED)
    stuck.wait_for_upload("apiserver-restarted")
    own_cluster.restart_apiserver(after_seconds=15)
    own_cluster.wait()
    backup = stuck.wait("apiserver-restarted", timeout_seconds=240)
    assert phase(backup) == "Completed", backup["status"]
    assert len(stuck.pods_of("apiserver-restarted")) == 1
    assert pinnace("backup", "verify", "apiserver-restarted", "--store", stuck.store_url).returncode == 0
    wait_for_rollout(stuck)
    assert ("Normal", "Completed") in stuck.wait_for_event("apiserver-restarted", "Completed")


def test_an_image_that_is_not_there_is_named(stuck: Installation) -> None:
    assert_given_up(stuck, "wrong-image", _WRONG_IMAGE, "can't be pulled", "correct the image of the Jobs")
    assert "can't be pulled" in stuck.log_of("wrong-image").splitlines()[-1]


def test_a_secret_that_went_after_the_validation_is_named(stuck: Installation) -> None:
    """Its location can't be looked at either; but no attempt ran, so that nothing can be in the bucket."""
    assert_given_up(stuck, "no-secret", "Secret doomed-credentials does not exist; create it")
    assert "can't be looked at" not in stuck.wait("no-secret")["status"]["failureReason"]


def test_a_pod_that_finds_no_node_says_what_the_scheduler_says(stuck: Installation) -> None:
    assert_given_up(stuck, "unschedulable", "found no node in 10 minutes", "didn't match Pod's node affinity/selector")
