"""`pinnace cluster`: what it prints where there is no cluster; running ones are in tests/integration."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pinnace.cli.cluster import app
from pinnace.cluster import state
from pinnace.cluster.processes import OwnProcess


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all clusters, empty."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "pinnace" / "cluster"


def test_status_says_how_to_start_one_where_there_is_none(clusters: Path) -> None:
    shown = CliRunner().invoke(app, ["status"])
    assert (shown.exit_code, shown.stdout) == (0, "no local cluster; start one by: pinnace cluster up\n")


def test_status_of_a_cluster_that_was_killed_is_stopped(clusters: Path) -> None:
    ended = OwnProcess(name="etcd", pid=1, started_ticks=1, boot_id="another boot")
    (clusters / "old").mkdir(parents=True)
    written = state.ClusterState(server="", etcd="http://127.0.0.1:1", kubernetes_version="v1.35.4", processes=(ended,))
    state.write(clusters / "old" / "state.json", state=written)

    table = CliRunner().invoke(app, ["status"]).stdout
    assert [line.split() for line in table.splitlines()] == [
        ["NAME", "STATE", "VERSION", "SERVER", "PIDS", "KUBECONFIG"],
        ["old", "stopped", "v1.35.4", "-", "-", str(clusters / "old" / "kubeconfig")],
    ]
    assert json.loads(CliRunner().invoke(app, ["status", "--output", "json"]).stdout) == [
        {
            "name": "old",
            "running": False,
            "folder": str(clusters / "old"),
            "kubeconfig": str(clusters / "old" / "kubeconfig"),
            "exists": True,
            "ready": False,
            "server": "",
            "etcd": "http://127.0.0.1:1",
            "kubernetes_version": "v1.35.4",
            "programs": [{"name": "etcd", "pid": 1, "running": False}],
        }
    ]


def test_down_of_a_cluster_that_is_not_there_does_nothing(clusters: Path) -> None:
    shown = CliRunner().invoke(app, ["down", "--name", "none"])
    assert (shown.exit_code, shown.stderr) == (0, "cluster none: not there, nothing to do\n")
    assert not clusters.exists()


def test_an_image_for_a_cluster_without_a_node_is_refused_with_the_way_to_one(clusters: Path, tmp_path: Path) -> None:
    (tmp_path / "image.tar").touch()
    shown = CliRunner().invoke(app, ["load-image", str(tmp_path / "image.tar"), "--name", "none"])
    assert str(shown.exception) == f"{clusters / 'none'}: no node runs; start one by `pinnace cluster up --with-node`"
    assert not clusters.exists()
