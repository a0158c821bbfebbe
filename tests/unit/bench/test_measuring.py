"""How a process is measured: by one smaller than it, with its own time, memory and exit code."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pinnace.bench import machine
from pinnace.bench.server_meter import ServerMeter, cpu_seconds, peak_rss_bytes
from pinnace.bench.sides import list_paths
from pinnace.bench.spawn import spawn
from pinnace.bench.stopwatch import is_list_request
from pinnace.errors import BenchError


def python(program: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", program]


def test_the_peak_is_that_of_the_command_and_not_of_who_started_it(tmp_path: Path) -> None:
    ballast = b"x" * (200 << 20)
    small = spawn(python("pass"), folder=tmp_path)
    large = spawn(python(f"x = b'x' * {80 << 20}"), folder=tmp_path)
    assert len(ballast) == 200 << 20
    assert small.peak_rss_bytes < 40 << 20
    assert 80 << 20 < large.peak_rss_bytes < 120 << 20


def test_times_are_those_of_a_clock_that_all_processes_share(tmp_path: Path) -> None:
    before = time.monotonic()
    spent = spawn(python("import sys; sys.stdout.write(sys.stdin.read())"), folder=tmp_path, text="hello")
    assert before <= spent.started_seconds <= spent.ended_seconds <= time.monotonic()
    assert spent.output == "hello"


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"exit code 3: no such bucket$"):
        spawn(python("import sys; sys.exit(print('no such bucket', file=sys.stderr) or 3)"), folder=tmp_path)
    assert spawn(python("raise SystemExit(4)"), folder=tmp_path, accepted=(0, 4)).exit_code == 4


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no-such-tool: could not be started"):
        spawn(["no-such-tool"], folder=tmp_path)


def test_an_interrupted_benchmark_ends_what_it_started(tmp_path: Path) -> None:
    child = tmp_path / "pid"
    waits = f"import os, time; open({str(child)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    outer = (
        "import signal, sys, pathlib\n"
        "from pinnace.bench.spawn import spawn\n"
        "def end(*_): raise KeyboardInterrupt\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"spawn([sys.executable, '-I', '-S', '-c', {waits!r}], folder=pathlib.Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", outer], stderr=subprocess.DEVNULL) as process:
        _until(lambda: child.exists() and child.read_text() != "")
        process.send_signal(signal.SIGTERM)
    pid = int(child.read_text())
    _until(lambda: not Path(f"/proc/{pid}").exists())


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_server_is_measured_from_the_meters_making() -> None:
    ballast = b"x" * (100 << 20)
    before = peak_rss_bytes(os.getpid())
    assert before > len(ballast)
    del ballast
    meter = ServerMeter({"me": os.getpid()})
    started = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) < started + 0.05:
        pass
    cost = meter.read()["me"]
    assert cost.cpu_seconds > 0.04
    assert cost.peak_rss_bytes < before - (50 << 20)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /api/v1/pods?limit=1 HTTP/1.1\r\n", True),
        (b"GET /apis/apps/v1/deployments HTTP/1.1\r\n", True),
        (b"GET /k8s/clusters/c-1/api/v1/pods?limit=1 HTTP/1.1\r\n", True),
        (b"GET /api HTTP/1.1\r\n", False),
        (b"GET /apis HTTP/1.1\r\n", False),
        (b"GET /version HTTP/1.1\r\n", False),
        (b"PUT /api/v1/key HTTP/1.1\r\n", False),
        (b"GET /bucket/key HTTP/1.1\r\n", False),
        (b"\x00\x01", False),
    ],
)
def test_the_clock_starts_at_a_list_and_not_at_discovery(sent: bytes, expected: bool) -> None:
    assert is_list_request(sent) is expected


def test_the_floor_lists_what_the_manifest_says_largest_first() -> None:
    lists = [
        {"groupResource": "events", "apiVersion": "v1", "consistency": "kind", "pageBytes": 10},
        {"groupResource": "pods", "apiVersion": "v1", "namespace": "shop", "consistency": "revision", "pageBytes": 30},
        {"groupResource": "widgets.bench.pinnace.io", "apiVersion": "bench.pinnace.io/v1", "consistency": "revision",
         "pageBytes": 20},
        {"groupResource": "secrets", "apiVersion": "v1", "consistency": "", "pageBytes": 0, "error": "403"},
    ]  # fmt: skip
    assert list_paths(lists) == (
        ("/api/v1/namespaces/shop/pods", True),
        ("/apis/bench.pinnace.io/v1/widgets", True),
        ("/api/v1/events", False),
    )


def test_the_processor_is_named_where_linux_names_it() -> None:
    assert machine.processor("processor\t: 0\nmodel name\t: Xeon(R) CPU\n") == "Xeon(R) CPU"
    assert machine.processor("processor\t: 0\n") == ""
