"""The real Velero restores what pinnace wrote, after all of it is gone: each object comes back, equal field by field.

What Velero by its rules does not restore, or changes, stands in the tables below (pkg/restore of Velero 1.18.1). Each
of their rows must be met by an object: one that no object needs fails the test, as does an object that no row explains.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest

from e2e.installation import CREDENTIALS, Installation
from e2e_velero import many_kinds
from e2e_velero.many_kinds import Document, Key, State
from e2e_velero.velero_program import Velero, served
from integration.dispatcher_process import Stage
from pinnace.kube.kinds import BACKUPS
from pinnace.velero.label import EXCLUDE_FROM_BACKUP_LABEL

pytestmark = [pytest.mark.usefixtures("credentials"), pytest.mark.timeout(1800)]

_PREFIX = "emptied"
_NAMESPACE = "velero-restores"
_CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
_RECLAIMED = "persistentvolumeclaims/*/reclaimed"
_SLICES = "endpointslices.discovery.k8s.io"


@dataclass(frozen=True)
class Rule:
    """Objects that are there only before the restore or only after it, and why."""

    reason: str
    applies: Callable[[Key, Document], bool]


def _is_made_by_a_controller(item: Document) -> bool:
    return "endpointslice.kubernetes.io/managed-by" in (item["metadata"].get("labels") or {})


@dataclass(frozen=True)
class Changed:
    """A field that a restore, or a controller after it, changes.

    `items` is a pattern of `<group resource>/<namespace>/<name>`; `path` has `*` for each entry of a list or a map.
    """

    items: str
    path: tuple[str, ...]
    rule: str


NOT_RESTORED = (
    Rule("events are never restored", lambda key, _: key[0] == "events"),
    Rule(
        "a pod that has ended is not restored",
        lambda key, item: key[0] == "pods" and item["status"]["phase"] in ("Succeeded", "Failed"),
    ),
    Rule(
        "a Job that has ended is not restored",
        lambda key, item: key[0] == "jobs.batch" and "completionTime" in item["status"],
    ),
    Rule(
        "a volume without snapshot that is to be deleted with its claim is not restored: it is provisioned anew",
        lambda key, item: key[0] == "persistentvolumes" and item["spec"]["persistentVolumeReclaimPolicy"] == "Delete",
    ),
    Rule(
        "a token Secret that is named as those that Kubernetes made by itself is left to Kubernetes",
        lambda key, _: key[0] == "secrets" and key[2].startswith("web-token-"),
    ),
    Rule(
        "an EndpointSlice that a controller made is restored, and removed by the controller, which has made another",
        lambda key, item: key[0] == _SLICES and _is_made_by_a_controller(item),
    ),
    Rule(
        "what is labelled so is in no backup",
        lambda _, item: (item["metadata"].get("labels") or {}).get(EXCLUDE_FROM_BACKUP_LABEL) == "true",
    ),
)

MADE_ANEW = (
    Rule("events go on happening", lambda key, _: key[0] == "events"),
    Rule(
        "an EndpointSlice of each Service that has a selector",
        lambda key, item: key[0] == _SLICES and _is_made_by_a_controller(item),
    ),
    Rule(
        "a pod of a Job, which does not know the restored one by its new uid",
        lambda key, item: key[0] == "pods" and item["metadata"]["labels"].get("job-name") == "running",
    ),
)

CHANGED = (
    Changed("*", ("metadata", "uid"), "identity: given anew"),
    Changed("*", ("metadata", "generateName"), "dropped"),
    Changed("*", ("metadata", "resourceVersion"), "identity: given anew"),
    Changed("*", ("metadata", "creationTimestamp"), "identity: given anew"),
    Changed("*", ("metadata", "generation"), "identity: given anew"),
    Changed("*", ("metadata", "managedFields"), "those of the backup are put back, the restore's come along"),
    Changed("*", ("metadata", "ownerReferences"), "dropped; controllers adopt what is theirs"),
    Changed("*", ("metadata", "labels", "velero.io/backup-name"), "labels of the restore"),
    Changed("*", ("metadata", "labels", "velero.io/restore-name"), "labels of the restore"),
    Changed("*", ("status",), "not restored unless asked for"),
    Changed("services/*", ("spec", "clusterIP"), "given anew, but for headless Services"),
    Changed("services/*", ("spec", "clusterIPs"), "given anew, but for headless Services"),
    Changed("services/*", ("spec", "ports", "*", "nodePort"), "given anew, unless somebody asked for that port"),
    Changed("secrets/*", ("data", "token"), "a new account has a new token"),
    Changed("secrets/*", ("metadata", "annotations", "kubernetes.io/service-account.uid"), "a new account's"),
    Changed("jobs.batch/*", ("spec", "selector", "matchLabels", _CONTROLLER_UID), "the new Job's own"),
    Changed("jobs.batch/*", ("spec", "template", "metadata", "labels", _CONTROLLER_UID), "the new Job's own"),
    Changed("jobs.batch/*", ("spec", "template", "metadata", "labels", "controller-uid"), "the new Job's own"),
    Changed("persistentvolumes/*", ("spec", "claimRef", "uid"), "bound again to the claim of that name"),
    Changed("persistentvolumes/*", ("spec", "claimRef", "resourceVersion"), "bound again to the claim of that name"),
    Changed(_RECLAIMED, ("spec", "volumeName"), "its volume is provisioned anew"),
    Changed(_RECLAIMED, ("metadata", "annotations", "pv.kubernetes.io/bind-completed"), "it waits for its volume"),
    Changed(
        "persistentvolumeclaims/*/data-db-0",
        ("metadata", "annotations", "pv.kubernetes.io/bound-by-controller"),
        "the restored claim names its volume by itself",
    ),
    Changed("endpoints/*", ("subsets",), "addresses of pods, by the endpoints controller"),
    Changed(
        "endpoints/*",
        ("metadata", "annotations", "endpoints.kubernetes.io/last-change-trigger-time"),
        "by the endpoints controller",
    ),
    Changed("pods/*/running-*", ("metadata", "finalizers"), "taken off by the Job controller: it is no Job's any more"),
)


@pytest.fixture(scope="module")
def server(
    on_node: Installation, velero_on_node: Velero, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Velero, Stage]]:
    """A real server that looks at the prefix into which our dispatcher's Jobs write."""
    folder = tmp_path_factory.mktemp("restores")
    stage = Stage(on_node.cluster.kubeconfig, _NAMESPACE, folder, on_node.server.url, on_node.bucket, CREDENTIALS)
    with served(velero_on_node, stage, locations={"default": on_node.prefix}) as command:
        yield command, stage


@dataclass(frozen=True)
class Restored:
    """All objects before the backup, when they were removed, and after the restore; what the restore said."""

    before: State
    emptied: State
    after: State
    printed: str


@pytest.fixture(scope="module")
def restored(on_node: Installation, velero_on_node: Velero, server: tuple[Velero, Stage]) -> Restored:
    cluster, (velero, stage) = on_node.cluster, server
    many_kinds.apply(cluster, _PREFIX)
    before = many_kinds.look(cluster, _PREFIX)
    printed = velero_on_node.run("backup", "create", "everything", "--wait")
    assert "Backup completed with status: Completed." in printed, on_node.log_of("everything")
    stage.wait(lambda: stage.objects(BACKUPS).get("everything"), seconds=300)
    many_kinds.delete(cluster, _PREFIX)
    emptied = many_kinds.look(cluster, _PREFIX)
    printed = velero.run(
        "restore", "create", "back", "--from-backup", "everything", "--include-cluster-resources",
        "--include-namespaces", ",".join(many_kinds.namespaces(_PREFIX)), "--wait",
    )  # fmt: skip
    printed += velero.run("restore", "describe", "back", "--details")
    many_kinds.wait_until_settled(cluster, _PREFIX)
    return Restored(before, emptied, many_kinds.look(cluster, _PREFIX), printed)


def rule(rules: tuple[Rule, ...], key: Key, item: Document) -> Rule | None:
    return next((rule for rule in rules if rule.applies(key, item)), None)


def changes_of(key: Key) -> list[Changed]:
    return [changed for changed in CHANGED if fnmatchcase("/".join(key), changed.items)]


def without(value: Any, path: tuple[str, ...]) -> Any:
    """The same document without a field, and without maps that held nothing else."""
    head, rest = path[0], path[1:]
    if isinstance(value, list):
        return [without(each, rest) for each in value] if head == "*" else value
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for key, field in value.items():
        if head not in (key, "*"):
            kept[key] = field
        elif rest and (left := without(field, rest)) not in ({}, []):
            kept[key] = left
    return kept


def fields(key: Key, item: Document, *, but: Changed | None = None) -> Any:
    """What must be equal."""
    for changed in changes_of(key):
        if changed is not but:
            item = without(item, changed.path)
    return item


def expected(restored: Restored) -> State:
    return {key: item for key, item in restored.before.items() if not rule(NOT_RESTORED, key, item)}


def test_nothing_was_left_before_the_restore(restored: Restored) -> None:
    assert restored.emptied == {}
    assert len(restored.before) > 100
    assert len({group_resource for group_resource, _, _ in restored.before}) >= 47


def test_the_restore_had_no_error(restored: Restored) -> None:
    assert "Restore completed with status: Completed" in restored.printed, restored.printed


def test_every_object_comes_back_but_for_what_velero_never_restores(restored: Restored) -> None:
    wanted = expected(restored)
    added = {key: item for key, item in restored.after.items() if key not in wanted and not rule(MADE_ANEW, key, item)}
    assert (sorted(set(wanted) - set(restored.after)), sorted(added)) == ([], [])


def test_each_rule_of_what_is_there_only_before_or_after_is_met(restored: Restored) -> None:
    before, after = restored.before, restored.after
    met = [rule(NOT_RESTORED, key, item) for key, item in before.items() if key not in after]
    met += [rule(MADE_ANEW, key, item) for key, item in after.items() if key not in before]
    assert [rule.reason for rule in (*NOT_RESTORED, *MADE_ANEW) if rule not in met] == []


def test_what_comes_back_is_equal_field_by_field(restored: Restored) -> None:
    different = {
        "/".join(key): (before, after)
        for key, item in expected(restored).items()
        if key in restored.after and (before := fields(key, item)) != (after := fields(key, restored.after[key]))
    }
    assert different == {}, json.dumps(different, indent=1)


def test_each_rule_of_what_is_changed_is_needed(restored: Restored) -> None:
    needed = {
        changed
        for key, item in expected(restored).items()
        if key in restored.after
        for changed in changes_of(key)
        if fields(key, item, but=changed) != fields(key, restored.after[key], but=changed)
    }
    assert [changed for changed in CHANGED if changed not in needed] == []
