"""What the service accounts may do, as the server says and as requests find; and nothing more."""

from pathlib import Path
from typing import Any

import pytest

from integration.account import Account, Rule, log_in
from integration.cluster_fixtures import TestedCluster
from integration.velero_kinds import apply_crds, make_namespace

_BASE = Path(__file__).parents[2] / "k8s" / "base"
_BACKUPS = "/apis/velero.io/v1/namespaces/velero/backups"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ROLES = f"{_RBAC}/namespaces/velero/roles"
_BINDINGS = f"{_RBAC}/namespaces/velero/rolebindings"
_JOBS = "/apis/batch/v1/namespaces/velero/jobs"

_DISPATCHER: set[Rule] = {
    ("create,delete,get,list,patch,watch", "velero.io", "backups", ""),
    ("get,list,patch,watch", "velero.io", "schedules", ""),
    ("create", "velero.io", "deletebackuprequests", ""),
    ("delete,get,list,patch,watch", "velero.io", "deletebackuprequests,downloadrequests,serverstatusrequests", ""),
    ("delete,get,list,patch", "velero.io", "restores", ""),
    ("get,list,patch,watch", "velero.io", "backupstoragelocations,volumesnapshotlocations", ""),
    ("create,delete,get,list,patch,watch", "batch", "jobs", ""),
    ("get,list,watch", "", "pods", ""),
    ("get", "", "pods/log", ""),
    ("get", "", "secrets", ""),
    ("get", "", "configmaps", ""),
    ("create,patch", ",events.k8s.io", "events", ""),
    ("create,get,patch,update", "coordination.k8s.io", "leases", ""),
    ("create,delete,get", "rbac.authorization.k8s.io", "rolebindings,roles", ""),
}
_DELETE_SNAPSHOTS: set[Rule] = {
    ("create,delete,list,patch", "snapshot.storage.k8s.io", "volumesnapshotcontents", ""),
    ("patch", "snapshot.storage.k8s.io", "volumesnapshotcontents/status", ""),
    ("delete,list", "snapshot.storage.k8s.io", "volumesnapshots", ""),
}
_LIST_NAMESPACES: Rule = ("list", "", "namespaces", "")
_LIST_EVERYTHING: Rule = ("list", "*", "*", "")
_READ_LOCATIONS: Rule = ("get", "velero.io", "backupstoragelocations,volumesnapshotlocations", "")

_READ_SECRETS: Rule = ("get", "", "secrets", "")
_EXEC: Rule = ("create,get", "", "pods/exec", "")
_SNAPSHOTS: set[Rule] = {
    ("create,delete", "snapshot.storage.k8s.io", "volumesnapshots", ""),
    ("delete,patch", "snapshot.storage.k8s.io", "volumesnapshotcontents", ""),
}


@pytest.fixture(scope="module")
def installed(local_cluster: TestedCluster) -> TestedCluster:
    """The base, applied as users do; its Deployment waits for a node, which rights don't need."""
    apply_crds(local_cluster)
    make_namespace(local_cluster, "rights-test")
    local_cluster.kubectl("apply", "-k", str(_BASE))
    for name in ("one", "other"):
        local_cluster.kubectl("create", "-f-", standard_input=_backup(name))
    local_cluster.kubectl("create", "secret", "generic", "cloud-credentials", "--from-literal=cloud=x", "-nvelero")
    return local_cluster


@pytest.fixture(scope="module")
def dispatcher(installed: TestedCluster) -> Account:
    return log_in(installed, "pinnace-dispatcher", namespace="velero")


@pytest.fixture(scope="module")
def backup(installed: TestedCluster) -> Account:
    return log_in(installed, "pinnace-backup", namespace="velero")


@pytest.fixture(scope="module")
def hooks(installed: TestedCluster) -> Account:
    return log_in(installed, "pinnace-backup-hooks", namespace="velero")


@pytest.fixture(scope="module")
def nobody(installed: TestedCluster) -> Account:
    """An account without any binding: what it may do, every account may."""
    return log_in(installed, "default", namespace="rights-test")


def _backup(name: str) -> str:
    return f'{{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{{"name":"{name}","namespace":"velero"}}}}'


def role(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": list(rules)
    }  # fmt: skip


def own_backup(name: str, *verbs: str) -> dict[str, Any]:
    return {"apiGroups": ["velero.io"], "resources": ["backups"], "resourceNames": [name], "verbs": list(verbs)}


def binding(name: str, *, to: str, kind: str = "Role") -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": to},
        "subjects": [{"kind": "ServiceAccount", "name": "pinnace-backup", "namespace": "velero"}],
    }


def job() -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "backup", "image": "pinnace"}]}
    restricted = {
        "allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    pod["containers"][0]["securityContext"] = restricted  # type: ignore[index]
    metadata = {"name": "rights"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {"spec": pod}}}


def config_map() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rights"}}


def test_the_dispatcher_is_told_exactly_these_rules(dispatcher: Account, nobody: Account) -> None:
    common = nobody.rules("velero")
    everywhere = {_LIST_NAMESPACES, *_DELETE_SNAPSHOTS}
    assert dispatcher.rules("velero") - common == _DISPATCHER | everywhere
    assert dispatcher.rules("default") - common == everywhere
    assert dispatcher.rules("kube-system") - common == everywhere


def test_a_backup_is_told_exactly_these_rules(backup: Account, nobody: Account) -> None:
    common = nobody.rules("velero")
    assert backup.rules("velero") - common == {_LIST_EVERYTHING, _READ_LOCATIONS, _READ_SECRETS}
    assert backup.rules("default") - common == {_LIST_EVERYTHING}


def test_a_backup_with_hooks_is_told_the_same_and_exec(hooks: Account, backup: Account) -> None:
    for namespace in ("velero", "default"):
        assert hooks.rules(namespace) ^ backup.rules(namespace) == {_EXEC}


def test_a_backup_with_snapshots_is_told_the_same_and_what_makes_them(
    installed: TestedCluster, backup: Account, hooks: Account
) -> None:
    snapshots = log_in(installed, "pinnace-backup-snapshots", namespace="velero")
    both = log_in(installed, "pinnace-backup-hooks-snapshots", namespace="velero")
    for namespace in ("velero", "default"):
        assert snapshots.rules(namespace) ^ backup.rules(namespace) == _SNAPSHOTS
        assert both.rules(namespace) ^ hooks.rules(namespace) == _SNAPSHOTS


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/pods",
        "/api/v1/secrets",
        "/api/v1/namespaces/velero/secrets/cloud-credentials",
        "/api/v1/nodes",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "/apis/velero.io/v1/backups",
        "/apis/apiregistration.k8s.io/v1/apiservices",
        "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt",
    ],
)
def test_a_backup_lists_every_kind_and_reads_what_its_location_names(backup: Account, path: str) -> None:
    assert backup.status("GET", path) == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/namespaces/default/secrets/any", None),
        ("GET", "/api/v1/namespaces/default/pods/any/exec?command=id&stdout=true", None),
        ("POST", "/api/v1/namespaces/default/pods/any/exec?command=id&stdout=true", {}),
        ("GET", "/api/v1/namespaces/default/pods/any/portforward", None),
        ("GET", "/api/v1/namespaces/default/pods/any/log", None),
        ("GET", "/api/v1/nodes/any/proxy/pods", None),
        ("GET", "/api/v1/namespaces/default/services/any/proxy/", None),
        ("GET", "/api/v1/pods?watch=true&timeoutSeconds=1", None),
        ("POST", "/api/v1/namespaces/velero/configmaps", config_map()),
        ("POST", _JOBS, job()),
        ("PATCH", f"{_BACKUPS}/one", {"status": {"phase": "Completed"}}),
        ("DELETE", f"{_BACKUPS}/one", None),
        ("DELETE", "/api/v1/namespaces/default/configmaps", None),
        ("PUT", "/api/v1/namespaces/velero/configmaps/kube-root-ca.crt", config_map()),
        ("POST", "/api/v1/namespaces/velero/serviceaccounts/pinnace-dispatcher/token", {}),
        ("POST", _ROLES, role("rights", own_backup("one", "get"))),
        ("POST", _BINDINGS, binding("rights", to="pinnace-dispatcher")),
        ("POST", f"{_RBAC}/clusterroles", {**role("rights"), "kind": "ClusterRole"}),
    ],
)
def test_a_backup_changes_nothing_and_opens_no_connection(
    backup: Account, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert backup.status(method, path, body) == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/namespaces/default/pods/any/attach?stdout=true", None),
        ("GET", "/api/v1/namespaces/default/pods/any/portforward", None),
        ("GET", "/api/v1/namespaces/default/pods/any/log", None),
        ("GET", "/api/v1/nodes/any/proxy/pods", None),
        ("PATCH", "/api/v1/namespaces/default/pods/any/ephemeralcontainers", {}),
        ("POST", "/api/v1/namespaces/velero/pods", {}),
        ("PATCH", f"{_BACKUPS}/one", {"status": {"phase": "Completed"}}),
        ("POST", "/api/v1/namespaces/velero/serviceaccounts/pinnace-dispatcher/token", {}),
    ],
)
def test_a_backup_with_hooks_opens_no_other_connection_and_changes_nothing(
    hooks: Account, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert hooks.status(method, path, body) == 403


def test_a_backup_with_hooks_may_exec_and_lists_every_kind(hooks: Account) -> None:
    """There is no such pod, which only who may exec in it is told."""
    exec_path = "/api/v1/namespaces/default/pods/no-such-pod/exec?command=id&stdout=true"
    assert [hooks.status(method, exec_path, body) for method, body in (("GET", None), ("POST", {}))] == [404, 404]
    assert hooks.status("GET", "/api/v1/pods") == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/namespaces/default/secrets", None),
        ("GET", "/api/v1/namespaces/kube-system/secrets/any", None),
        ("GET", "/api/v1/namespaces/velero/secrets", None),
        ("GET", "/api/v1/secrets", None),
        ("GET", "/api/v1/namespaces/default", None),
        ("GET", "/api/v1/pods", None),
        ("GET", "/api/v1/namespaces/velero/pods/any/exec?command=id&stdout=true", None),
        ("POST", "/api/v1/namespaces/velero/pods/any/exec?command=id&stdout=true", {}),
        ("POST", "/api/v1/namespaces/velero/configmaps", config_map()),
        ("POST", "/api/v1/namespaces/velero/pods", {}),
        ("POST", "/apis/batch/v1/namespaces/default/jobs", job()),
        ("POST", "/api/v1/namespaces/velero/serviceaccounts/pinnace-backup/token", {}),
        ("DELETE", "/apis/velero.io/v1/namespaces/velero/backupstoragelocations/any", None),
        ("POST", "/apis/velero.io/v1/namespaces/velero/restores", {}),
        ("PATCH", "/apis/apps/v1/namespaces/velero/deployments/pinnace-dispatcher", {"spec": {"replicas": 2}}),
        ("POST", f"{_RBAC}/clusterroles", {**role("rights"), "kind": "ClusterRole"}),
        ("POST", f"{_RBAC}/namespaces/default/roles", role("rights", own_backup("one", "get"))),
        ("PATCH", f"{_ROLES}/pinnace-backup", {"rules": []}),
    ],
)
def test_the_dispatcher_can_do_nothing_else(
    dispatcher: Account, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert dispatcher.status(method, path, body) == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (_ROLES, role("more", own_backup("one", "update"))),
        (_ROLES, role("more", {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]})),
        (_ROLES, role("more", {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})),
        (_BINDINGS, binding("more", to="cluster-admin", kind="ClusterRole")),
        (_BINDINGS, binding("more", to="pinnace-backup", kind="ClusterRole")),
    ],
)
def test_the_dispatcher_can_grant_nothing_that_it_does_not_have(
    dispatcher: Account, path: str, body: dict[str, Any]
) -> None:
    status, answer = dispatcher.ask("POST", path, body)
    assert (status, "attempting to grant RBAC permissions not currently held" in answer["message"]) == (403, True)


def test_nobody_can_act_as_another(dispatcher: Account, backup: Account, hooks: Account) -> None:
    for account in (dispatcher, backup, hooks):
        status, answer = account.ask("GET", "/api/v1/namespaces", acting_as="system:admin")
        assert (status, "cannot impersonate" in answer["message"]) == (403, True)


def test_the_dispatcher_does_its_work(dispatcher: Account) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "pinnace-dispatcher"}}
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "rights"}, "reason": "JobCreated", "message": "m",
        "type": "Normal", "involvedObject": {"kind": "Backup", "namespace": "velero", "name": "one"},
    }  # fmt: skip
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", "/version", None),
        ("GET", "/api/v1/namespaces?labelSelector=velero.io%2Fexclude-from-backup%3Dtrue", None),
        ("PATCH", f"{_BACKUPS}/other", {"spec": {"ttl": "720h0m0s"}, "status": {"phase": "InProgress"}}),
        ("GET", "/api/v1/namespaces/velero/secrets/cloud-credentials", None),
        ("GET", "/api/v1/namespaces/velero/pods", None),
        ("POST", "/apis/coordination.k8s.io/v1/namespaces/velero/leases", lease),
        ("PATCH", "/apis/coordination.k8s.io/v1/namespaces/velero/leases/pinnace-dispatcher", lease),
        ("POST", "/api/v1/namespaces/velero/events", event),
        ("POST", _JOBS, job()),
        ("PATCH", f"{_JOBS}/rights", {"metadata": {"annotations": {"a": "b"}}}),
        ("DELETE", f"{_JOBS}/rights?propagationPolicy=Background", None),
    ]
    statuses = [dispatcher.status(*request) for request in requests]
    assert statuses == [200, 200, 200, 200, 200, 201, 200, 201, 201, 200, 200]


def test_a_backup_patches_its_own_backup_only_and_only_while_its_role_is_there(
    dispatcher: Account, backup: Account
) -> None:
    patch = {"status": {"progress": {"totalItems": 1}}}
    assert dispatcher.status("POST", _ROLES, role("pinnace-one", own_backup("one", "get", "patch"))) == 201
    assert dispatcher.status("POST", _BINDINGS, binding("pinnace-one", to="pinnace-one")) == 201
    during = [(backup.status("GET", f"{_BACKUPS}/{name}"), backup.status("PATCH", f"{_BACKUPS}/{name}", patch))
              for name in ("one", "other")]  # fmt: skip
    assert dispatcher.status("DELETE", f"{_BINDINGS}/pinnace-one") == 200
    assert dispatcher.status("DELETE", f"{_ROLES}/pinnace-one") == 200
    after = backup.status("PATCH", f"{_BACKUPS}/one", patch)
    assert (during, after) == ([(200, 200), (403, 403)], 403)
