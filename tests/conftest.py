"""Fixtures of the real servers, found by name wherever a test asks for one, and how tests share several processes."""

from pathlib import Path

import pytest

pytest_plugins = ["integration.cluster_fixtures", "integration.s3_fixtures", "e2e.node_fixtures"]

_LONGEST_FIRST = ("e2e", "test_attempts", "test_dispatcher_without_a_node", "test_s3_faults", "test_wheel")
"""Groups that begin first, so that none of them is still at work when all others have ended."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, where they share servers; all with a node are one group.

    First, since pytest-xdist reads the groups in a hook of this name.
    """
    groups = {item: _group(item.path) for item in items}
    items.sort(key=lambda item: _place(groups[item]))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item]))


def _group(path: Path) -> str:
    return "e2e" if path.parent.name == "e2e" else path.stem


def _place(group: str) -> int:
    return _LONGEST_FIRST.index(group) if group in _LONGEST_FIRST else len(_LONGEST_FIRST)
