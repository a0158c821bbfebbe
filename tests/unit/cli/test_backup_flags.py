"""Flags become the Backup that `velero backup create` would make of them."""

from pathlib import Path

import pytest

from pinnace.cli.backup_flags import read_backup, spec_document
from pinnace.errors import UsageError
from pinnace.velero.backup import Backup, BackupSpec


def test_flags_become_a_spec() -> None:
    flags = {
        "include_namespaces": ["a,b", "c"],
        "include_cluster_resources": False,
        "or_selector": "a=1,b=2 or c=3",
        "ordered_resources": "pods=ns/a,ns/b;nodes=n",
        "ttl": "1h",
        "exclude_resources": None,
    }
    assert spec_document(flags) == {
        "includedNamespaces": ["a", "b", "c"],
        "includeClusterResources": False,
        "orLabelSelectors": [{"matchLabels": {"a": "1", "b": "2"}}, {"matchLabels": {"c": "3"}}],
        "ttl": "1h",
        "orderedResources": {"pods": "ns/a,ns/b", "nodes": "n"},
    }


def test_set_based_selectors_become_expressions_and_keep_commas_in_parentheses() -> None:
    assert spec_document({"selector": "a=b,c in (d,e),!f"}) == {
        "labelSelector": {
            "matchLabels": {"a": "b"},
            "matchExpressions": [
                {"key": "c", "operator": "In", "values": ["d", "e"]},
                {"key": "f", "operator": "DoesNotExist"},
            ],
        }
    }
    assert spec_document({"or_selector": "a=b or c in (d,e) or f notin (g) or h"}) == {
        "orLabelSelectors": [
            {"matchLabels": {"a": "b"}},
            {"matchExpressions": [{"key": "c", "operator": "In", "values": ["d", "e"]}]},
            {"matchExpressions": [{"key": "f", "operator": "NotIn", "values": ["g"]}]},
            {"matchExpressions": [{"key": "h", "operator": "Exists"}]},
        ]
    }


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"selector": "=b"}, "--selector: '=b': a label's key is wanted, not '=', as in "),
        ({"or_selector": "a=b or =c"}, "--or-selector: '=c': a label's key is wanted, not '=', as in "),
        ({"ttl": "30d"}, "--ttl: '30d' is not a duration: days are written as hours, 720h"),
        ({"ttl": "-1h"}, "--ttl: '-1h' is negative: the backup would have expired before it is made"),
        ({"ordered_resources": "pods"}, "--ordered-resources: 'pods' is not plural=namespace/name,namespace/name"),
        ({"ordered_resources": "pods=a/b;"}, "--ordered-resources: '' is not plural=namespace/name,namespace/name"),
        ({"ordered_resources": "a=b=c"}, "--ordered-resources: 'a=b=c' is not plural=namespace/name,namespace/name"),
        (
            {"ordered_resources": "a=b;a=c"},
            "--ordered-resources: a is given twice; write all of its names in one list",
        ),
    ],
)
def test_a_flag_that_is_not_understood_is_one_sentence(flags: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        spec_document(flags)
    assert str(raised.value).startswith(sentence)


def test_ordered_resources_are_trimmed_as_velero_trims_them() -> None:
    flags = {"ordered_resources": " pods = ns/a,ns/b ;persistentvolumes=pv1"}
    assert spec_document(flags) == {"orderedResources": {"pods": "ns/a,ns/b", "persistentvolumes": "pv1"}}


def test_labels_and_annotations_are_pairs_and_quotes_keep_commas() -> None:
    backup = read_backup("b", spec={}, labels='a=1,"b=2"', annotations='"k=x,y=z",c=', from_file=None)
    assert (backup.labels, backup.annotations) == ({"a": "1", "b": "2"}, {"k": "x,y=z", "c": ""})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a", "--labels: 'a' is not key=value"),
        ("=b", "--labels: '=b' is not key=value"),
        ('"a=b', "--labels: '\"a=b': unexpected end of data"),
    ],
)
def test_what_is_no_pair_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_backup("b", spec={}, labels=text, from_file=None)
    assert str(raised.value) == sentence


_MANIFEST = """\
apiVersion: velero.io/v1
kind: Backup
metadata:
  name: x
  namespace: backups
  uid: u
  resourceVersion: "7"
  labels: {l: "0", m: "2"}
  annotations: {a: "0"}
spec: {ttl: 2h0m0s}
status: {phase: Failed, failureReason: old, errors: 3}
"""


def test_of_a_manifest_the_spec_and_what_a_run_may_keep_is_taken(tmp_path: Path) -> None:
    manifest = tmp_path / "backup.yaml"
    manifest.write_text(_MANIFEST)
    assert read_backup("b", spec={}, labels="l=1", annotations="a=1", from_file=manifest) == Backup(
        name="b",
        namespace="backups",
        labels={"l": "1", "m": "2"},
        annotations={"a": "1"},
        spec=BackupSpec(ttl_seconds=7200),
    )


def test_a_manifest_and_filter_flags_together_are_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "backup.yaml"
    manifest.write_text(_MANIFEST)
    with pytest.raises(UsageError, match="leave out the flags for ttl"):
        read_backup("b", spec={"ttl": "1h"}, labels="", from_file=manifest)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "while parsing a flow node"),
        ("kind: Backup\napiVersion: velero.io/v1\nspec: {includeNamespace: [a]}", "no such field of a Backup"),
        ("- a", "not a Backup: the document is not a mapping"),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    manifest = tmp_path / "backup.yaml"
    manifest.write_text(text)
    with pytest.raises(UsageError, match=sentence):
        read_backup("b", spec={}, labels="", from_file=manifest)
    with pytest.raises(UsageError, match="No such file"):
        read_backup("b", spec={}, labels="", from_file=tmp_path / "nothing")
