"""The benchmark on a real cluster: what it loads is served, both sides list the same, and nothing is left behind."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from command import pinnace
from integration import etcd
from integration.cluster_fixtures import TestedCluster
from pinnace.bench import run, series
from pinnace.bench.figures import Measurement
from pinnace.bench.mix import KINDS, namespaces
from pinnace.bench.server_garbage import collect_garbage
from pinnace.kube.client import Client, connect

_OBJECTS = 2000


@pytest.fixture
def named_cluster(
    local_cluster: TestedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestedCluster]:
    """The session's cluster under the name `bench`; what was loaded is taken out of etcd again, which is quick."""
    places = tmp_path / "pinnace" / "cluster"
    places.mkdir(parents=True)
    (places / "bench").symlink_to(local_cluster.cluster.folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    try:
        yield local_cluster
    finally:
        for folder in ("namespaces", *{kind.registry for kind in KINDS}):
            etcd.delete(local_cluster.etcd, prefix=f"/registry/{folder}/bench-")
        local_cluster.kubectl("delete", "crd", "widgets.bench.pinnace.io", "--ignore-not-found")


def test_backup_and_floor_are_measured_over_the_same_objects(named_cluster: TestedCluster, tmp_path: Path) -> None:
    _load("--objects", "60")
    _load("--objects", str(_OBJECTS), "--large", "2", "--direct")
    assert _served(named_cluster) == _OBJECTS + 2
    store, figures = tmp_path / "store", tmp_path / "figures.json"
    done = pinnace(
        "bench", "run", "--cluster", "bench", "--rounds", "1", "--page-sizes", "0,500", "--store", str(store),
        "--against-command", "cat /proc/uptime", "--bystander", "--output", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures.write_text(done.stdout)
    document = json.loads(done.stdout)
    runs = {(each["side"], each["label"]): each for each in document["runs"]}
    backup, *floors, against = runs.values()
    assert list(runs) == [
        ("backup", "pinnace"), ("floor", "unpaged"), ("floor", "500 a page"), ("protobuf floor", "unpaged"),
        ("against", "cat /proc/uptime"),
    ]  # fmt: skip
    assert document["items"] > _OBJECTS
    *of_json, of_protobuf = floors
    assert of_protobuf["bytes"] == pytest.approx(backup["bytes"], rel=0.05)
    for floor in floors:
        assert floor["bytes"] == pytest.approx((of_protobuf if floor is of_protobuf else of_json[0])["bytes"], rel=0.05)
        assert floor["wall_seconds"] > 0 < floor["start_up_seconds"]
    assert floors[1]["requests"] > floors[0]["requests"]
    assert of_json[0]["bytes"] > 1.1 * of_protobuf["bytes"]
    assert 0.8 < document["archive_bytes"] / document["gzip6_bytes"] < 1.1
    assert backup["apiserver_peak_rss_bytes"] > 100 << 20
    assert backup["peak_rss_bytes"] > floors[0]["peak_rss_bytes"] > against["peak_rss_bytes"] > 0
    assert [path for path in store.rglob("*") if path.is_file()] == []
    _check_bystander(document["beside"])
    assert "bystander" not in named_cluster.kubectl("get", "namespaces", "--field-selector=status.phase=Active")
    page = pinnace("bench", "report", str(figures), "--to", str(tmp_path / "out"))
    assert page.stdout == f"{tmp_path / 'out' / 'report.html'}\n"


def test_each_run_meets_an_apiserver_that_has_collected_its_garbage(local_cluster: TestedCluster) -> None:
    def collected() -> int:
        lines = local_cluster.kubectl("get", "--raw", "/metrics").splitlines()
        (line,) = (line for line in lines if line.startswith("go_gc_duration_seconds_count"))
        return int(line.split()[1])

    before = collected()
    for _ in range(3):
        collect_garbage(connect(kubeconfig=local_cluster.kubeconfig))
    assert collected() >= before + 3


def _check_bystander(found: list[dict[str, Any]]) -> None:
    """It was there in each of the three, and was answered."""
    assert [each["during"] for each in found] == ["alone", "floor", "backup"]
    alone = found[0]["latencies_seconds"]
    assert 60 < len(alone) <= 101
    for each in found:
        assert each["failed_count"] == 0
        assert min(each["latencies_seconds"]) > 0


def _load(*arguments: str) -> None:
    loaded = pinnace("bench", "load", "--cluster", "bench", *arguments)
    assert loaded.returncode == 0, loaded.stderr


def _served(cluster: TestedCluster) -> int:
    """Items of the mix's kinds in its namespaces, but for those that every namespace has."""
    own, wanted = {"default", "kube-root-ca.crt"}, set(namespaces())
    kinds = ",".join(
        kind.plural + ("." + kind.api_version.split("/")[0] if "/" in kind.api_version else "") for kind in KINDS
    )
    columns = "--output=custom-columns=:.metadata.namespace,:.metadata.name"
    lines = cluster.kubectl("get", kinds, "--all-namespaces", "--no-headers", columns).splitlines()
    places = [line.split() for line in lines if line.strip()]
    return sum(place[0] in wanted and place[1] not in own for place in places)


def test_a_series_that_is_interrupted_leaves_the_report_of_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    measure = run.measure
    measured: list[Measurement] = []

    def interrupted(client: Client, options: run.Options, *, report: Callable[[str], None]) -> Measurement:
        if measured:
            raise KeyboardInterrupt
        measured.append(measure(client, options, report=report))
        return measured[0]

    monkeypatch.setattr(run, "measure", interrupted)
    figures = tmp_path / "figures"
    with pytest.raises(KeyboardInterrupt):
        series.run_series(series.Series((200, 300), repetitions=1), folder=figures, report_line=print)
    assert series.read(figures / "200-revision.json") == measured[0]
    assert [each.during for each in measured[0].beside] == ["alone", "floor", "backup"]
    assert f"{measured[0].items:,} objects" in (figures / "report.html").read_text()
    assert (figures / "figures.md").read_text().count("| revision |") == 1 + len(measured[0].beside)
    assert not any((tmp_path / "state").rglob("state.json"))
