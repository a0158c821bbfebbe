"""The alerts of k8s/monitoring as Prometheus reads them: by its own promtool, which `./just promtool` builds."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pinnace.cluster import versions

_FOLDER = Path(__file__).parents[2] / "k8s" / "monitoring"
_MODULE = "github.com/prometheus/prometheus"


@pytest.fixture(scope="module")
def promtool() -> Path:
    """The built program of the version that its go.mod names."""
    go_mod = (versions.modules_folder() / "promtool" / "go.mod").read_text()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pinnace"
    program = cache / "promtool" / versions.required_version(go_mod, module=_MODULE) / "promtool"
    if not program.exists():
        pytest.skip(f"{program} is not built; `./just promtool` builds it")
    return program


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder with the rules as a file of Prometheus, and their tests."""
    rule, _ = yaml.safe_load_all((_FOLDER / "prometheus-rule.yaml").read_text())
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(rule["spec"]))
    shutil.copy(_FOLDER / "alerts_test.yaml", tmp_path)
    return tmp_path


def run(program: Path, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [str(program), *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_rules_are_rules(promtool: Path, rules: Path) -> None:
    assert "SUCCESS: 12 rules found" in run(promtool, "check", "rules", "--lint-fatal", "alerts.yaml", folder=rules)


def test_each_alert_tells_what_it_should_and_is_silent_when_it_should(promtool: Path, rules: Path) -> None:
    assert "SUCCESS" in run(promtool, "test", "rules", "alerts_test.yaml", folder=rules)


def test_a_rule_that_tells_nothing_fails_its_test(promtool: Path, rules: Path) -> None:
    text = (rules / "alerts.yaml").read_text()
    (rules / "alerts.yaml").write_text(text.replace("[1h]) > 0", "[1h]) > 9"))
    with pytest.raises(AssertionError, match="BackupFailed"):
        run(promtool, "test", "rules", "alerts_test.yaml", folder=rules)
