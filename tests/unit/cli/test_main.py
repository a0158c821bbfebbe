"""The command as a process: what it imports, and how it ends."""

import os
import subprocess
import sys

import pytest

from command import pinnace

_HEAVY = ("kubernetes", "boto3", "botocore", "urllib3", "rich", "orjson", "yaml", "pinnace._engine")


@pytest.mark.parametrize("arguments", [["--help"], ["backup", "--help"], ["backup", "run", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from pinnace.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(*[name for name in {_HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("Usage: ")
    assert shown.stderr == "\n"


def test_an_unknown_variable_ends_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINNACE_STOER", "x")
    ended = pinnace("version")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: PINNACE_STOER: no such environment variable; known are PINNACE_")


def test_version_says_what_it_is_and_what_it_runs_on() -> None:
    shown = pinnace("version")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == [
        "what", "commit", "deflate", "deflate_version", "profile", "target", "version", "python", "kubernetes_client",
    ]  # fmt: skip


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with subprocess.Popen(
        [sys.executable, "-m", "pinnace.cli.main", "version"], stdout=write_end, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(write_end)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (1, "")
