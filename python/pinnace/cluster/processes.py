"""Start, recognise and end the cluster's own processes: a pid alone is never trusted, its start time goes with it."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["OwnProcess", "start", "stop"]

_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True)
class OwnProcess:
    """A process we started: after a crash its pid may belong to another program, its start time never does."""

    name: str
    pid: int
    started_ticks: int
    boot_id: str

    def is_running(self) -> bool:
        """Whether this very process still runs; one that ended but was not waited for does not."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return self.boot_id == _boot_id() and _started_ticks(self.pid) == self.started_ticks


def start(name: str, *, command: list[str], log: Path) -> OwnProcess:
    """Start `command` in a session of its own, so that neither Ctrl-C nor the end of this process ends it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
    )
    return OwnProcess(name=name, pid=pid, started_ticks=_started_ticks(pid) or 0, boot_id=_boot_id())


def stop(process: OwnProcess, *, timeout_seconds: float) -> None:
    """End it: SIGTERM, then SIGKILL after `timeout_seconds`; does nothing if the pid is no longer this process."""
    for signal_number, patience_seconds in ((signal.SIGTERM, timeout_seconds), (signal.SIGKILL, timeout_seconds)):
        if not process.is_running():
            return
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal_number)
        deadline = time.monotonic() + patience_seconds
        while process.is_running() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


def _boot_id() -> str:
    """Start times count from the boot, so they mean something only together with it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started_ticks(pid: int) -> int | None:
    """Clock ticks from boot to the start of `pid` (field 22 of proc(5) stat); None if it has ended or is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = stat.rpartition(")")[2].split()  # the name may hold spaces and parentheses
    return None if after_name[0] in "ZX" else int(after_name[19])
