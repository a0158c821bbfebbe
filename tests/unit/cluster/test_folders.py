"""Folders follow the XDG rules, and a name never leaves them."""

from pathlib import Path

import pytest

from pinnace.cluster import folders
from pinnace.errors import UsageError


def test_folders_follow_the_xdg_variables() -> None:
    environment = {"XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"}
    assert folders.cache_folder(environment) == Path("/c/pinnace/cluster")
    assert folders.cluster_folder("default", environment=environment) == Path("/s/pinnace/cluster/default")


@pytest.mark.parametrize("environment", [{}, {"XDG_CACHE_HOME": "", "XDG_STATE_HOME": "relative"}])
def test_unset_and_relative_variables_mean_the_defaults(environment: dict[str, str]) -> None:
    assert folders.cache_folder(environment) == Path.home() / ".cache/pinnace/cluster"
    assert folders.clusters_folder(environment) == Path.home() / ".local/state/pinnace/cluster"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "a-", "A", "a" * 64, "a\n"])
def test_a_name_that_is_no_label_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cluster name"):
        folders.cluster_folder(name)
