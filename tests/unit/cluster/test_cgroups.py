"""Groups are made in every hierarchy; kernels with version 1 and 2 lay them out differently.

Ending their members needs a real kernel: tests/e2e.
"""

from pathlib import Path

import pytest

from pinnace.cluster import cgroups


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    for name in ("cpu,cpuacct", "memory", "unified"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    (tmp_path / "not-a-hierarchy").mkdir()
    return tmp_path


def test_version_1_has_the_group_in_each_hierarchy_and_the_node_in_that_of_memory(version_1: Path) -> None:
    procs = cgroups.create("pinnace-x", root=version_1)
    assert procs == version_1 / "memory" / "pinnace-x" / "node" / "cgroup.procs"
    made = {
        str(path.relative_to(version_1)) for path in version_1.rglob("*") if path.is_dir() and "pinnace" in str(path)
    }
    assert made == {"cpu,cpuacct/pinnace-x", "memory/pinnace-x", "memory/pinnace-x/node", "unified/pinnace-x"}


def test_members_are_those_of_all_groups_below(version_1: Path) -> None:
    cgroups.create("pinnace-x", root=version_1)
    pod = version_1 / "memory" / "pinnace-x" / "kubepods" / "pod1"
    pod.mkdir(parents=True)
    (pod / "cgroup.procs").write_text("7\n8\n")
    (version_1 / "unified" / "pinnace-x" / "cgroup.procs").write_text("8\n0\n")
    assert cgroups.members("pinnace-x", root=version_1) == {7, 8}


def test_a_group_that_is_not_there_has_no_members_and_is_removed_without_error(version_1: Path) -> None:
    assert cgroups.members("pinnace-x", root=version_1) == set()
    cgroups.remove("pinnace-x", root=version_1)


def test_version_2_delegates_the_controllers_that_the_kernel_has(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory rdma\n")
    (tmp_path / "cgroup.subtree_control").touch()
    (tmp_path / "pinnace-x").mkdir()
    (tmp_path / "pinnace-x" / "cgroup.controllers").write_text("memory\n")
    assert cgroups.create("pinnace-x", root=tmp_path) == tmp_path / "pinnace-x" / "node" / "cgroup.procs"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"
    assert (tmp_path / "pinnace-x" / "cgroup.subtree_control").read_text() == "+memory"
