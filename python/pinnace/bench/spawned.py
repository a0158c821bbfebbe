"""A small process that runs a command and writes what it cost; run as a file, with nothing imported.

The peak RSS that Linux tells of a process begins with that of the one that started it, so what starts the measured
command must be smaller than anything that is measured.
"""

import json
import os
import sys
import time

__all__ = ["main"]


def main(report: str, command: list[str]) -> int:
    """Run `command` to its end and write times (CLOCK_MONOTONIC), CPU seconds and peak RSS, descendants included."""
    started = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    document = {
        "startedSeconds": started,
        "endedSeconds": time.monotonic(),
        "cpuSeconds": usage.ru_utime + usage.ru_stime,
        "peakRssBytes": usage.ru_maxrss << 10,
        "exitCode": os.waitstatus_to_exitcode(status),
    }
    with open(report, "w") as file:  # noqa: PTH123 (pathlib is not imported here)
        json.dump(document, file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
