"""Start a command in a process of its own, through one that is small enough to measure it, and read what it cost."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pinnace.bench import spawned
from pinnace.errors import BenchError

__all__ = ["Spent", "spawn"]

_SHOWN_CHARACTERS: Final = 2000


@dataclass(frozen=True)
class Spent:
    """What a command came to; times are CLOCK_MONOTONIC, which all processes share."""

    started_seconds: float
    ended_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    exit_code: int
    output: str
    complaints: str


def spawn(command: Sequence[str], *, folder: Path, text: str = "", accepted: Sequence[int] = (0,)) -> Spent:
    """Run it with `text` on its standard input; BenchError with the end of what it said for another exit code.

    It has a session of its own, which gets SIGTERM if the benchmark ends before it.
    """
    report = folder / "spent.json"
    report.unlink(missing_ok=True)
    measured = [sys.executable, "-I", "-S", str(Path(spawned.__file__)), str(report), *command]
    with subprocess.Popen(
        measured,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
        start_new_session=True,
    ) as process:
        try:
            output, complaints = process.communicate(text)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            raise
    if not report.exists():
        raise BenchError(f"{command[0]}: could not be started: {complaints[-_SHOWN_CHARACTERS:].strip()}")
    document = json.loads(report.read_text())
    if document["exitCode"] not in accepted:
        said = (complaints.strip() or output.strip())[-_SHOWN_CHARACTERS:]
        raise BenchError(f"{' '.join(command[:6])} ...: exit code {document['exitCode']}: {said}")
    return Spent(
        started_seconds=document["startedSeconds"],
        ended_seconds=document["endedSeconds"],
        cpu_seconds=document["cpuSeconds"],
        peak_rss_bytes=document["peakRssBytes"],
        exit_code=document["exitCode"],
        output=output,
        complaints=complaints,
    )


def _environment() -> dict[str, str]:
    """This process's own; but where Python may not keep what it compiled, each start would compile all of it again.

    What is installed (a wheel by pip, the image) is compiled, so that is what is measured: the warm-up compiles.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
