"""A machine that can't have a node says so before anything is made."""

import os
from pathlib import Path

import pytest

from pinnace.cluster import local_cluster, node_requirements
from pinnace.errors import ClusterError

PROGRAMS = ("containerd", "ctr", "runc", "iptables", "ip", "nsenter", "unshare")
PLUGINS = ("bridge", "host-local", "loopback")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only programs are files in this folder, run by root."""
    for name in (*PROGRAMS, *PLUGINS):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(node_requirements, "_SYSTEM_PATH", "")
    monkeypatch.setattr(node_requirements, "_CNI_FOLDERS", (str(tmp_path / "none"), str(tmp_path)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def test_a_machine_with_everything_is_fine(machine: Path) -> None:
    node_requirements.check()
    assert node_requirements.program("runc") == str(machine / "runc")
    assert node_requirements.cni_folder() == machine


def test_what_is_missing_is_named_with_the_recipe_and_the_packages(machine: Path) -> None:
    for name in ("runc", "ctr", "host-local"):
        (machine / name).unlink()
    with pytest.raises(
        ClusterError,
        match=r"^a node needs ctr, runc, CNI plugins: not found; `just node-packages` .* \(containerd runc .*\)$",
    ):
        node_requirements.check()
    with pytest.raises(ClusterError, match=r"^runc: not found"):
        node_requirements.program("runc")
    with pytest.raises(ClusterError, match=r"^CNI plugins: not found"):
        node_requirements.cni_folder()


def test_another_user_than_root_is_told_so_before_a_cluster_is_made(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="run it as root, or leave out --with-node"):
        local_cluster.up(tmp_path / "cluster", nodes=1)
    assert not (tmp_path / "cluster").exists()
