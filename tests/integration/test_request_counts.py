"""A backup of one namespace of 200 asks a real API server for that namespace only, by the server's own audit log."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from command import pinnace
from integration import cluster_fixtures
from integration.cluster_fixtures import TestedCluster
from pinnace.cluster import local_cluster
from pinnace.kube.client import connect

_POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata, verbs: [list, get, watch]}]
"""
_AGENT = "pinnace/"

_WANTED = "space-100"


@dataclass
class AuditedCluster:
    """A cluster of its own, and what its API server was asked."""

    tested: TestedCluster
    log: Path

    def asked(self, *, since: int) -> list[str]:
        """Paths and queries of the run's requests, in order; `since` is a length of the log."""
        with self.log.open("rb") as file:
            file.seek(since)
            events = [json.loads(line) for line in file]
        agents = {event.get("userAgent", "") for event in events}
        asked = [event["requestURI"] for event in events if event.get("userAgent", "").startswith(_AGENT)]
        assert asked, agents
        return asked


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedCluster]:
    folder = tmp_path_factory.mktemp("audit")
    (folder / "policy.yaml").write_text(_POLICY)
    flags = [f"--audit-policy-file={folder / 'policy.yaml'}", f"--audit-log-path={folder / 'audit.log'}"]
    with cluster_fixtures.cluster_folder() as place:
        tested = cluster_fixtures.tested_cluster(local_cluster.up(place, report=print, apiserver_flags=flags))
        wanted = {"apiVersion": "v1", "kind": "List", "items": list(spaces())}
        tested.kubectl("create", "-f", "-", standard_input=json.dumps(wanted))
        _wait_until_alike(tested)
        yield AuditedCluster(tested, folder / "audit.log")


def _wait_until_alike(tested: TestedCluster) -> None:
    """Until the controller manager has put its account and its ConfigMap into each namespace."""
    deadline = time.monotonic() + 300
    client = connect(kubeconfig=tested.kubeconfig)
    for path, name in (("/api/v1/configmaps", "kube-root-ca.crt"), ("/api/v1/serviceaccounts", "default")):
        while True:
            found = client.get(path, {"fieldSelector": f"metadata.name={name}"})["items"]
            if len([item for item in found if item["metadata"]["namespace"].startswith("space-")]) == 200:
                break
            assert time.monotonic() < deadline, len(found)
            time.sleep(0.5)


def spaces() -> Iterator[dict[str, Any]]:
    """200 namespaces with a ConfigMap each, and in one of them a service account with a role of the cluster."""
    for number in range(200):
        name = f"space-{number:03}"
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": name}}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": _WANTED}}
    roles = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    yield {**roles, "kind": "ClusterRole", "metadata": {"name": "space-reader"}, "rules": []}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "space-reader"}
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": _WANTED}
    yield {
        **roles,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "space-reader"},
        "roleRef": reference,
        "subjects": [subject],
    }


def test_one_of_200_namespaces_costs_two_lists_a_kind_there_and_a_few_by_name(
    cluster: AuditedCluster, tmp_path: Path
) -> None:
    since = cluster.log.stat().st_size
    where = ("--store", str(tmp_path / "store"), "--kubeconfig", str(cluster.tested.kubeconfig))
    ran = pinnace("backup", "run", "one", "--include-namespaces", _WANTED, *where)
    assert ran.returncode == 0, ran.stderr
    asked = cluster.asked(since=since)
    inside = [uri for uri in asked if "/namespaces/" in urlsplit(uri).path]
    assert {re.findall("/namespaces/([^/]+)/", uri)[0] for uri in inside} == {_WANTED}
    # A probe for each kind, and one list for each that has something.
    per_kind = Counter(urlsplit(uri).path for uri in inside)
    assert len(per_kind) > 20
    assert max(per_kind.values()) <= 2
    assert len(inside) <= len(per_kind) + 8
    # Beside them: what is there, which namespaces, and single items and bindings that the namespace's accounts need.
    outside = Counter(urlsplit(uri).path for uri in asked if uri not in inside)
    roles = "/apis/rbac.authorization.k8s.io/v1"
    assert set(outside) <= {
        "/version", "/api", "/apis", "/apis/apiregistration.k8s.io/v1/apiservices", "/api/v1/namespaces",
        f"{roles}/clusterrolebindings", f"{roles}/clusterroles",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    }  # fmt: skip
    by_name = [uri for uri in asked if "fieldSelector" in parse_qs(urlsplit(uri).query)]
    assert sorted(parse_qs(urlsplit(uri).query)["fieldSelector"][0] for uri in by_name if roles in uri) == [
        "metadata.name=space-reader",
        "metadata.name=space-reader",
    ]
    assert len(asked) < 2 * len(per_kind) + 40


def test_a_namespace_more_adds_its_own_lists_and_no_others(cluster: AuditedCluster, tmp_path: Path) -> None:
    counts = []
    for number, names in enumerate(("space-001", "space-001,space-002,space-003")):
        since = cluster.log.stat().st_size
        where = ("--store", str(tmp_path / str(number)), "--kubeconfig", str(cluster.tested.kubeconfig))
        ran = pinnace("backup", "run", "some", "--include-namespaces", names, *where)
        assert ran.returncode == 0, ran.stderr
        counts.append(len([uri for uri in cluster.asked(since=since) if "/namespaces/" in urlsplit(uri).path]))
    assert counts[1] == 3 * counts[0]
