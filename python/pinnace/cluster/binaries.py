"""Build the control plane's programs from Go modules, once per version, into the user's cache."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pinnace.cluster import folders, versions
from pinnace.errors import ClusterError

__all__ = ["Binaries", "Program", "ensure", "node_programs", "programs", "snapshot_controller"]

Report = Callable[[str], None]

_PROGRESS_SECONDS: Final = 15.0
"""A line this often while the compiler is silent: a build of minutes must not look hung."""

_PARALLEL_COMPILES: Final = 2
"""`go build -p`; with 2 the peak is 1.9 GB, with one per core a large machine would need far more."""


@dataclass(frozen=True)
class Program:
    """One program: the Go package that makes it, the module folder it is built in, and the linker's flags."""

    name: str
    package: str
    module: str
    linker_flags: str


@dataclass(frozen=True)
class Binaries:
    """The folder with the built programs of one pair of versions."""

    folder: Path
    versions: versions.ClusterVersions

    def path(self, program: str) -> Path:
        """Where `program` (`etcd`, `kube-apiserver` ...) is."""
        return self.folder / program


def programs(wanted: versions.ClusterVersions) -> tuple[Program, ...]:
    """The four programs of the control plane, in build order."""
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    kubernetes = (_kubernetes_program(name, wanted=wanted) for name in names)
    return (Program(name="etcd", package="go.etcd.io/etcd/server/v3", module="etcd", linker_flags="-s -w"), *kubernetes)


def node_programs(wanted: versions.ClusterVersions) -> tuple[Program, ...]:
    """What a node needs beside Debian's packages; built only for a cluster that gets one."""
    pause = Program(name="pause", package=".", module="pause", linker_flags="-s -w")
    return (pause, _kubernetes_program("kubelet", wanted=wanted))


def snapshot_controller(modules: Path) -> Program:
    """The controller of CSI snapshots; built only for tests. Its name has its version, which the folder's has not."""
    module = "github.com/kubernetes-csi/external-snapshotter/v8"
    version = versions.required_version((modules / "snapshotter" / "go.mod").read_text(), module=module)
    return Program(
        name=f"snapshot-controller-{version}",
        package=f"{module}/cmd/snapshot-controller",
        module="snapshotter",
        linker_flags="-s -w",
    )


def _kubernetes_program(name: str, *, wanted: versions.ClusterVersions) -> Program:
    """Without the version in the linker flags the server calls itself v0.0.0 and clients misjudge its features."""
    major, minor = wanted.kubernetes.removeprefix("v").split(".")[:2]
    stamp = "k8s.io/component-base/version"
    flags = f"-s -w -X {stamp}.gitVersion={wanted.kubernetes} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor}"
    return Program(name=name, package=f"k8s.io/kubernetes/cmd/{name}", module="kubernetes", linker_flags=flags)


def ensure(
    *,
    report: Report,
    with_node: bool = False,
    more: tuple[Program, ...] = (),
    modules: Path | None = None,
    cache: Path | None = None,
) -> Binaries:
    """Build what the cache lacks; a program counts only once it is whole, for it is renamed into its place."""
    modules = modules or versions.modules_folder()
    wanted = versions.read_versions(modules)
    folder = (cache or folders.cache_folder()) / wanted.folder_name / "bin"
    needed = (*programs(wanted), *(node_programs(wanted) if with_node else ()), *more)
    if missing := _missing(folder, needed=needed):
        go = _go()
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one_builder(folder, report=report):
            missing = _missing(folder, needed=needed)
            if missing:
                names = ", ".join(program.name for program in missing)
                report(f"building {names} into {folder}: once; all programs take about 7 minutes on 2 cores")
            for index, program in enumerate(missing, start=1):
                _build(program, go=go, modules=modules, folder=folder, report=report, step=f"{index}/{len(missing)}")
    return Binaries(folder=folder, versions=wanted)


def _missing(folder: Path, *, needed: tuple[Program, ...]) -> list[Program]:
    return [program for program in needed if not os.access(folder / program.name, os.X_OK)]


def _go() -> str:
    """The go command; Go's own installer puts it where PATH often lacks it."""
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        raise ClusterError("go: not found; install Go 1.26 or later (https://go.dev/dl) to build the local cluster")
    return go


@contextmanager
def _only_one_builder(folder: Path, *, report: Report) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for another build into {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(program: Program, *, go: str, modules: Path, folder: Path, report: Report, step: str) -> None:
    """Compile one program, with a line every few seconds; on failure the compiler's last lines are in the error."""
    report(f"[{step}] building {program.name}")
    unfinished, log = folder / f".{program.name}.building", folder / f".{program.name}.log"
    started = time.monotonic()
    command = [go, "build", "-p", str(_PARALLEL_COMPILES), "-ldflags", program.linker_flags]
    with log.open("wb") as output:
        compiler = subprocess.Popen(
            [*command, "-o", str(unfinished), program.package],
            cwd=modules / program.module,
            env={**os.environ, "CGO_ENABLED": "0"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while (status := _wait(compiler, timeout_seconds=_PROGRESS_SECONDS)) is None:
                report(f"[{step}] {program.name}: still compiling after {time.monotonic() - started:.0f} s")
        finally:
            if compiler.poll() is None:
                compiler.terminate()
                compiler.wait()
    if status != 0:
        tail = log.read_text(errors="replace").strip()[-2000:]
        raise ClusterError(
            f"go build {program.package} failed with status {status} in {modules / program.module}: {tail}"
        )
    unfinished.rename(folder / program.name)
    log.unlink()
    report(f"[{step}] {program.name}: built in {time.monotonic() - started:.0f} s")


def _wait(compiler: "subprocess.Popen[bytes]", *, timeout_seconds: float) -> int | None:
    try:
        return compiler.wait(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        return None
