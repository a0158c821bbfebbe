"""What the README tells people to type is typed here, against a real cluster, a folder and a real bucket."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from command import PINNACE
from integration.cluster_fixtures import TestedCluster
from integration.s3_fixtures import new_bucket
from integration.s3_server import SeaweedServer

_README = (Path(__file__).parents[2] / "README.md").read_text()
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_IN_TABLE = re.compile(r"`(pinnace [^`]*)`")
_PLACES = re.compile(r"s3://my-bucket[^ '\"]*|file:///srv/backups")

_OF_A_DISPATCHER = ("create", "delete", "watch")
"""Verbs whose work a dispatcher does; none is at work here."""


def typed_in_blocks() -> list[str]:
    """The lines that people type, comments aside, that run a verb of `pinnace backup`."""
    lines = [line for block in _BLOCK.findall(_README) for line in block.splitlines()]
    typed = [line.removeprefix("$ ").partition("  #")[0] for line in lines if line.startswith("$ ")]
    return [line for line in typed if re.match(r"(\.venv/bin/)?pinnace backup ", line)]


def named_in_tables() -> list[str]:
    """The commands that tables name, for a backup called NAME."""
    rows = [line for line in _README.splitlines() if line.startswith("|")]
    return [command for row in rows for command in _IN_TABLE.findall(row) if command.startswith("pinnace backup ")]


def run_typed(command: str, *, places: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a line with the README's stores replaced by those of the test."""
    spelled = _PLACES.sub(lambda match: places[match[0][:2]], command)
    words = shlex.split(spelled)[1:]
    return subprocess.run([*PINNACE, *words], capture_output=True, check=False, text=True)


def is_right(done: subprocess.CompletedProcess[str], *, command: str) -> bool:
    """Whether it did what it says; the samples have a broken API group, so a run of everything is PartiallyFailed."""
    return done.returncode in ((0, 4) if {"run", "plan"} & set(command.split()) else (0,))


@pytest.mark.usefixtures("credentials")
def test_every_command_of_the_readme_does_what_it_says(
    local_cluster: TestedCluster, s3_server: SeaweedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(local_cluster.kubeconfig))
    folder = (tmp_path / "backups").as_uri()
    places = {"s3": s3_server.store_url(new_bucket(s3_server), "clusters/prod"), "fi": folder}
    failed = []
    for command in typed_in_blocks():
        done = run_typed(command, places=places)
        if not is_right(done, command=command):
            failed.append((command, done.returncode, done.stderr))
    monkeypatch.setenv("PINNACE_STORE", places["s3"])
    for number, command in enumerate(named_in_tables()):
        if shlex.split(command)[2] in _OF_A_DISPATCHER:
            continue
        # A name is taken once; all other verbs are about the backup that the blocks made.
        name = f"another-{number}" if shlex.split(command)[2] == "run" else "first"
        done = run_typed(command.replace("NAME", name), places=places)
        if not is_right(done, command=command):
            failed.append((command, done.returncode, done.stderr))
    assert failed == []


def test_the_readme_names_every_verb() -> None:
    from pinnace.cli.backup import app

    named = {shlex.split(command)[2] for command in (*typed_in_blocks(), *named_in_tables())}
    shown = [command for command in app.registered_commands if not command.hidden]
    verbs = {str(command.name or command.callback.__name__) for command in shown if command.callback}
    assert named == verbs
