"""What a benchmark ran on: figures of one machine say nothing of another."""

import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["machine", "processor"]


def machine() -> dict[str, Any]:
    """Processors, memory and kernel."""
    return {
        "processors": len(os.sched_getaffinity(0)),
        "processor": processor(Path("/proc/cpuinfo").read_text()) or platform.machine(),
        "memoryBytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def processor(cpuinfo: str) -> str:
    """The model's name in /proc/cpuinfo, "" where it has none (arm64)."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return ""
