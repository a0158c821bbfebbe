"""Where the engine's time goes with one and with two threads: a table of shares, by perf's samples of one run each.

Needs Debian's `linux-perf`; samples by the CPU clock, which virtual machines have too. Each sample belongs to the
first function, from the innermost outwards, that a group below names; what the engine did not do (reading the file)
is left out.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench_engine import MEGABYTES, ROUND_SECONDS, example

SAMPLES_PER_SECOND = 997
HELPER = "pinnace-member"
GROUPS = {
    # ISA-L's assembly has local labels for names, and no frames above it.
    "deflate": r"isal_|icf|crc32_gzip|hufftables|^\.\.@|[Dd]eflate|matchfinder",
    "SHA-256": r"sha2",
    "tar entries": r"draft::Draft::lay_out|pinnace_engine::tar::",
    "index and resource list": r"pinnace_engine::(index|resource_list)::",
    "finding where items end": r"json::boundary",
    "canonical JSON": r"json::canonical|text::recode",
    "parsing": r"pinnace_engine::json::",
    "all else": r"pinnace_engine::|bench_engine::measure",
}


def record(engine: Path, body: Path, *, level: str, threads: int, into: Path) -> None:
    """Run the engine under perf; call chains by DWARF, since neither Rust nor the assembly keeps frame pointers."""
    command = [engine, body, level, str(ROUND_SECONDS), str(threads)]
    perf = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(SAMPLES_PER_SECOND), "--call-graph", "dwarf,8192"]
    # A buffer for many of these samples of 8 kB each: perf can't empty it often while all processors are at work.
    perf += ["--mmap-pages", "64M"]
    subprocess.run([*perf, "-o", into, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def samples(recorded: Path) -> list[tuple[str, float, list[str]]]:
    """Thread, time in seconds and function names from the innermost outwards, of each sample."""
    script = ["perf", "script", "-i", recorded, "--no-inline", "-F", "comm,time,ip,sym"]
    text = subprocess.run(script, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    found = []
    for block in filter(None, text.split("\n\n")):
        head, *frames = block.strip("\n").split("\n")
        thread, time = re.fullmatch(r"\s*(.+?)\s+([\d.]+):\s*", head).groups()
        found.append((thread, float(time), [frame.split(maxsplit=1)[-1] for frame in frames]))
    return found


def group_of(functions: list[str]) -> str | None:
    """The group that a sample counts for; None where the engine was not at work."""
    for function in functions:
        for group, pattern in GROUPS.items():
            if re.search(pattern, function):
                return group
    return None


def shares(recorded: Path, *, threads: int) -> Counter[tuple[str, bool]]:
    """Percent of `threads` times the wall time by group and by whether a helping thread did it."""
    counts: Counter[tuple[str, bool]] = Counter()
    times = []
    for thread, time, functions in samples(recorded):
        if group := group_of(functions):
            counts[group, thread.startswith(HELPER)] += 1
            times.append(time)
    possible = (max(times) - min(times)) * SAMPLES_PER_SECOND * threads
    return Counter({key: 100 * count / possible for key, count in counts.items()})


def table(engine: Path, body: Path, *, level: str, into: Path) -> list[tuple[str, list[float]]]:
    """A row for each group: one thread, of two the scanning one, of two the helping one; a thread of two has 50 %."""
    found = []
    for threads in (1, 2):
        record(engine, body, level=level, threads=threads, into=into)
        found.append(shares(into, threads=threads))
    alone, together = found
    rows = [(group, [alone[group, False], together[group, False], together[group, True]]) for group in GROUPS]
    worked = [sum(column) for column in zip(*(values for _, values in rows), strict=True)]
    return [*rows, ("waiting, or not scheduled", [100 - worked[0], 50 - worked[1], 50 - worked[2]])]


def main() -> None:
    """Print the table as Markdown."""
    level = sys.argv[1] if len(sys.argv) > 1 else "fast"
    engine = example(profile="profiling")
    with tempfile.TemporaryDirectory() as folder:
        body, tar, recorded = Path(folder, "body"), Path(folder, "tar"), Path(folder, "perf.data")
        subprocess.run([engine, "generate", body, tar, str(MEGABYTES)], check=True)
        rows = table(engine, body, level=level, into=recorded)
    print(f"`{level}`, percent of the threads' wall time; load of the machine {os.getloadavg()[0]:.1f}\n")
    print("| | one thread | two: the scanning one | two: the helping one |\n|---|---|---|---|")
    for name, values in rows:
        print(f"| {name} | " + " | ".join(f"{value:.0f}" for value in values) + " |")


if __name__ == "__main__":
    main()
