"""`pinnace install --dry-run`: what it prints, without a cluster."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pinnace.cli.main import app
from pinnace.errors import UsageError
from pinnace.install.options import InstallOptions, Location
from pinnace.install.render import render


def printed(*arguments: str) -> str:
    shown = CliRunner().invoke(app, ["install", "--dry-run", *arguments], catch_exceptions=False)
    assert shown.exit_code == 0
    return shown.stdout


def test_dry_run_prints_the_manifests_as_yaml_documents_or_as_one_json_list(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"[default]")
    arguments = ["--bucket=b", "--prefix=p", "--region=r", f"--secret-file={tmp_path / 'secret'}", "--namespace=n"]
    location = Location("b", prefix="p", config={"region": "r"}, credentials=b"[default]")
    expected = render(InstallOptions(namespace="n", location=location))
    assert list(yaml.safe_load_all(printed(*arguments))) == expected
    assert list(yaml.safe_load_all(printed(*arguments, "-oyaml"))) == expected
    assert json.loads(printed(*arguments, "-ojson")) == {"apiVersion": "v1", "kind": "List", "items": expected}


def test_pairs_are_separated_by_commas_or_repeated() -> None:
    annotations = ["--service-account-annotations=a/b=c,d=e", "--service-account-annotations=f=g=h"]
    [account, *_] = [d for d in yaml.safe_load_all(printed(*annotations)) if d["kind"] == "ServiceAccount"]
    assert account["metadata"]["annotations"] == {"a/b": "c", "d": "e", "f": "g=h"}


@pytest.mark.parametrize("text", ["a", "=b", "a=b,"])
def test_a_pair_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--location-config: .* is not key=value"):
        printed("--bucket=b", f"--location-config={text}")
