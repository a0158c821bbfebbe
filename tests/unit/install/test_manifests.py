"""The manifests reach the package: links in a checkout, which the wheel's include follows."""

import tomllib
from pathlib import Path

import pytest

from pinnace.errors import InstallError
from pinnace.install import manifests

_ROOT = Path(__file__).parents[3]
_PACKAGED = "python/pinnace/install/manifests"


@pytest.mark.parametrize("folder", ["crds", "base"])
def test_every_manifest_is_one_that_the_wheel_includes(folder: str) -> None:
    [include] = tomllib.loads((_ROOT / "pyproject.toml").read_text())["tool"]["maturin"]["include"]
    included = {path.name for path in _ROOT.glob(include["path"]) if path.parent.name == folder}
    assert included == {path.name for path in (_ROOT / "k8s" / folder).iterdir()}
    assert (_ROOT / _PACKAGED / folder).resolve() == _ROOT / "k8s" / folder
    assert include["format"] == ["sdist", "wheel"]


def test_a_build_without_manifests_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(manifests, "files", lambda _: tmp_path)
    manifests._kustomization.cache_clear()
    with pytest.raises(InstallError, match="the manifests are missing from this build of pinnace"):
        manifests.crds()
