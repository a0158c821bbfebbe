"""A bucket slower than the cluster: the listing waits for it, and memory stays as it is."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from command import PINNACE, kubeconfig_of
from faults.list_server import Answer, listening
from faults.slow_bucket import SlowBucket, slow_bucket

_MIB = 1 << 20
_ITEMS = 400
_ITEM_BYTES = 768 << 10
"""Random, so that its two copies in the archive are as large: 300 MiB of lists make 450 MiB of archive."""

_READ_AHEAD = 24 * _MIB
_PARTS = 24 * _MIB
_PAGE = 16 * _MIB
"""Of the page that is on its way, what lies in the kernel on both sides and was asked for but not read."""

_STILL_SECONDS = 0.5


class Cluster:
    """A fake apiserver with one large kind; counts the bytes of lists that it was asked for."""

    def __init__(self, *, items: int = _ITEMS) -> None:
        self.asked_bytes = 0
        self._items = items
        self._blob = base64.b64encode(os.urandom(_ITEM_BYTES)).decode()

    def answer(self, path: str) -> Answer:
        """Answer any request of a run."""
        place, query = urlsplit(path).path, {key: value[0] for key, value in parse_qs(urlsplit(path).query).items()}
        documents: dict[str, Callable[[], object]] = {
            "/version": lambda: {"major": "1", "minor": "35", "gitVersion": "v1.35.4"},
            "/api": lambda: {"kind": "APIGroupDiscoveryList", "items": [_DISCOVERED]},
            "/apis": lambda: {"kind": "APIGroupDiscoveryList", "items": []},
            "/api/v1/namespaces": lambda: _listed([{"metadata": {"name": "a"}, "status": {"phase": "Active"}}]),
            "/api/v1/configmaps": lambda: self._page(int(query.get("limit", self._items)), query.get("continue", "")),
        }
        document = documents.get(place)
        if document is None:
            return Answer(b"{}", status=404)
        return Answer(json.dumps(document()).encode(), headers={"Content-Type": "application/json"})

    def _page(self, limit: int, token: str) -> object:
        first = int(token or 0)
        last = min(first + limit, self._items)
        rest = {"continue": str(last), "remainingItemCount": self._items - last} if last < self._items else {}
        self.asked_bytes += (last - first) * len(self._blob)
        items = [
            {"metadata": {"name": f"n-{number:05}", "namespace": "a", "uid": str(number)}, "data": {"x": self._blob}}
            for number in range(first, last)
        ]
        return _listed(items, **rest)


_DISCOVERED = {
    "metadata": {"name": ""},
    "versions": [
        {
            "version": "v1",
            "resources": [
                {
                    "resource": "configmaps",
                    "responseKind": {"kind": "ConfigMap"},
                    "scope": "Namespaced",
                    "verbs": ["create", "delete", "get", "list"],
                }
            ],
        }
    ],
}


def _listed(items: Sequence[object], **metadata: object) -> object:
    return {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7", **metadata}, "items": items}


def rss_bytes(pid: int, name: str = "VmRSS") -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def wait_until_still(run: subprocess.Popen[bytes], cluster: Cluster, bucket: SlowBucket) -> None:
    """Until nothing has moved for a while: then the run waits for the bucket."""

    def seen() -> tuple[object, ...]:
        ticks = Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return cluster.asked_bytes, bucket.part_bytes, ticks

    last, since, deadline = seen(), time.monotonic(), time.monotonic() + 120
    while time.monotonic() - since < _STILL_SECONDS:
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
        if (now := seen()) != last:
            last, since = now, time.monotonic()


def test_a_bucket_that_takes_one_part_after_the_other_leaves_memory_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    cluster = Cluster()
    with slow_bucket() as bucket, listening(cluster.answer) as (url, _):
        kubeconfig = kubeconfig_of(url, folder=tmp_path)
        # Fixed, since a page is counted when it is asked for, and a busy machine makes an adaptive one larger.
        page_size = str(_PAGE // len(base64.b64encode(bytes(_ITEM_BYTES))))
        store = ["--store", bucket.store_url, "--client-page-size", page_size]
        command = [*PINNACE, "backup", "run", "b", *store, "--kubeconfig", str(kubeconfig)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            found = []
            for _ in range(4):
                wait_until_still(run, cluster, bucket)
                found.append((rss_bytes(run.pid), cluster.asked_bytes, bucket.part_bytes))
                bucket.permit(2)
            peak = rss_bytes(run.pid, "VmHWM")
            run.terminate()
            bucket.permit(10_000)
    sizes = [size for size, _, _ in found]
    assert max(sizes) - min(sizes) < 16 * _MIB
    assert peak < 160 * _MIB
    for _, asked_bytes, part_bytes in found:
        # An item is twice in the archive.
        assert asked_bytes < (part_bytes + _PARTS) + _READ_AHEAD + _PAGE


def test_a_bucket_of_five_megabytes_a_second_gets_the_whole_backup_and_leaves_memory_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """120 MiB of lists, an archive of 180 MiB: three times all that may be read ahead and in flight."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    cluster, sizes = Cluster(items=120), []
    with slow_bucket(bytes_per_second=5_000_000) as bucket, listening(cluster.answer) as (url, _):
        command = [*PINNACE, "backup", "run", "b", "--store", bucket.store_url]
        command += ["--kubeconfig", str(kubeconfig_of(url, folder=tmp_path))]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
            while run.poll() is None:
                with suppress(StopIteration):  # it has just ended
                    if bucket.part_bytes > _PARTS:
                        sizes.append(rss_bytes(run.pid, "VmHWM"))
                time.sleep(0.2)
            complaints = run.stderr.read() if run.stderr else b""
    assert run.returncode == 0, complaints
    assert bucket.part_bytes > 120 * _MIB
    assert sizes[-1] < 160 * _MIB
    assert sizes[-1] - sizes[0] < 16 * _MIB
