"""Only our own processes are ended: pid, start time and boot must all agree."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pinnace.cluster import processes

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def _sleeper(log: Path) -> processes.OwnProcess:
    return processes.start("sleep", command=["/bin/sleep", "60"], log=log)


def test_a_started_process_runs_until_it_is_stopped(log: Path) -> None:
    own = _sleeper(log)
    assert own.is_running()
    processes.stop(own, timeout_seconds=5)
    assert not own.is_running()
    assert not Path(f"/proc/{own.pid}").exists()


@pytest.mark.parametrize("other", [{"started_ticks": 1}, {"boot_id": "another boot"}])
def test_another_program_with_the_same_pid_is_left_alone(log: Path, other: dict[str, int | str]) -> None:
    own = _sleeper(log)
    processes.stop(replace(own, **other), timeout_seconds=1)  # type: ignore[arg-type]
    assert own.is_running()
    processes.stop(own, timeout_seconds=5)


def test_a_process_that_ignores_sigterm_is_killed(log: Path) -> None:
    own = processes.start("stubborn", command=[sys.executable, "-c", STUBBORN], log=log)
    while not log.read_text():
        time.sleep(0.02)
    processes.stop(own, timeout_seconds=0.3)
    assert not own.is_running()


def test_a_process_that_ended_by_itself_does_not_run(log: Path) -> None:
    own = processes.start("true", command=["/bin/true"], log=log)
    deadline = time.monotonic() + 5
    while own.is_running() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not own.is_running()
