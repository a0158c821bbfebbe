"""The command as a process: what it imports, and how it ends."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from command import kubeconfig_of, pinnace

_HEAVY = ("kubernetes", "boto3", "botocore", "urllib3", "rich", "orjson", "yaml", "pinnace._engine")


def imported(arguments: list[str], names: tuple[str, ...]) -> tuple[str, list[str]]:
    """What a command prints, and which of the modules it has imported."""
    program = (
        "import sys\n"
        "from pinnace.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(*[name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return shown.stdout, shown.stderr.splitlines()[-1].split()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["backup", "--help"], ["backup", "run", "--help"], ["bench", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    printed, found = imported(arguments, _HEAVY)
    assert (printed.partition(" ")[0], found) == ("Usage:", [])


def test_the_help_of_all_does_not_even_import_what_typer_parses_by() -> None:
    assert imported(["--help"], ("pydantic", "asyncio"))[1] == []


def test_a_run_into_a_folder_imports_neither_the_aws_libraries_nor_a_progress_bar(tmp_path: Path) -> None:
    kubeconfig = kubeconfig_of("http://127.0.0.1:1", folder=tmp_path)
    arguments = ["backup", "run", "b", "--store", str(tmp_path / "store"), "--kubeconfig", str(kubeconfig)]
    unneeded = ("boto3", "botocore", "rich", "prometheus_client", "pinnace.aws", "pinnace.dispatcher")
    assert imported(arguments, (*unneeded, "kubernetes")) == ("", ["kubernetes"])


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


def test_it_is_a_plugin_of_kubectl(tmp_path: Path) -> None:
    """The real kubectl finds it on the path, hands the arguments on, and its exit code comes back."""
    program = Path(sys.executable).with_name("pinnace")
    (tmp_path / "kubectl-pinnace").symlink_to(program)
    kubectl = [str(program.with_name("kubectl")), "pinnace"]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*kubectl, *arguments], env=environment, capture_output=True, text=True, check=False)

    shown = run("schedule", "--help")
    assert (shown.returncode, shown.stdout.splitlines()[0]) == (
        0,
        "Usage: kubectl pinnace schedule [OPTIONS] COMMAND [ARGS]...",
    )
    refused = run("backup", "get", "--store", "gs://b")
    assert (refused.returncode, "gs is not a kind of store" in refused.stderr) == (2, True), refused.stderr
    scripts = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["kubectl-pinnace"] == scripts["pinnace"]


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("pinnace sch", ["schedule"]),
        ("pinnace schedule p", ["pause"]),
        ("pinnace backup create --from-s", ["--from-schedule"]),
    ],
)
def test_a_shell_completes_commands_and_flags(typed: str, completed: list[str]) -> None:
    """As the script of `--install-completion` asks."""
    question = {"_PINNACE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    program = Path(sys.executable).with_name("pinnace")
    answer = subprocess.run([program], env={**os.environ, **question}, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == completed
