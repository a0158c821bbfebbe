"""A real cluster, backed up through the command and compared with what independent tools see."""

import gzip
import json
import os
import re
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from command import PINNACE, kubeconfig_of, pinnace
from integration.cluster_fixtures import TestedCluster

_NAME = "whole"
_HOOK = "pre.hook.backup.velero.io/command"
_CHANGING = ("leases.coordination.k8s.io", "events", "horizontalpodautoscalers.autoscaling")
"""Written by the control plane all the time: `kubectl get` sees them later than the backup did."""


@pytest.fixture(scope="module")
def store(local_cluster: TestedCluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("backups"))
    run = pinnace("backup", "run", _NAME, "--store", folder, "--kubeconfig", str(local_cluster.kubeconfig))
    assert (run.returncode, "broken.example.com/v1beta1" in run.stderr) == (4, True), run.stderr
    return folder


def listed(cluster: TestedCluster, kind: str) -> list[dict[str, Any]]:
    """Items as kubectl lists them; custom resources raw, because kubectl writes their numbers anew."""
    items: list[dict[str, Any]] = json.loads(cluster.kubectl("get", kind, "-A", "-o", "json", "--show-managed-fields"))[
        "items"
    ]
    if items and kind.endswith(".example.com"):
        raw = cluster.kubectl("get", "--raw", f"/apis/{items[0]['apiVersion']}/{kind.partition('.')[0]}")
        items = json.loads(raw, parse_float=verbatim, parse_int=verbatim)["items"]
    return items


def verbatim(number: str) -> str:
    """Mark a number, so that `slow_item` writes it as it stood."""
    return f"\ue000{number}\ue001"


def slow_item(item: dict[str, Any]) -> bytes:
    """Go's json.Marshal of an item, by Python alone."""
    text = json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return re.sub('"\ue000([^\ue001]*)\ue001"', r"\1", text).encode()


def archived(store: str) -> dict[str, bytes]:
    with tarfile.open(Path(store, "backups", _NAME, f"{_NAME}.tar.gz")) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]


def listable(cluster: TestedCluster) -> list[str]:
    verbs = "list,create,get,delete"
    names = cluster.kubectl("api-resources", "--verbs", verbs, "-o", "name", "--cached=false").split()
    return [name for name in names if name != "events.events.k8s.io"]


def test_every_item_that_kubectl_lists_is_there_byte_for_byte(local_cluster: TestedCluster, store: str) -> None:
    files = archived(store)
    missing, different, compared = [], [], 0
    for kind in listable(local_cluster):
        for item in listed(local_cluster, kind):
            metadata = item["metadata"]
            excluded = (metadata.get("labels") or {}).get("velero.io/exclude-from-backup") == "true"
            namespace = metadata.get("namespace", "")
            place = f"namespaces/{namespace}" if namespace else "cluster"
            path = f"resources/{kind}/{place}/{metadata['name']}.json"
            if excluded or namespace == "ignored" or kind in _CHANGING:
                continue
            if path not in files:
                missing.append(path)
            elif json.loads(files[path])["metadata"]["resourceVersion"] == metadata["resourceVersion"]:
                compared += 1
                if files[path] != slow_item(item):
                    different.append(path)
    assert (missing, different) == ([], [])
    assert compared > 5000


def test_excluded_items_and_namespaces_are_not_there(local_cluster: TestedCluster, store: str) -> None:
    labelled = json.loads(local_cluster.kubectl("get", "ns", "-l", "velero.io/exclude-from-backup=true", "-o", "json"))[
        "items"
    ]
    assert labelled
    for namespace in labelled:
        name = namespace["metadata"]["name"]
        assert [
            path for path in archived(store) if f"/namespaces/{name}/" in path or path.endswith(f"cluster/{name}.json")
        ] == []


def test_gzip_and_tar_read_the_archive(store: str) -> None:
    archive = str(Path(store, "backups", _NAME, f"{_NAME}.tar.gz"))
    assert subprocess.run(["gzip", "-t", archive], check=True).returncode == 0
    listed = subprocess.run(["tar", "-tzf", archive], check=True, capture_output=True, text=True).stdout.split("\n")
    assert listed[0] == "metadata/version"
    assert set(filter(None, listed)) == set(archived(store))


def test_verify_accepts_it_and_names_a_changed_byte(store: str) -> None:
    assert pinnace("backup", "verify", _NAME, "--store", store).returncode == 0
    archive = Path(store, "backups", _NAME, f"{_NAME}.tar.gz")
    whole = archive.read_bytes()
    try:
        archive.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
        refused = pinnace("backup", "verify", _NAME, "--store", store)
    finally:
        archive.write_bytes(whole)
    assert refused.returncode == 5
    assert refused.stderr.startswith("error: ")


def test_one_item_is_extracted_through_the_index(local_cluster: TestedCluster, store: str) -> None:
    item = json.loads(local_cluster.kubectl("get", "namespace", "fleet", "-o", "json", "--show-managed-fields"))
    extracted = pinnace("backup", "extract", _NAME, "namespaces/fleet", "--store", store)
    assert extracted.stdout == slow_item(item).decode() + "\n"
    assert pinnace("backup", "extract", _NAME, "namespaces/nowhere", "--store", store).returncode == 6


def test_the_companions_are_what_velero_expects(store: str) -> None:
    def read(name: str) -> Any:
        return json.loads(gzip.decompress(Path(store, "backups", _NAME, f"{_NAME}-{name}").read_bytes()))

    assert read("podvolumebackups.json.gz") is None
    assert read("volumesnapshots.json.gz") is None
    assert read("itemoperations.json.gz") == []
    assert read("volumeinfo.json.gz") == []
    assert sum(len(read("results.gz")["errors"].get(place, [])) for place in ("cluster", "velero")) == 1
    assert len(read("resource-list.json.gz")["v1/ConfigMap"]) > 5000
    assert {entry["consistency"] for entry in read("manifest.json.gz")["lists"]} == {"revision", "kind"}


def test_a_hook_in_a_pod_without_a_node_fails_and_the_pod_is_stored(store: str) -> None:
    results = json.loads(gzip.decompress(Path(store, "backups", _NAME, f"{_NAME}-results.gz").read_bytes()))
    pods = [json.loads(item) for path, item in archived(store).items() if path.startswith("resources/pods/namespaces/")]
    asking = [pod for pod in pods if _HOOK in pod["metadata"].get("annotations", {})]
    names = [pod["metadata"]["name"] for pod in asking]
    refused = "pre hook <from-annotation>: exec data/{0}: pod {0} does not have a host assigned"
    error = "message: /Error executing hook error: /" + refused
    texts = [f" resource: /pods name: /{name} {error.format(name)}" for name in names]
    assert {pod["metadata"]["namespace"] for pod in asking} == {"data"}
    assert results["errors"]["namespaces"] == {"data": texts}


def test_a_name_that_is_taken_is_refused_and_nothing_changes(local_cluster: TestedCluster, store: str) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in Path(store).rglob("*") if path.is_file())
    again = pinnace("backup", "run", _NAME, "--store", store, "--kubeconfig", str(local_cluster.kubeconfig))
    assert again.returncode == 1
    assert "already exists in object storage" in again.stderr
    assert sorted((path.name, path.stat().st_mtime_ns) for path in Path(store).rglob("*") if path.is_file()) == before


def test_filters_select_as_velero_does(local_cluster: TestedCluster, store: str) -> None:
    arguments = ("--store", store, "--kubeconfig", str(local_cluster.kubeconfig))
    run = pinnace("backup", "run", "few", "--include-namespaces", "fleet", "--include-resources", "cm,ns", *arguments)
    assert run.returncode == 4, run.stderr
    names = pinnace("backup", "contents", "few", "--store", store).stdout.split()
    assert {name.split("/")[0] for name in names} == {"configmaps", "namespaces"}
    assert {name.split("/")[1] for name in names} == {"fleet"}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_run_that_is_ended_leaves_no_visible_backup_and_the_name_can_be_used_again(
    local_cluster: TestedCluster, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    command = [*PINNACE, "backup", "run", "ended", "--store", str(tmp_path)]
    command += ["--kubeconfig", str(local_cluster.kubeconfig)]
    with subprocess.Popen([*command, "--client-page-size", "1"], stderr=subprocess.PIPE) as run:
        deadline = time.monotonic() + 60
        while not any(tmp_path.rglob(".*.upload")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(run.pid, number)
        run.communicate(timeout=60)
    assert run.returncode == status
    assert pinnace("backup", "get", "--store", str(tmp_path), "-o", "json").stdout == "[]\n"
    leftovers = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    if number == signal.SIGTERM:
        assert leftovers == []
    assert subprocess.run(command, capture_output=True, check=False).returncode == 4
    assert [path for path in tmp_path.rglob(".*") if path.is_file()] == []


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    kubeconfig = kubeconfig_of("http://127.0.0.1:1", folder=tmp_path)
    run = pinnace("backup", "run", "none", "--store", str(tmp_path / "store"), "--kubeconfig", str(kubeconfig))
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("error: GET /version: ")
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
