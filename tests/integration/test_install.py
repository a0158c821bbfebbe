"""`pinnace install` on a real API server: what it says, what is there afterwards, and what is in its way."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from command import pinnace
from integration import cluster_fixtures
from integration.account import log_in
from integration.cluster_fixtures import TestedCluster, cluster_folder
from integration.velero_kinds import CRDS, make_namespace
from pinnace.cluster import local_cluster

_PLURALS = yaml.safe_load((CRDS / "kustomization.yaml").read_text())["resources"]
_CRD_LINES = [f"customresourcedefinition/{name.removesuffix('.yaml')}.velero.io" for name in _PLURALS]
_numbers = itertools.count(1)


def lines(namespace: str, result: str) -> str:
    """What an installation with a location prints if every document has the same result, and what comes next."""
    names = [
        f"namespace/{namespace}",
        *_CRD_LINES,
        "serviceaccount/pinnace-dispatcher",
        "serviceaccount/pinnace-backup",
        "role/pinnace-dispatcher",
        "rolebinding/pinnace-dispatcher",
        "clusterrole/pinnace-dispatcher",
        f"clusterrolebinding/pinnace-dispatcher-{namespace}",
        "clusterrole/pinnace-backup",
        f"clusterrolebinding/pinnace-backup-{namespace}",
        "role/pinnace-backup",
        "rolebinding/pinnace-backup",
        "serviceaccount/pinnace-backup-hooks",
        "clusterrole/pinnace-backup-hooks",
        f"clusterrolebinding/pinnace-backup-hooks-{namespace}",
        "rolebinding/pinnace-backup-hooks",
        "serviceaccount/pinnace-backup-snapshots",
        "serviceaccount/pinnace-backup-hooks-snapshots",
        "clusterrole/pinnace-backup-snapshots",
        f"clusterrolebinding/pinnace-backup-snapshots-{namespace}",
        "rolebinding/pinnace-backup-snapshots",
        "clusterrole/pinnace-dispatcher-snapshots",
        f"clusterrolebinding/pinnace-dispatcher-snapshots-{namespace}",
        "deployment/pinnace-dispatcher",
        "service/pinnace-dispatcher",
        "secret/cloud-credentials",
        "backupstoragelocation/default",
    ]
    kubectl = f"kubectl --namespace {namespace}"
    backup = '{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":"first"}}'
    return "".join(f"{name} {result}\n" for name in names) + (
        "next: wait until the bucket has answered, and make a first backup\n"
        f"  {kubectl} wait backupstoragelocation/default --for=jsonpath='{{.status.phase}}'=Available\n"
        f"  echo '{backup}' | {kubectl} create --filename -\n"
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[TestedCluster]:
    """A cluster of its own without anything on it, so that what is created can be told from what was there."""
    with cluster_folder() as folder:
        yield cluster_fixtures.tested_cluster(local_cluster.up(folder))


@pytest.fixture(scope="module")
def first(cluster: TestedCluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the first installation prints; the other tests find the kinds there."""
    return succeeded(*location_flags(cluster, tmp_path_factory.mktemp("first")), "--namespace=first")


@pytest.fixture
def namespace(first: str) -> str:
    """One that no other test has used."""
    return f"install-{next(_numbers)}"


@pytest.fixture
def flags(tmp_path: Path, cluster: TestedCluster, namespace: str) -> list[str]:
    return [*location_flags(cluster, tmp_path), "--namespace", namespace]


def location_flags(cluster: TestedCluster, folder: Path) -> list[str]:
    (folder / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = s\n")
    kubeconfig = ["--kubeconfig", str(cluster.kubeconfig)]
    return [*kubeconfig, "--bucket", "b", "--region", "r", "--secret-file", str(folder / "credentials")]


def succeeded(*arguments: str) -> str:
    run = pinnace("install", *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def refused(*arguments: str) -> str:
    run = pinnace("install", *arguments)
    assert run.returncode == 1
    return run.stderr


def read(cluster: TestedCluster, kind: str, name: str, *, namespace: str) -> Any:
    return json.loads(cluster.kubectl("get", kind, name, f"--namespace={namespace}", "-ojson"))


def test_the_first_time_creates_everything(first: str) -> None:
    assert first == lines("first", "created")


def test_again_changes_only_what_differs(cluster: TestedCluster, flags: list[str], namespace: str) -> None:
    succeeded(*flags)
    assert succeeded(*flags) == lines(namespace, "unchanged")

    changed = json.loads(succeeded(*flags, "--image=other:2", "-ojson"))
    assert [outcome for outcome in changed if outcome["result"] != "unchanged"] == [
        {
            "kind": "Deployment",
            "name": "pinnace-dispatcher",
            "namespace": namespace,
            "result": "configured",
            "note": "",
        }
    ]
    pod = read(cluster, "deployment", "pinnace-dispatcher", namespace=namespace)["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "other:2"
    location = read(cluster, "backupstoragelocations", "default", namespace=namespace)["spec"]
    assert location["credential"] == {"name": "cloud-credentials", "key": "cloud"}


def test_what_is_no_longer_asked_for_is_taken_away(cluster: TestedCluster, flags: list[str], namespace: str) -> None:
    succeeded(*flags, "--service-account-annotations=a/role=r")
    assert read(cluster, "serviceaccount", "pinnace-backup", namespace=namespace)["metadata"]["annotations"] == {
        "a/role": "r"
    }
    succeeded(*flags)
    assert "annotations" not in read(cluster, "serviceaccount", "pinnace-backup", namespace=namespace)["metadata"]


def test_without_hooks_the_account_that_may_run_commands_goes(
    cluster: TestedCluster, flags: list[str], namespace: str
) -> None:
    succeeded(*flags, "--hooks=annotations")
    gone = [
        "deployment/pinnace-dispatcher configured",
        "serviceaccount/pinnace-backup-hooks deleted",
        f"clusterrolebinding/pinnace-backup-hooks-{namespace} deleted",
        "rolebinding/pinnace-backup-hooks deleted",
    ]
    off = [*flags, "--hooks=off"]
    for changed in (gone, []):
        told = [line for line in succeeded(*off).splitlines() if line.endswith((" created", " configured", " deleted"))]
        assert told == changed
    pod = read(cluster, "deployment", "pinnace-dispatcher", namespace=namespace)["spec"]["template"]["spec"]
    assert {"name": "PINNACE_HOOKS", "value": "off"} in pod["containers"][0]["env"]


def test_without_csi_snapshots_the_accounts_that_may_make_some_go_and_come_back(
    cluster: TestedCluster, flags: list[str], namespace: str
) -> None:
    succeeded(*flags)
    accounts = ["serviceaccount/pinnace-backup-snapshots", "serviceaccount/pinnace-backup-hooks-snapshots"]
    bindings = [
        f"clusterrolebinding/pinnace-backup-snapshots-{namespace}",
        "rolebinding/pinnace-backup-snapshots",
        f"clusterrolebinding/pinnace-dispatcher-snapshots-{namespace}",
    ]
    ends = (" created", " configured", " deleted")
    told = [line for line in succeeded(*flags, "--csi-snapshots=off").splitlines() if line.endswith(ends)]
    assert told == [
        "deployment/pinnace-dispatcher configured",
        *(f"{name} deleted" for name in (*accounts, *bindings)),
    ]
    pod = read(cluster, "deployment", "pinnace-dispatcher", namespace=namespace)["spec"]["template"]["spec"]
    assert {"name": "PINNACE_CSI_SNAPSHOTS", "value": "off"} in pod["containers"][0]["env"]
    told = [line for line in succeeded(*flags, "--csi-snapshots=on").splitlines() if line.endswith(ends)]
    assert sorted(told) == sorted(
        ["deployment/pinnace-dispatcher configured", *(f"{name} created" for name in (*accounts, *bindings))]
    )


def test_what_dry_run_prints_is_what_kubectl_takes(cluster: TestedCluster, flags: list[str], namespace: str) -> None:
    succeeded(*flags)
    for form in ("yaml", "json"):
        printed = succeeded(*flags, "--dry-run", f"-o{form}")
        applied = cluster.kubectl(
            "apply", "--server-side", "--dry-run=server", "--field-manager=pinnace", "-f-", standard_input=printed
        )
        assert applied.count("serverside-applied") == lines(namespace, "").count(" \n")


def test_only_the_kinds_are_applied_if_asked(cluster: TestedCluster, first: str) -> None:
    shown = succeeded("--kubeconfig", str(cluster.kubeconfig), "--crds-only")
    hint = "next: pinnace install --bucket BUCKET --region REGION --secret-file FILE\n"
    assert shown == "".join(f"{line} unchanged\n" for line in _CRD_LINES) + hint


def test_kinds_that_velero_installed_are_kept_unless_overwritten(cluster: TestedCluster, first: str) -> None:
    arguments = ["--kubeconfig", str(cluster.kubeconfig), "--crds-only"]
    _make_foreign(cluster, without_phase="Queued")
    note = "not pinnace's, most likely Velero's; pinnace writes only what it knows"
    kept = succeeded(*arguments).splitlines()
    assert [line for line in kept[:-1] if not line.endswith(" unchanged")] == [
        f"customresourcedefinition/backups.velero.io kept ({note})"
    ]
    assert "Queued" not in _phases(cluster)

    overwritten = succeeded(*arguments, "--crds=overwrite")
    assert "customresourcedefinition/backups.velero.io configured\n" in overwritten
    assert "Queued" in _phases(cluster)
    assert "customresourcedefinition/backups.velero.io unchanged\n" in succeeded(*arguments)


def test_it_does_not_go_where_a_velero_server_is_at_work(
    cluster: TestedCluster, flags: list[str], namespace: str
) -> None:
    make_namespace(cluster, namespace)
    cluster.kubectl("create", "deployment", "velero", "--image=velero", f"--namespace={namespace}")
    assert refused(*flags) == (
        f"error: namespace {namespace}: a Velero server is at work there (Deployment velero), and both would take "
        "the same Backups; give --namespace another one, or scale Velero to 0\n"
    )
    assert cluster.kubectl("get", "serviceaccounts", f"--namespace={namespace}", "-oname") == "serviceaccount/default\n"
    cluster.kubectl("scale", "deployment/velero", "--replicas=0", f"--namespace={namespace}")
    assert "deployment/pinnace-dispatcher created\n" in succeeded(*flags)


def test_a_field_that_another_tool_set_is_named_and_kept_unless_forced(
    cluster: TestedCluster, flags: list[str], namespace: str
) -> None:
    succeeded(*flags)
    patch = '--patch={"spec":{"replicas":2}}'
    cluster.kubectl("patch", "deployment", "pinnace-dispatcher", patch, f"--namespace={namespace}")
    complaint = refused(*flags)
    assert complaint == (
        f"error: PATCH /apis/apps/v1/namespaces/{namespace}/deployments/pinnace-dispatcher: Apply failed with 1 "
        'conflict: conflict with "kubectl-patch" using apps/v1: .spec.replicas; --force-conflicts takes these fields '
        "over\n"
    )
    assert "deployment/pinnace-dispatcher configured\n" in succeeded(*flags, "--force-conflicts")
    assert read(cluster, "deployment", "pinnace-dispatcher", namespace=namespace)["spec"]["replicas"] == 1


def test_a_missing_right_is_named_with_what_to_do(
    cluster: TestedCluster, flags: list[str], namespace: str, tmp_path: Path
) -> None:
    make_namespace(cluster, namespace)
    account = log_in(cluster, "default", namespace=namespace)
    config = yaml.safe_load(cluster.kubectl("config", "view", "--raw", "--flatten"))
    config["users"][0]["user"] = {"token": account.token}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    assert refused(*flags, "--kubeconfig", str(tmp_path / "kubeconfig")) == (
        f'error: GET /apis/apps/v1/namespaces/{namespace}/deployments/velero: deployments.apps "velero" is forbidden: '
        f'User "system:serviceaccount:{namespace}:default" cannot get resource "deployments" in API group "apps" in '
        f'the namespace "{namespace}"; installing needs get, create, patch and delete; log in as an administrator '
        "of the cluster, or give --context\n"
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
