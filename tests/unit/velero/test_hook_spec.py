"""`spec.hooks` is read in Velero's spelling; what can't be read is a sentence that names the field."""

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.errors import UsageError
from pinnace.velero.hook_spec import check_known_fields, hook_errors, resource_hooks
from pinnace.velero.hooks import ExecHook, ResourceHooks


def hooks(**entry: Any) -> dict[str, Any]:
    return {"resources": [{"name": "e", **entry}]}


def hook(**given: Any) -> list[dict[str, Any]]:
    return [{"exec": {"command": ["a"], **given}}]


def test_every_field_is_read() -> None:
    document = {
        "resources": [
            {
                "name": "databases",
                "includedNamespaces": ["shop"],
                "excludedNamespaces": ["bank"],
                "includedResources": ["pods"],
                "excludedResources": ["jobs"],
                "labelSelector": {"matchLabels": {"app": "db"}},
                "pre": [
                    {"exec": {"container": "c", "command": ["/bin/sh", "-c", "x"], "onError": "Fail", "timeout": "1m"}},
                    {"exec": {"command": ["y"]}},
                ],
                "post": [{"exec": {"command": ["z"], "onError": "Continue", "timeout": "0s"}}],
            },
            {"name": "empty", "pre": None},
        ]
    }
    source: Any = "backupSpec"
    assert resource_hooks(document) == (
        ResourceHooks(
            "databases",
            ("shop",),
            ("bank",),
            ("pods",),
            ("jobs",),
            {"matchLabels": {"app": "db"}},
            pre=(
                ExecHook(("/bin/sh", "-c", "x"), "c", "Fail", 60.0, name="databases", source=source),
                ExecHook(("y",), name="databases", source=source),
            ),
            post=(ExecHook(("z",), "", "Continue", name="databases", source=source),),
        ),
        ResourceHooks("empty"),
    )
    assert list(hook_errors(document)) == []
    check_known_fields(document)
    check_known_fields({"resources": [None, {"name": "e", "pre": [None, {}]}]})


@pytest.mark.parametrize("nothing", [None, {}, {"resources": None}, {"resources": []}])
def test_no_hooks_are_spelled_in_several_ways(nothing: Any) -> None:
    assert resource_hooks(nothing) == ()


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ([], "spec.hooks: a mapping is wanted, not []"),
        ({"resources": {}}, ""),
        ({"resources": "x"}, "spec.hooks.resources: a list is wanted, not 'x'"),
        ({"resources": ["x"]}, "spec.hooks.resources[0]: a mapping is wanted, not 'x'"),
        ({"resources": [{}]}, "spec.hooks.resources[0].name: a name is wanted; the log and the results use it"),
        (hooks(includedNamespaces="x"), "spec.hooks.resources[0].includedNamespaces: a list is wanted, not 'x'"),
        (hooks(excludedResources=[1]), "spec.hooks.resources[0].excludedResources: a list of texts is wanted, not [1]"),
        (hooks(labelSelector=["a"]), "spec.hooks.resources[0].labelSelector: a LabelSelector is wanted, not ['a']"),
        (
            hooks(labelSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
            "spec.hooks.resources[0].labelSelector: a: operator In needs values",
        ),
        (hooks(pre=[{}]), "spec.hooks.resources[0].pre[0].exec: it is wanted; there is no other kind of hook"),
        (
            hooks(post=hook(command=[])),
            "spec.hooks.resources[0].post[0].exec.command: a program and its arguments are wanted",
        ),
        (hooks(pre=hook(command="a")), "spec.hooks.resources[0].pre[0].exec.command: a list is wanted, not 'a'"),
        (hooks(pre=hook(onError="x")), "spec.hooks.resources[0].pre[0].exec.onError: 'x' is neither Fail nor Continue"),
        (hooks(pre=hook(timeout=3)), "spec.hooks.resources[0].pre[0].exec.timeout: a text is wanted, not 3"),
        (hooks(pre=hook(timeout="-3s")), "spec.hooks.resources[0].pre[0].exec.timeout: '-3s' is negative"),
        (
            hooks(pre=hook(timeout="1d")),
            "spec.hooks.resources[0].pre[0].exec.timeout: '1d' is not a duration: days are written as hours, 24h",
        ),
        (hooks(pre=hook(container=1)), "spec.hooks.resources[0].pre[0].exec.container: a text is wanted, not 1"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_named(document: Any, error: str) -> None:
    assert list(hook_errors(document)) == ([error] if error else [])


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"resource": []}, "spec.hooks.resource"),
        (hooks(namespaces=["a"]), "spec.hooks.resources[0].namespaces"),
        (hooks(pre=[{"exec": {"command": ["a"]}, "init": {}}]), "spec.hooks.resources[0].pre[0].init"),
        (hooks(post=hook(on_error="Fail")), "spec.hooks.resources[0].post[0].exec.on_error"),
    ],
)
def test_a_field_that_velero_does_not_have_is_refused_in_what_people_write(document: Any, field: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(field)}: no such field of a Backup"):
        check_known_fields(document)


_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["1s", "Fail", "a"])
_KEYS = st.sampled_from(
    ["resources", "name", "includedNamespaces", "labelSelector", "matchLabels", "matchExpressions", "pre", "post",
     "exec", "command", "container", "onError", "timeout", "key", "operator", "values"]
)  # fmt: skip
_DOCUMENTS = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)


@given(_DOCUMENTS | st.fixed_dictionaries({"resources": st.lists(st.dictionaries(_KEYS, _DOCUMENTS), max_size=2)}))
def test_whatever_stands_there_is_read_or_named_by_its_field(document: Any) -> None:
    errors = list(hook_errors(document))
    assert all(error.startswith("spec.hooks") for error in errors)
    if not errors:
        for entry in resource_hooks(document):
            entry.matches(namespace="shop", labels={"app": "db"})
    with suppress(UsageError):
        check_known_fields(document)
