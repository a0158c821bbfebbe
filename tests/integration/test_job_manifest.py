"""What the dispatcher makes is accepted by a real API server, in a namespace of restricted pod security."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from integration.cluster_fixtures import TestedCluster
from integration.velero_kinds import apply_crds, make_backup
from pinnace.dispatcher.job import JobSettings, StoreAccess, job_manifest, rights
from pinnace.dispatcher.job_overrides import JobOverrides, read_overrides
from pinnace.errors import ClusterError

_NAMESPACE = "pinnace-job-manifest"
_RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
_SETTINGS = JobSettings(namespace=_NAMESPACE, image="registry.example/pinnace:1")
_ACCESS = StoreAccess(secret_name="cloud-credentials", secret_key="cloud")
_OVERRIDES = """
labels: {team: storage}
podLabels: {mesh: "off"}
podAnnotations: {inject: "false"}
podSpec:
  nodeSelector: {disk: fast}
  imagePullSecrets: [{name: registry}]
  priorityClassName: system-cluster-critical
  tolerations: [{key: backup, operator: Exists}]
resources: {limits: {memory: 512Mi, cpu: null}, requests: {cpu: 100m}}
env: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
attempts: 1
"""


def _backup(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": "5d9f6d0e-0b6e-4d0c-8a51-5f0a0a2f1c11"}}


@pytest.fixture(scope="module")
def namespace(local_cluster: TestedCluster) -> Iterator[TestedCluster]:
    local_cluster.kubectl("create", "namespace", _NAMESPACE)
    local_cluster.kubectl("label", "namespace", _NAMESPACE, _RESTRICTED)
    local_cluster.kubectl("create", "serviceaccount", "pinnace-backup", "-n", _NAMESPACE)
    yield local_cluster
    local_cluster.kubectl("delete", "namespace", _NAMESPACE, "--wait=false")


def _dry_run(cluster: TestedCluster, document: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server would store it; unknown fields are errors, as `kubectl create` asks for."""
    arguments = ("create", "-f", "-", "--dry-run=server", "--validate=strict", "-o", "json")
    made: dict[str, Any] = json.loads(cluster.kubectl(*arguments, standard_input=json.dumps(document)))
    return made


def _pod(job: dict[str, Any]) -> dict[str, Any]:
    """The pod that the Job controller would make of the template."""
    template = job["spec"]["template"]
    metadata = {**template["metadata"], "name": "probe", "namespace": _NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


@pytest.mark.parametrize("name", ["nightly", "shop.eu.2026", "x" * 253])
@pytest.mark.parametrize("overrides", [JobOverrides(), read_overrides({"data": {"job.yaml": _OVERRIDES}})])
@pytest.mark.parametrize("access", [_ACCESS, StoreAccess()])
def test_the_job_is_accepted_and_keeps_what_its_promises_rest_on(
    namespace: TestedCluster, name: str, overrides: JobOverrides, access: StoreAccess
) -> None:
    document = job_manifest(_backup(name), settings=_SETTINGS.with_overrides(overrides), access=access)
    made = _dry_run(namespace, document)
    kept = ("suspend", "backoffLimit", "activeDeadlineSeconds", "podReplacementPolicy", "podFailurePolicy")
    assert {key: made["spec"][key] for key in kept} == {key: document["spec"][key] for key in kept}
    assert made["spec"]["completions"] == made["spec"]["parallelism"] == 1


@pytest.mark.parametrize(("name", "shards"), [("nightly", 2), ("x" * 253, 32)])
def test_an_indexed_job_is_accepted_whole_also_with_the_longest_name(
    namespace: TestedCluster, name: str, shards: int
) -> None:
    document = job_manifest(_backup(name), settings=replace(_SETTINGS, shards=shards), access=_ACCESS)
    made = _dry_run(namespace, document)
    kept = (
        "completionMode", "completions", "parallelism", "backoffLimitPerIndex", "maxFailedIndexes", "successPolicy",
        "podReplacementPolicy", "podFailurePolicy",
    )  # fmt: skip
    assert {key: made["spec"][key] for key in kept} == {key: document["spec"][key] for key in kept}


@pytest.mark.parametrize("access", [_ACCESS, StoreAccess()])
def test_the_jobs_pod_is_accepted_under_restricted_pod_security(namespace: TestedCluster, access: StoreAccess) -> None:
    made = _dry_run(namespace, _pod(job_manifest(_backup("nightly"), settings=_SETTINGS, access=access)))
    assert made["status"]["qosClass"] == "Guaranteed"


def test_restricted_pod_security_is_really_enforced_here(namespace: TestedCluster) -> None:
    pod = _pod(job_manifest(_backup("nightly"), settings=_SETTINGS, access=_ACCESS))
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(ClusterError, match=r'violates PodSecurity "restricted:latest": unrestricted capabilities'):
        _dry_run(namespace, pod)


def test_the_job_can_be_resumed_and_be_given_a_time_to_live(namespace: TestedCluster) -> None:
    apply_crds(namespace)
    backup = make_backup(namespace, "resumed", namespace=_NAMESPACE)
    document = job_manifest(backup, settings=_SETTINGS, access=_ACCESS)
    namespace.kubectl("create", "-f", "-", standard_input=json.dumps(document))
    name = document["metadata"]["name"]
    patch = {"metadata": {"annotations": {"pinnace.io/recorded": "true"}}, "spec": {"ttlSecondsAfterFinished": 60}}
    for change in ({"spec": {"suspend": False}}, patch):
        arguments = ("patch", "job", name, "-n", _NAMESPACE, "--type=merge", "-p", json.dumps(change))
        namespace.kubectl(*arguments)
    spec = json.loads(namespace.kubectl("get", "job", name, "-n", _NAMESPACE, "-o", "json"))["spec"]
    assert (spec["suspend"], spec["ttlSecondsAfterFinished"]) == (False, 60)


def test_the_rights_are_accepted(namespace: TestedCluster) -> None:
    backup = _backup("x" * 253)
    job = job_manifest(backup, settings=_SETTINGS, access=_ACCESS)
    job["metadata"]["uid"] = "0d9f6d0e-0b6e-4d0c-8a51-5f0a0a2f1c11"
    made = [_dry_run(namespace, document) for document in rights(backup, settings=_SETTINGS, job=job)]
    assert [document["kind"] for document in made] == ["Role", "RoleBinding"]
