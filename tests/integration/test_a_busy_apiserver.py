"""API Priority and Fairness, as shipped and with one seat: backups wait, become whole, and ask seldom meanwhile."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from command import PINNACE, pinnace
from integration import cluster_fixtures
from integration.account import Account, log_in
from integration.cluster_fixtures import TestedCluster, cluster_folder
from integration.velero_kinds import apply_crds
from pinnace.bench import load
from pinnace.cluster import local_cluster
from pinnace.collect.concurrency import MOST_IN_FLIGHT
from pinnace.kube.client import connect

_K8S = Path(__file__).parents[2] / "k8s"
_FEW_SEATS = ["--max-requests-inflight=60", "--max-mutating-requests-inflight=30"]
"""Of 90 seats one share of 246 is one."""

_SHIPPED: dict[str, Any] = next(
    document["spec"]["limited"]
    for document in yaml.safe_load_all((_K8S / "components/flow-control/flow-control.yaml").read_text())
    if document["kind"] == "PriorityLevelConfiguration"
)
_ONE_SEAT = {"nominalConcurrencyShares": 1, "lendablePercent": 0, "limitResponse": {"type": "Reject", "queuing": None}}
_PATCH_LEVEL = ("patch", "prioritylevelconfiguration", "pinnace-backup", "--type=merge", "--patch")
_NO_EVENTS = ("--exclude-resources", "events,events.events.k8s.io")
_LARGE_LIST = "/api/v1/configmaps"
"""With 20 items of 1 MB: more than sockets hold."""


@dataclass(frozen=True)
class Busy:
    """A cluster whose backups have a priority level of their own."""

    cluster: TestedCluster
    account: Account
    kubeconfig: Path

    def count(self, metric: str) -> int:
        """A counter of API Priority and Fairness, of the backups' level."""
        lines = self.cluster.kubectl("get", "--raw", "/metrics").splitlines()
        name = f"apiserver_flowcontrol_{metric}{{"
        return sum(
            int(float(line.rpartition(" ")[2]))
            for line in lines
            if line.startswith(name) and 'priority_level="pinnace-backup"' in line
        )

    @contextmanager
    def one_seat(self) -> Iterator[None]:
        """One seat and no queue, once the apiserver has taken that up."""
        self.cluster.kubectl(*_PATCH_LEVEL, json.dumps({"spec": {"limited": _ONE_SEAT}}))
        try:
            with self.seat_taken():
                until(lambda: self.account.status("GET", _LARGE_LIST) == 429)
            yield
        finally:
            self.cluster.kubectl(*_PATCH_LEVEL, json.dumps({"spec": {"limited": _SHIPPED}}))

    @contextmanager
    def seat_taken(self) -> Iterator[None]:
        """Somebody has begun to read a list, and does not go on."""
        server = urlsplit(self.account.server)
        with ExitStack() as stack:

            def begins() -> bool:
                plain = socket.create_connection((server.hostname, server.port))
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection = self.account.trust.wrap_socket(plain, server_hostname=server.hostname)
                stack.callback(connection.close)
                head = f"GET {_LARGE_LIST} HTTP/1.1\r\nHost: {server.netloc}\r\n"
                connection.sendall(f"{head}Authorization: Bearer {self.account.token}\r\n\r\n".encode())
                return connection.recv(64).startswith(b"HTTP/1.1 200 ")

            until(begins)
            yield


def until(true: Callable[[], bool]) -> None:
    """Wait for the apiserver, which takes changed levels within seconds, and a seat back when it finds who has gone."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    """The base with the component, as users apply them, and some thousand items."""
    with cluster_folder() as folder:
        cluster = cluster_fixtures.tested_cluster(local_cluster.up(folder, apiserver_flags=_FEW_SEATS))
        apply_crds(cluster)
        overlay = tmp_path_factory.mktemp("overlay")
        (overlay / "k8s").symlink_to(_K8S)
        wanted = {"resources": ["k8s/base"], "components": ["k8s/components/flow-control"]}
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(wanted))
        cluster.kubectl("apply", "--server-side", "--validate=strict", "-k", str(overlay))
        client = connect(kubeconfig=cluster.kubeconfig)
        load.load_direct(client, cluster.etcd, load.Wanted(3000, large=20), report=print)
        account = log_in(cluster, "pinnace-backup", namespace="velero")
        yield Busy(cluster, account, _kubeconfig(cluster, account, folder=overlay))


def _kubeconfig(cluster: TestedCluster, account: Account, *, folder: Path) -> Path:
    """The Jobs' service account, from here."""
    document = yaml.safe_load(cluster.kubectl("config", "view", "--raw", "--flatten", "-ojson"))
    for user in document["users"]:
        user["user"] = {"token": account.token}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


def contents(name: str, store: Path) -> set[str]:
    """The items of a backup, which is whole."""
    verified = pinnace("backup", "verify", name, "--store", str(store))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    listed = pinnace("backup", "contents", name, "--store", str(store))
    return set(listed.stdout.splitlines()[1:])


def run_command(busy: Busy, name: str, store: Path) -> list[str]:
    return ["backup", "run", name, "--store", str(store), "--kubeconfig", str(busy.kubeconfig), *_NO_EVENTS]


def test_the_lists_of_backups_are_those_of_the_shipped_level(busy: Busy, tmp_path: Path) -> None:
    before = busy.count("dispatched_requests_total")
    done = pinnace(*run_command(busy, "quiet", tmp_path))
    assert done.returncode == 0, done.stderr
    assert busy.count("dispatched_requests_total") - before > len(contents("quiet", tmp_path)) // 1000 + 20
    schema = json.loads(busy.cluster.kubectl("get", "flowschema", "pinnace-backup", "-ojson"))
    assert [(each["type"], each["status"]) for each in schema["status"]["conditions"]] == [("Dangling", "False")]


def test_a_server_that_refuses_is_asked_seldom_and_the_backup_becomes_whole(busy: Busy, tmp_path: Path) -> None:
    quiet = pinnace(*run_command(busy, "quiet", tmp_path))
    assert quiet.returncode == 0, quiet.stderr
    with busy.one_seat():
        rejected, dispatched = (busy.count(f"{name}_requests_total") for name in ("rejected", "dispatched"))
        started = time.monotonic()
        with busy.seat_taken():
            command = [*PINNACE, *run_command(busy, "refused", tmp_path)]
            run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            until(lambda: busy.count("rejected_requests_total") >= rejected + 3)
            taken_seconds = time.monotonic() - started
        said = run.communicate()
        rejected, dispatched = (
            busy.count("rejected_requests_total") - rejected,
            busy.count("dispatched_requests_total") - dispatched,
        )
    assert run.returncode == 0, said
    assert contents("refused", tmp_path) == contents("quiet", tmp_path)
    # While the seat was taken one a second, which is what the server asks for; then seldom, beside what it took.
    assert 3 <= rejected <= MOST_IN_FLIGHT + taken_seconds + dispatched / 5
    log = pinnace("backup", "logs", "refused", "--store", str(tmp_path)).stdout
    [line] = re.findall(r'msg="The API server answered (\d+) requests with 429 .* went on with (\d) at once"', log)
    assert (int(line[0]), line[1]) == (rejected, "1")
