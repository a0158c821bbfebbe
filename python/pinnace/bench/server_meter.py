"""What the API server and etcd of a local cluster spend meanwhile, by /proc; nothing is known of other clusters."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Cost", "ServerMeter", "cpu_seconds", "peak_rss_bytes", "reset_peak_rss"]

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_RESET_PEAK: Final = "5"
"""To clear_refs: the peak RSS of a process becomes its RSS (proc(5), since Linux 4.0)."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a time, and the peak RSS in it."""

    cpu_seconds: float
    peak_rss_bytes: int


def cpu_seconds(pid: int, *, proc: Path = Path("/proc")) -> float:
    """User and system time of a process so far; children count once they are waited for."""
    after_name = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_name[11:15])) / _TICKS


def peak_rss_bytes(pid: int, *, proc: Path = Path("/proc")) -> int:
    """VmHWM."""
    for line in (proc / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


def reset_peak_rss(pid: int, *, proc: Path = Path("/proc")) -> None:
    """Begin anew; where that is not permitted, the peak stays that of the process's whole life."""
    with suppress(PermissionError):
        (proc / str(pid) / "clear_refs").write_text(_RESET_PEAK)


class ServerMeter:
    """Reads processes, by name, from its making to `read()`."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        for pid in pids.values():
            reset_peak_rss(pid)
        self._before = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def read(self) -> dict[str, Cost]:
        """The cost since then."""
        return {
            name: Cost(cpu_seconds(pid) - self._before[name], peak_rss_bytes(pid)) for name, pid in self._pids.items()
        }
