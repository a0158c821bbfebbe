"""Flags become the Backup that `velero backup create` would make of them."""

from pathlib import Path

import pytest

from pinnace.cli.backup_flags import read_backup, spec_document
from pinnace.errors import UsageError


def test_flags_become_a_spec() -> None:
    flags = {
        "include_namespaces": ["a,b", "c"],
        "include_cluster_resources": False,
        "or_selector": "a=1,b=2 or c=3",
        "ordered_resources": "pods=ns/a,ns/b;nodes=n",
        "ttl": "1h",
        "exclude_resources": None,
    }
    with pytest.raises(UsageError, match="--ordered-resources"):
        spec_document({"ordered_resources": "pods"})
    assert spec_document(flags) == {
        "includedNamespaces": ["a", "b", "c"],
        "includeClusterResources": False,
        "orLabelSelectors": [{"matchLabels": {"a": "1", "b": "2"}}, {"matchLabels": {"c": "3"}}],
        "ttl": "1h",
        "orderedResources": {"pods": "ns/a,ns/b", "nodes": "n"},
    }


@pytest.mark.parametrize("text", ["app", "a!=b", "a==b", "=b"])
def test_a_selector_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--selector"):
        spec_document({"selector": text})


def test_a_manifest_and_filter_flags_together_are_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "backup.yaml"
    manifest.write_text("apiVersion: velero.io/v1\nkind: Backup\nmetadata: {name: x}\nspec: {ttl: 2h0m0s}\n")
    assert read_backup("b", spec={}, labels="l=1", from_file=manifest).spec.ttl_seconds == 7200
    with pytest.raises(UsageError, match="leave out the flags for ttl"):
        read_backup("b", spec={"ttl": "1h"}, labels="", from_file=manifest)
