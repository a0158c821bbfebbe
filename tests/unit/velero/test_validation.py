"""What Velero 1.18 refuses, in its words; literal, since users search for these sentences."""

from typing import Any

import pytest

from pinnace.errors import UsageError
from pinnace.velero.backup import Backup, BackupSpec
from pinnace.velero.server_defaults import default_filters
from pinnace.velero.validation import filter_errors, validate

_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_NAMESPACES = "Invalid included/excluded namespace lists: "
_RESOURCES = "Invalid included/excluded resource lists: "
_CLUSTER = "Invalid cluster-scoped included/excluded resource lists: "
_NAMESPACED = "Invalid namespace-scoped included/excluded resource lists: "
_STAR = "must either contain '*' only, or a non-empty list of items"
_BOTH = "excludes list cannot contain an item in the includes list: "
_MIXED = (
    "include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
    "include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources and "
    "exclude-namespace-scoped-resources are new filter parameters.\n"
    "They cannot be used together"
)


@pytest.mark.parametrize(
    ("included", "excluded", "errors"),
    [
        ((), (), []),
        (("*",), (), []),
        (("*", "*"), (), []),
        (("",), (), []),
        (("a", "a", "shop-*", "shop-?", "shop-[a-c]x"), ("b-*",), []),
        (("*", "a"), (), [f"includes list {_STAR}"]),
        ((), ("*",), ["excludes list cannot contain '*'", f"{_BOTH}*"]),
        (("a", "b"), ("b", "a", "a"), [f"{_BOTH}a", f"{_BOTH}b"]),
        (("A",), (), [f'invalid namespace "A": {_LABEL}']),
        (("-a",), ("b_",), [f'invalid namespace "-a": {_LABEL}', f'invalid namespace "b_": {_LABEL}']),
        (('a"b',), (), [f'invalid namespace "a\\"b": {_LABEL}']),
        (("a.b",), (), ['invalid namespace "a.b": must not contain dots']),
        (("x" * 64,), (), [f'invalid namespace "{"x" * 64}": must be no more than 63 characters']),
        (("a-*-",), (), [f'invalid namespace "a-*-": {_LABEL}']),
        (("{a,b}",), (), ["wildcard pattern contains unsupported characters: |, (, ), !, {, }, ,"]),
        (("[!a]",), (), ["wildcard pattern contains unsupported characters: |, (, ), !, {, }, ,"]),
        (("a**",), (), ["wildcard pattern contains consecutive asterisks (only single * allowed)"]),
        (("a[b",), (), ["wildcard pattern contains unclosed bracket '['"]),
        (("a[]b",), (), ["wildcard pattern contains empty bracket pattern '[]'"]),
        (("a]b",), (), ["wildcard pattern contains unmatched closing bracket ']'"]),
        (("[a]b]",), (), ["wildcard pattern contains unmatched closing bracket ']'"]),
        (
            ("b", "C"),
            ("**", "D"),
            [
                f'invalid namespace "C": {_LABEL}',
                "wildcard pattern contains consecutive asterisks (only single * allowed)",
                f'invalid namespace "D": {_LABEL}',
            ],
        ),
    ],
)
def test_namespace_lists(included: tuple[str, ...], excluded: tuple[str, ...], errors: list[str]) -> None:
    spec = BackupSpec(included_namespaces=included, excluded_namespaces=excluded)
    assert list(filter_errors(spec)) == [_NAMESPACES + error for error in errors]


def test_an_included_namespace_that_is_labelled_to_be_excluded_fails() -> None:
    spec = BackupSpec(included_namespaces=("a", "b"), excluded_namespaces=("c",))
    assert list(filter_errors(spec, exclude_labelled=["b", "d"])) == [f"{_NAMESPACES}{_BOTH}b"]
    assert list(filter_errors(BackupSpec(included_namespaces=("*",)), exclude_labelled=["b"])) == []


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (BackupSpec(included_resources=("pods", "pods"), excluded_resources=("secrets",)), []),
        (BackupSpec(included_resources=("*", "pods")), [f"{_RESOURCES}includes list {_STAR}"]),
        (BackupSpec(excluded_resources=("*",)), [f"{_RESOURCES}excludes list cannot contain '*'"]),
        (
            BackupSpec(included_resources=("*",), excluded_resources=("*",)),
            [f"{_RESOURCES}excludes list cannot contain '*'", f"{_RESOURCES}{_BOTH}*"],
        ),
        (
            BackupSpec(included_resources=("b", "a"), excluded_resources=("c", "b", "a")),
            [f"{_RESOURCES}{_BOTH}a", f"{_RESOURCES}{_BOTH}b"],
        ),
        (BackupSpec(excluded_cluster_scoped_resources=("*",), excluded_namespace_scoped_resources=("*",)), []),
        (
            BackupSpec(included_cluster_scoped_resources=("*", "nodes")),
            [f"{_CLUSTER}includes list {_STAR}"],
        ),
        (
            BackupSpec(excluded_cluster_scoped_resources=("*", "nodes")),
            [f"{_CLUSTER}excludes list {_STAR}"],
        ),
        (
            BackupSpec(
                included_cluster_scoped_resources=("nodes",),
                excluded_cluster_scoped_resources=("*",),
                included_namespace_scoped_resources=("*",),
                excluded_namespace_scoped_resources=("*",),
            ),
            [
                f"{_CLUSTER}when exclude is '*', include cannot have value",
                f"{_NAMESPACED}when exclude is '*', include cannot have value",
                f"{_NAMESPACED}{_BOTH}*",
            ],
        ),
        (
            BackupSpec(
                included_namespace_scoped_resources=("pods",), excluded_namespace_scoped_resources=("pods", "a")
            ),
            [f"{_NAMESPACED}{_BOTH}pods"],
        ),
        # With both styles only the old lists are looked at.
        (
            BackupSpec(include_cluster_resources=False, included_namespace_scoped_resources=("*", "pods")),
            [_MIXED],
        ),
        (
            BackupSpec(included_resources=("*", "pods"), excluded_cluster_scoped_resources=("nodes",)),
            [_MIXED, f"{_RESOURCES}includes list {_STAR}"],
        ),
    ],
)
def test_resource_lists(spec: BackupSpec, errors: list[str]) -> None:
    assert list(filter_errors(spec)) == errors


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (BackupSpec(label_selector={}), []),
        (
            BackupSpec(label_selector={"matchLabels": {"a": "b"}}, or_label_selectors=({},)),
            ["encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified"],
        ),
        (
            BackupSpec(label_selector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
            ["spec.labelSelector: a: operator In needs values"],
        ),
        (
            BackupSpec(or_label_selectors=({}, {"matchExpressions": [{"key": "a", "operator": "Is"}]})),
            ["spec.orLabelSelectors[1]: a: operator 'Is' is not one of In, NotIn, Exists, DoesNotExist"],
        ),
    ],
)
def test_selectors(spec: BackupSpec, errors: list[str]) -> None:
    assert list(filter_errors(spec)) == errors


@pytest.mark.parametrize("name", ["B", "-b", "a/b", "b" * 254, "", "../b"])
def test_a_name_that_the_api_server_would_refuse(name: str) -> None:
    assert validate(Backup(name=name)) == (
        f"invalid backup name {name!r}: lower case letters, digits, '-' and '.' are allowed",
    )


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("defaultVolumesToRestic", True, "file-system backups of volumes"),
        ("defaultVolumesToFsBackup", True, "file-system backups of volumes"),
        ("snapshotMoveData", True, "moving snapshot data"),
        ("datamover", "velero", "moving snapshot data"),
        ("uploaderConfig", {"parallelFilesUpload": 2}, "file-system backups of volumes"),
    ],
)
def test_what_is_not_there_yet_is_refused_by_its_field(field: str, value: object, what: str) -> None:
    spec = BackupSpec.from_document({field: value}, strict=True)
    assert validate(Backup(name="b", spec=spec)) == (f"spec.{field}: {what} are not there yet; leave it out",)
    assert validate(Backup(name="b", spec=BackupSpec.from_document({field: None}))) == ()


def test_hooks_that_can_not_be_read_are_refused_and_others_are_not() -> None:
    hook: dict[str, Any] = {"name": "h", "pre": [{"exec": {"command": ["sync"]}}]}
    refused = "spec.hooks.resources[1].pre[0].exec.command: a program and its arguments are wanted"
    for entries, errors in (([hook], ()), ([hook, {"name": "i", "pre": [{"exec": {}}]}], (refused,))):
        spec = BackupSpec.from_document({"hooks": {"resources": entries}}, strict=True)
        assert validate(Backup(name="b", spec=spec)) == errors
    with pytest.raises(UsageError, match=r"^spec\.hooks\.resource: no such field"):
        BackupSpec.from_document({"hooks": {"resource": [hook]}}, strict=True)


@pytest.mark.parametrize(
    "spec",
    [
        {"excludedClusterScopedResources": ["*"]},
        {"excludedNamespaceScopedResources": ["*"], "includedClusterScopedResources": ["nodes"]},
        {"includedNamespaceScopedResources": ["volumesnapshots.snapshot.storage.k8s.io"]},
        {"includedResources": ["volumesnapshots.snapshot.storage.k8s.io"]},
    ],
)
def test_what_a_server_writes_into_valid_filters_is_valid_when_a_job_reads_it(spec: dict[str, Any]) -> None:
    assert list(filter_errors(BackupSpec.from_document(spec))) == []
    written = default_filters(spec, namespaces_everything=False)
    assert "snapshot.storage.k8s.io" in str([written[name] for name in written if name.startswith("excluded")])
    assert list(filter_errors(BackupSpec.from_document(written))) == []
