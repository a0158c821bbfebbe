"""Which hooks run in a pod, and how its annotations are read, is Velero's (velero-format.md section 6)."""

from typing import Any

import pytest

from pinnace.errors import UsageError
from pinnace.velero.hooks import ExecHook, Phase, PodHooks, ResourceHooks, container_of, hooks_of, runs_no_hooks

PRE, POST, LEGACY = "pre.hook.backup.velero.io/", "post.hook.backup.velero.io/", "hook.backup.velero.io/"
SPEC_PRE = ExecHook(("freeze",), name="spec", source="backupSpec")
SPEC_POST = ExecHook(("thaw",), name="spec", source="backupSpec")
SPEC = ResourceHooks("spec", pre=(SPEC_PRE,), post=(SPEC_POST,))


def pod(annotations: dict[str, str] | None = None, *, labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": "db-0", "namespace": "shop", "annotations": annotations or {}, "labels": labels or {}}
    return {"metadata": metadata, "spec": {"containers": [{"name": "main"}, {"name": "side"}]}, "status": {}}


@pytest.mark.parametrize(
    ("annotations", "phase", "hooks"),
    [
        ({}, "pre", (SPEC_PRE,)),
        ({}, "post", (SPEC_POST,)),
        ({f"{PRE}command": "sync"}, "pre", (ExecHook(("sync",)),)),
        ({f"{PRE}command": "sync"}, "post", (SPEC_POST,)),
        ({f"{POST}command": "sync"}, "pre", (SPEC_PRE,)),
        ({f"{POST}command": "sync"}, "post", (ExecHook(("sync",)),)),
        ({f"{LEGACY}command": "sync"}, "pre", (ExecHook(("sync",)),)),
        ({f"{LEGACY}command": "sync"}, "post", (SPEC_POST,)),
        ({f"{PRE}command": "new", f"{LEGACY}command": "old"}, "pre", (ExecHook(("new",)),)),
        ({f"{PRE}command": "new", f"{LEGACY}container": "side"}, "pre", (ExecHook(("new",)),)),
        ({f"{PRE}command": ""}, "pre", (SPEC_PRE,)),
        ({f"{PRE}container": "side"}, "pre", (SPEC_PRE,)),
        (
            {f"{PRE}command": "a", f"{PRE}container": "side", f"{PRE}on-error": "Fail", f"{PRE}timeout": "1m30s"},
            "pre",
            (ExecHook(("a",), "side", "Fail", 90.0),),
        ),
        (
            {f"{LEGACY}command": "a", f"{LEGACY}on-error": "Continue", f"{LEGACY}timeout": "0"},
            "pre",
            (ExecHook(("a",), "", "Continue"),),
        ),
    ],
)
def test_a_command_in_the_annotations_puts_the_spec_aside_for_its_phase(
    annotations: dict[str, str], phase: Phase, hooks: tuple[ExecHook, ...]
) -> None:
    assert hooks_of(pod(annotations), phase, [SPEC]) == PodHooks(hooks)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('["/bin/sh", "-c", "sync; sync"]', ("/bin/sh", "-c", "sync; sync")),
        ("/bin/sync", ("/bin/sync",)),
        ("/bin/sh -c sync", ("/bin/sh -c sync",)),
        ('["/bin/sync"', ('["/bin/sync"',)),
        ('["/bin/sleep", 5]', ('["/bin/sleep", 5]',)),
        ('{"a": "b"}', ('{"a": "b"}',)),
        (' ["a"]', (' ["a"]',)),
        ("[]", ()),
    ],
)
def test_a_command_is_a_json_array_of_texts_or_the_name_of_a_program(text: str, command: tuple[str, ...]) -> None:
    [hook] = hooks_of(pod({f"{PRE}command": text}), "pre", []).hooks
    assert hook.command == command


@pytest.mark.parametrize(
    ("annotation", "value", "warning"),
    [
        ("on-error", "fail", "'fail' is neither Fail nor Continue, and is ignored"),
        (
            "timeout",
            "30",
            "'30' is not a duration such as 720h or 1h30m0s; days are written as hours; the hook gets 30s",
        ),
        ("timeout", "-1s", "'-1s' is negative; the hook gets 30s"),
    ],
)
def test_a_bad_annotation_is_a_warning_and_counts_as_not_set(annotation: str, value: str, warning: str) -> None:
    found = hooks_of(pod({f"{PRE}command": "a", f"{PRE}{annotation}": value}), "pre", [])
    assert found == PodHooks((ExecHook(("a",)),), (f"annotation {PRE}{annotation}: {warning}",))


@pytest.mark.parametrize(
    ("entry", "matches"),
    [
        (ResourceHooks("e"), True),
        (ResourceHooks("e", included_namespaces=("shop",)), True),
        (ResourceHooks("e", included_namespaces=("sh*",)), True),
        (ResourceHooks("e", included_namespaces=("bank",)), False),
        (ResourceHooks("e", excluded_namespaces=("shop",)), False),
        (ResourceHooks("e", included_namespaces=("*",), excluded_namespaces=("s?op",)), False),
        (ResourceHooks("e", included_resources=("pods",)), True),
        (ResourceHooks("e", included_resources=("*",)), True),
        (ResourceHooks("e", included_resources=("deployments.apps",)), False),
        (ResourceHooks("e", excluded_resources=("pods",)), False),
        (ResourceHooks("e", label_selector={}), True),
        (ResourceHooks("e", label_selector={"matchLabels": {"app": "db"}}), True),
        (ResourceHooks("e", label_selector={"matchLabels": {"app": "web"}}), False),
        (ResourceHooks("e", label_selector={"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}), False),
    ],
)
def test_an_entry_of_the_spec_is_for_pods_by_namespace_resource_and_labels(entry: ResourceHooks, matches: bool) -> None:
    assert entry.matches(namespace="shop", labels={"app": "db"}) is matches


def test_all_matching_entries_run_in_order() -> None:
    first, second = ExecHook(("1",), name="a"), ExecHook(("2",), name="a")
    other, third = ExecHook(("x",), name="b"), ExecHook(("3",), name="c")
    entries = [
        ResourceHooks("a", pre=(first, second)),
        ResourceHooks("b", excluded_namespaces=("shop",), pre=(other,)),
        ResourceHooks("c", label_selector={"matchLabels": {"app": "db"}}, pre=(third,), post=(other,)),
    ]
    assert hooks_of(pod(labels={"app": "db"}), "pre", entries).hooks == (first, second, third)


def test_kinds_of_the_spec_are_resolved_as_filters_are() -> None:
    names = {"po": "pods", "deploy": "deployments.apps"}
    entry = ResourceHooks("e", included_resources=("po", "no-such", "job*"), excluded_resources=("deploy",))
    resolved = entry.resolved(lambda name: names.get(name, name))
    assert resolved.included_resources == ("pods", "no-such", "job*")
    assert resolved.excluded_resources == ("deployments.apps",)


@pytest.mark.parametrize(
    ("on_error", "fails_pod", "logged"), [("", False, "Fail"), ("Fail", True, "Fail"), ("Continue", False, "Continue")]
)
def test_on_error_that_is_not_set_is_called_fail_and_acts_as_continue(
    on_error: str, fails_pod: bool, logged: str
) -> None:
    hook = ExecHook(("a",), on_error=on_error)
    assert (hook.fails_pod, hook.logged_on_error) == (fails_pod, logged)


@pytest.mark.parametrize(("given", "effective"), [(0.0, 30.0), (1.5, 1.5)])
def test_a_hook_has_thirty_seconds_unless_it_says_otherwise(given: float, effective: float) -> None:
    assert ExecHook(("a",), timeout_seconds=given).effective_timeout_seconds == effective


def test_the_container_is_the_first_one_or_the_named_one() -> None:
    assert container_of(pod(), ExecHook(("a",))) == "main"
    assert container_of(pod(), ExecHook(("a",), container="side")) == "side"
    with pytest.raises(UsageError, match=r'^no such container: "init"$'):
        container_of(pod(), ExecHook(("a",), container="init"))


@pytest.mark.parametrize(
    ("phase", "ended"), [("Succeeded", True), ("Failed", True), ("Running", False), ("Pending", False), (None, False)]
)
def test_a_pod_that_has_ended_runs_no_hooks(phase: str | None, ended: bool) -> None:
    assert runs_no_hooks({"status": {"phase": phase}}) is ended
