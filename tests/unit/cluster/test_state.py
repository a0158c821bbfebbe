"""The state file: what is written is read; what is not ours is never trusted with signals."""

from pathlib import Path

import pytest

from pinnace.cluster import state
from pinnace.cluster.processes import OwnProcess
from pinnace.errors import ClusterError

NODE = state.NodeState(
    name="node-1",
    bridge="pin0123456789",
    subnet="10.213.7.0/24",
    cgroup="pinnace-0123456789",
    apiserver_port=1,
    kubelet_port=2,
    processes=(OwnProcess(name="node-1-containerd", pid=8, started_ticks=100, boot_id="b"),),
)


def test_a_written_state_is_read_again(tmp_path: Path) -> None:
    written = state.ClusterState(
        server="https://127.0.0.1:1",
        etcd="http://127.0.0.1:2",
        kubernetes_version="v1.35.4",
        processes=(OwnProcess(name="etcd", pid=7, started_ticks=99, boot_id="b"),),
        nodes=(NODE,),
    )
    state.write(tmp_path / "state.json", state=written)
    assert state.read(tmp_path / "state.json") == written
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_state_of_before_there_were_nodes_has_none(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(
        '{"format": 1, "server": "s", "etcd": "e", "kubernetes_version": "v1.35.4", "processes": []}'
    )
    assert state.read(tmp_path / "state.json") == state.ClusterState(server="s", etcd="e", kubernetes_version="v1.35.4")


def test_all_processes_are_those_of_the_control_plane_and_then_of_the_nodes() -> None:
    etcd = OwnProcess(name="etcd", pid=7, started_ticks=99, boot_id="b")
    found = state.ClusterState(server="", etcd="", kubernetes_version="", processes=(etcd,), nodes=(NODE,))
    assert found.all_processes == (etcd, *NODE.processes)


def test_no_file_is_no_cluster(tmp_path: Path) -> None:
    assert state.read(tmp_path / "state.json") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2, "processes": []}',
        '{"format": 1, "processes": [{"pid": 1}]}',
        '{"format": 1}',
        '{"format": 1, "processes": [], "nodes": [{"processes": []}]}',
    ],
)
def test_a_file_that_is_not_ours_is_an_error_naming_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(ClusterError, match=r"state\.json: not a state file"):
        state.read(path)
