"""The state file: what is written is read; what is not ours is never trusted with signals."""

from pathlib import Path

import pytest

from pinnace.cluster import state
from pinnace.cluster.processes import OwnProcess
from pinnace.errors import ClusterError


def test_a_written_state_is_read_again(tmp_path: Path) -> None:
    written = state.ClusterState(
        server="https://127.0.0.1:1",
        etcd="http://127.0.0.1:2",
        kubernetes_version="v1.35.4",
        processes=(OwnProcess(name="etcd", pid=7, started_ticks=99, boot_id="b"),),
    )
    state.write(tmp_path / "state.json", state=written)
    assert state.read(tmp_path / "state.json") == written
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_no_file_is_no_cluster(tmp_path: Path) -> None:
    assert state.read(tmp_path / "state.json") is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2, "processes": []}', '{"format": 1, "processes": [{"pid": 1}]}', '{"format": 1}'],
)
def test_a_file_that_is_not_ours_is_an_error_naming_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(ClusterError, match=r"state\.json: not a state file"):
        state.read(path)
