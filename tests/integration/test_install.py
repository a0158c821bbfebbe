"""`pinnace install` on a real API server: what it says, what is there afterwards, and what is in its way."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from command import pinnace
from integration.account import log_in
from integration.cluster_fixtures import TestedCluster
from integration.velero_kinds import CRDS, apply_crds, make_namespace

_NAMESPACE = "install-test"
_PLURALS = yaml.safe_load((CRDS / "kustomization.yaml").read_text())["resources"]
_CRD_LINES = [f"customresourcedefinition/{name.removesuffix('.yaml')}.velero.io" for name in _PLURALS]
_LINES = [
    f"namespace/{_NAMESPACE}",
    *_CRD_LINES,
    "serviceaccount/pinnace-dispatcher",
    "serviceaccount/pinnace-backup",
    "role/pinnace-dispatcher",
    "rolebinding/pinnace-dispatcher",
    "clusterrole/pinnace-dispatcher",
    f"clusterrolebinding/pinnace-dispatcher-{_NAMESPACE}",
    "clusterrole/pinnace-backup",
    f"clusterrolebinding/pinnace-backup-{_NAMESPACE}",
    "role/pinnace-backup",
    "rolebinding/pinnace-backup",
    "deployment/pinnace-dispatcher",
    "service/pinnace-dispatcher",
    "secret/cloud-credentials",
    "backupstoragelocation/default",
]
_NEXT = f"""\
next: wait until the bucket has answered, and make a first backup
  kubectl --namespace {_NAMESPACE} wait backupstoragelocation/default --for=jsonpath='{{.status.phase}}'=Available
  echo '{{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{{"name":"first"}}}}' \
| kubectl --namespace {_NAMESPACE} create --filename -
"""


@pytest.fixture
def cluster(local_cluster: TestedCluster) -> Iterator[TestedCluster]:
    """A cluster without anything of pinnace, and so again afterwards."""
    _clean(local_cluster)
    yield local_cluster
    _clean(local_cluster)


def _clean(cluster: TestedCluster) -> None:
    cluster.kubectl("delete", "namespace", _NAMESPACE, "velero", "--ignore-not-found", "--timeout=120s")
    kinds = "clusterrolebindings,clusterroles,crds"
    cluster.kubectl("delete", kinds, "--selector=app.kubernetes.io/part-of=pinnace", "--timeout=120s")


@pytest.fixture
def flags(tmp_path: Path, local_cluster: TestedCluster) -> list[str]:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = s\n")
    kubeconfig = ["--kubeconfig", str(local_cluster.kubeconfig)]
    location = ["--bucket", "b", "--region", "r", "--secret-file", str(tmp_path / "credentials")]
    return [*kubeconfig, *location, "--namespace", _NAMESPACE]


def succeeded(*arguments: str) -> str:
    run = pinnace("install", *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def refused(*arguments: str) -> str:
    run = pinnace("install", *arguments)
    assert run.returncode == 1
    return run.stderr


def in_namespace(cluster: TestedCluster, *arguments: str) -> Any:
    return json.loads(cluster.kubectl("get", *arguments, f"--namespace={_NAMESPACE}", "-ojson"))


def test_it_creates_everything_once_and_then_changes_what_differs(cluster: TestedCluster, flags: list[str]) -> None:
    lines = succeeded(*flags)
    assert lines == "".join(f"{line} created\n" for line in _LINES) + _NEXT
    again = succeeded(*flags)
    assert again == "".join(f"{line} unchanged\n" for line in _LINES) + _NEXT

    changed = json.loads(succeeded(*flags, "--image=other:2", "-ojson"))
    assert [outcome for outcome in changed if outcome["result"] != "unchanged"] == [
        {
            "kind": "Deployment",
            "name": "pinnace-dispatcher",
            "namespace": _NAMESPACE,
            "result": "configured",
            "note": "",
        }
    ]
    pod = in_namespace(cluster, "deployment", "pinnace-dispatcher")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "other:2"
    location = in_namespace(cluster, "backupstoragelocations", "default")["spec"]
    assert location["credential"] == {"name": "cloud-credentials", "key": "cloud"}


def test_what_is_no_longer_asked_for_is_taken_away(cluster: TestedCluster, flags: list[str]) -> None:
    succeeded(*flags, "--service-account-annotations=a/role=r")
    assert in_namespace(cluster, "serviceaccount", "pinnace-backup")["metadata"]["annotations"] == {"a/role": "r"}
    succeeded(*flags)
    assert "annotations" not in in_namespace(cluster, "serviceaccount", "pinnace-backup")["metadata"]


def test_what_dry_run_prints_is_what_kubectl_takes(cluster: TestedCluster, flags: list[str]) -> None:
    succeeded(*flags)
    for form in ("yaml", "json"):
        printed = succeeded(*flags, "--dry-run", f"-o{form}")
        applied = cluster.kubectl(
            "apply", "--server-side", "--dry-run=server", "--field-manager=pinnace", "-f-", standard_input=printed
        )
        assert applied.count("serverside-applied") == len(_LINES)


def test_only_the_kinds_are_applied_if_asked(cluster: TestedCluster) -> None:
    shown = succeeded("--kubeconfig", str(cluster.kubeconfig), "--crds-only")
    hint = "next: pinnace install --bucket BUCKET --region REGION --secret-file FILE\n"
    assert shown == "".join(f"{line} created\n" for line in _CRD_LINES) + hint


def test_kinds_that_velero_installed_are_kept_unless_overwritten(cluster: TestedCluster) -> None:
    arguments = ["--kubeconfig", str(cluster.kubeconfig), "--crds-only"]
    apply_crds(cluster)
    _make_foreign(cluster, without_phase="Queued")
    note = "not pinnace's, most likely Velero's; pinnace writes only what it knows"
    kept = succeeded(*arguments).splitlines()
    assert [line for line in kept[:-1] if not line.endswith(" configured")] == [
        f"customresourcedefinition/backups.velero.io kept ({note})"
    ]
    assert "Queued" not in _phases(cluster)

    overwritten = succeeded(*arguments, "--crds=overwrite")
    assert "customresourcedefinition/backups.velero.io configured\n" in overwritten
    assert "Queued" in _phases(cluster)
    assert "customresourcedefinition/backups.velero.io unchanged\n" in succeeded(*arguments)


def test_it_does_not_go_where_a_velero_server_is_at_work(cluster: TestedCluster, flags: list[str]) -> None:
    make_namespace(cluster, _NAMESPACE)
    cluster.kubectl("create", "deployment", "velero", "--image=velero", f"--namespace={_NAMESPACE}")
    assert refused(*flags) == (
        f"error: namespace {_NAMESPACE}: a Velero server is at work there (Deployment velero), and both would take "
        "the same Backups; give --namespace another one, or scale Velero to 0\n"
    )
    assert (
        cluster.kubectl("get", "serviceaccounts", f"--namespace={_NAMESPACE}", "-oname") == "serviceaccount/default\n"
    )
    cluster.kubectl("scale", "deployment/velero", "--replicas=0", f"--namespace={_NAMESPACE}")
    assert "deployment/pinnace-dispatcher created\n" in succeeded(*flags)


def test_a_field_that_another_tool_set_is_named_and_kept_unless_forced(
    cluster: TestedCluster, flags: list[str]
) -> None:
    succeeded(*flags)
    cluster.kubectl("scale", "deployment/pinnace-dispatcher", "--replicas=0", f"--namespace={_NAMESPACE}")
    complaint = refused(*flags)
    assert complaint.startswith(
        f"error: PATCH /apis/apps/v1/namespaces/{_NAMESPACE}/deployments/pinnace-dispatcher: Apply failed with 1 "
        'conflict: conflict with "kubectl" with subresource "scale"'
    )
    assert complaint.endswith(".spec.replicas; --force-conflicts takes these fields over\n")
    assert "deployment/pinnace-dispatcher configured\n" in succeeded(*flags, "--force-conflicts")
    assert in_namespace(cluster, "deployment", "pinnace-dispatcher")["spec"]["replicas"] == 1


def test_a_missing_right_is_named_with_what_to_do(cluster: TestedCluster, flags: list[str], tmp_path: Path) -> None:
    make_namespace(cluster, _NAMESPACE)
    account = log_in(cluster, "default", namespace=_NAMESPACE)
    config = yaml.safe_load(cluster.kubectl("config", "view", "--raw", "--flatten"))
    config["users"][0]["user"] = {"token": account.token}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    assert refused(*flags, "--kubeconfig", str(tmp_path / "kubeconfig")) == (
        f'error: GET /apis/apps/v1/namespaces/{_NAMESPACE}/deployments/velero: deployments.apps "velero" is forbidden: '
        f'User "system:serviceaccount:{_NAMESPACE}:default" cannot get resource "deployments" in API group "apps" in '
        f'the namespace "{_NAMESPACE}"; installing needs get, create and patch on it; log in as an administrator of '
        "the cluster, or give --context\n"
    )


def _make_foreign(cluster: TestedCluster, *, without_phase: str) -> None:
    """Make the Backup kind look like one of an older Velero: its label, and a phase less."""
    found = json.loads(cluster.kubectl("get", "crd", "backups.velero.io", "-ojson"))
    phases = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["phase"]
    phases["enum"].remove(without_phase)
    found["metadata"]["labels"] = {"component": "velero"}
    cluster.kubectl("replace", "-f-", standard_input=json.dumps(found))


def _phases(cluster: TestedCluster) -> list[str]:
    at = "{.spec.versions[0].schema.openAPIV3Schema.properties.status.properties.phase.enum}"
    phases: list[str] = json.loads(cluster.kubectl("get", "crd", "backups.velero.io", f"-ojsonpath={at}"))
    return phases
