"""The wheel that `./just wheel` builds installs into an empty environment and runs there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from built_wheel import built_wheel
from command import PINNACE

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["backup", "cluster", "install", "version"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment that has only the wheel and what it requires."""
    environment = tmp_path_factory.mktemp("wheel") / "venv"
    uv = str(Path(sys.executable).with_name("uv"))
    _run(uv, "venv", "--quiet", str(environment))
    _run(uv, "pip", "install", "--quiet", f"--python={environment}/bin/python", str(built_wheel()))
    return environment / "bin"


def test_the_installed_command_says_its_version(installed: Path) -> None:
    shown = json.loads(_run(str(installed / "pinnace"), "version", "--output=json"))
    of_the_checkout = json.loads(_run(*PINNACE, "version", "--output=json"))
    assert {**shown, "commit": ""} == {**of_the_checkout, "commit": ""}
    assert json.loads(_run(str(installed / "kubectl-pinnace"), "version", "--output=json")) == shown


def test_the_installed_command_lists_its_commands(installed: Path) -> None:
    helped = _run(str(installed / "pinnace"), "--help")
    assert [command for command in COMMANDS if f" {command} " not in helped] == []


def test_the_wheel_carries_the_manifests_of_the_checkout(installed: Path) -> None:
    """They are links in the checkout; a wheel that kept the links would install nothing."""
    printed = _run(str(installed / "pinnace"), "install", "--dry-run", "--output=yaml")
    assert printed == _run(*PINNACE, "install", "--dry-run", "--output=yaml")
    assert len([document for document in yaml.safe_load_all(printed) if document]) > 20


def test_the_wheel_alone_says_that_the_local_cluster_needs_a_checkout(installed: Path) -> None:
    done = subprocess.run([installed / "pinnace", "cluster", "build"], capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert "the local cluster needs a checkout of pinnace, not only the wheel" in done.stderr


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout
