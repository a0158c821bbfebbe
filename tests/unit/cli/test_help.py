"""`--help` of every command, whole, so that no flag or sentence changes unseen.

After a wanted change: `python tests/unit/cli/test_help.py` writes the snapshots anew.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from pinnace.cli.help import GroupedCommand
from pinnace.cli.main import app

_SNAPSHOTS = Path(__file__).parent / "snapshots"
_COLUMNS = 100


def commands(command: Any, name: str) -> Iterator[str]:
    yield name
    for child_name, child in sorted(getattr(command, "commands", {}).items()):
        yield from commands(child, f"{name} {child_name}")


_COMMANDS = list(commands(typer.main.get_command(app), "pinnace"))


def help_of(command: str) -> str:
    arguments = [*command.split()[1:], "--help"]
    shown = CliRunner().invoke(app, arguments, prog_name="pinnace", terminal_width=_COLUMNS, color=False)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def snapshot_of(command: str) -> Path:
    return _SNAPSHOTS / f"{command.replace(' ', '-')}.txt"


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_is_the_snapshot(command: str) -> None:
    assert help_of(command) == snapshot_of(command).read_text()


def test_no_snapshot_is_of_a_command_that_is_gone() -> None:
    assert sorted(path.name for path in _SNAPSHOTS.iterdir()) == sorted(snapshot_of(each).name for each in _COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ([], None),
        (["--switch"], True),
        (["--switch=true"], True),
        (["--no-switch"], False),
        (["--switch=false"], False),
    ],
)
def test_switches_are_spelled_as_go_spells_them_too(arguments: list[str], value: bool | None) -> None:
    """`velero backup create` takes `--include-cluster-resources=true`."""
    small = typer.Typer()

    @small.command(cls=GroupedCommand)
    def show(switch: Annotated[bool | None, typer.Option("--switch/--no-switch")] = None) -> None:
        print(switch)

    shown = CliRunner().invoke(small, arguments)
    assert (shown.exit_code, shown.stdout) == (0, f"{value}\n"), shown.output


if __name__ == "__main__":
    for each in _COMMANDS:
        snapshot_of(each).write_text(help_of(each))
