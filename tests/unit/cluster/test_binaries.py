"""Builds: what is whole is kept, what failed never counts."""

import os
import stat
from pathlib import Path

import pytest

from pinnace.cluster import binaries, versions
from pinnace.errors import ClusterError

FAKE_GO = """#!/bin/sh
for last; do :; done
while [ "$1" != -o ]; do shift; done
echo "$last" >> "$GO_CALLS"
[ "$last" = "$GO_FAILS" ] && { echo half > "$2"; echo "undefined: x"; exit 1; }
printf '#!/bin/sh\\n' > "$2"; chmod +x "$2"
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` that only writes down what it is asked to build."""
    go = tmp_path / "path" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(go.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GO_CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def test_programs_carry_the_version_in_their_linker_flags() -> None:
    wanted = versions.ClusterVersions(kubernetes="v1.35.4", etcd="v3.6.16")
    stamp = "k8s.io/component-base/version"
    flags = f"-s -w -X {stamp}.gitVersion=v1.35.4 -X {stamp}.gitMajor=1 -X {stamp}.gitMinor=35"
    assert [(program.name, program.linker_flags) for program in binaries.programs(wanted)] == [
        ("etcd", "-s -w"),
        ("kube-apiserver", flags),
        ("kube-controller-manager", flags),
        ("kube-scheduler", flags),
    ]


def test_what_is_built_is_not_built_again(tmp_path: Path, calls: Path) -> None:
    lines: list[str] = []
    built = binaries.ensure(report=lines.append, cache=tmp_path / "cache")
    assert len(calls.read_text().split()) == 4
    assert all(os.access(built.path(program.name), os.X_OK) for program in binaries.programs(built.versions))
    assert "[4/4] building kube-scheduler" in lines

    assert binaries.ensure(report=lines.append, cache=tmp_path / "cache") == built
    assert len(calls.read_text().split()) == 4


def test_what_a_node_needs_is_built_only_for_one(tmp_path: Path, calls: Path) -> None:
    lines: list[str] = []
    built = binaries.ensure(report=lines.append, cache=tmp_path / "cache")
    assert [built.path(name).exists() for name in ("pause", "kubelet")] == [False, False]
    calls.unlink()
    binaries.ensure(report=lines.append, with_node=True, cache=tmp_path / "cache")
    assert calls.read_text().split() == [".", "k8s.io/kubernetes/cmd/kubelet"]


def test_a_failed_build_never_counts_and_names_the_package_and_the_reason(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GO_FAILS", "k8s.io/kubernetes/cmd/kube-apiserver")
    with pytest.raises(ClusterError, match=r"go build k8s\.io/kubernetes/cmd/kube-apiserver failed .*undefined: x"):
        binaries.ensure(report=lambda _: None, cache=tmp_path / "cache")
    monkeypatch.delenv("GO_FAILS")
    calls.unlink()
    binaries.ensure(report=lambda _: None, cache=tmp_path / "cache")
    assert calls.read_text().split() == [
        f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ]
