"""Fixtures of the real servers, found by name wherever a test asks for one, and how tests share several processes."""

from pathlib import PurePath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["integration.cluster_fixtures", "integration.s3_fixtures", "e2e.node_fixtures"]

_LONGEST_FIRST = (
    "e2e",
    "test_attempts",
    "test_indexed_jobs",
    "test_dispatcher_without_a_node",
    "test_s3_faults",
    "test_wheel",
)
"""Groups that begin first, so that none of them is still at work when all others have ended."""


class _Groups(LoadScopeScheduling):  # type: ignore[misc]
    """The tests of a file stay in one process, where they share servers; all with a node are one group."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Schedule by groups, whatever `--dist` says."""
    return _Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by group, in which order pytest-xdist gives them to its processes."""
    items.sort(key=lambda item: _place(_group(item.nodeid)))


def _group(nodeid: str) -> str:
    path = PurePath(nodeid.partition("::")[0])
    return "e2e" if path.parent.name == "e2e" else path.stem


def _place(group: str) -> int:
    return _LONGEST_FIRST.index(group) if group in _LONGEST_FIRST else len(_LONGEST_FIRST)
