"""One real local cluster for the whole session, with the samples on it, ended even when tests fail."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pinnace.cluster import kubectl, local_cluster, samples

__all__ = ["TestedCluster", "cluster_folder", "end_leftovers", "tested_cluster"]

_PREFIX = "pinnace-test-cluster-"


@dataclass(frozen=True)
class TestedCluster:
    """A running cluster with the samples."""

    __test__ = False

    kubeconfig: Path
    server: str
    etcd: str
    cluster: local_cluster.LocalCluster

    def kubectl(self, *arguments: str, standard_input: str | None = None) -> str:
        """What kubectl prints; an error if it fails."""
        return kubectl.run(*arguments, kubeconfig=self.kubeconfig, standard_input=standard_input)


@contextmanager
def cluster_folder() -> Iterator[Path]:
    """A folder for a cluster; whatever runs in it afterwards is ended.

    Its name says which session it belongs to, so that a later one can clean up after a killed one.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        yield folder
    finally:
        local_cluster.down(folder)
        shutil.rmtree(folder, ignore_errors=True)


def tested_cluster(cluster: local_cluster.LocalCluster) -> TestedCluster:
    """The same cluster, as tests want it."""
    return TestedCluster(kubeconfig=cluster.kubeconfig, server=cluster.server, etcd=cluster.etcd, cluster=cluster)


@pytest.fixture(scope="session")
def local_cluster_folder() -> Iterator[Path]:
    """A folder for a cluster of this session; whatever runs in it afterwards is ended."""
    end_leftovers()
    with cluster_folder() as folder:
        yield folder


@pytest.fixture(scope="session", name="local_cluster")
def local_cluster_with_samples(local_cluster_folder: Path) -> TestedCluster:
    """The session's cluster, samples applied once."""
    cluster = local_cluster.up(local_cluster_folder, report=print)
    samples.apply(cluster, report=print)
    return tested_cluster(cluster)


def end_leftovers() -> None:
    """End clusters of sessions that were killed before they could do it themselves."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        session_pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if folder.stat().st_uid == os.getuid() and not Path(f"/proc/{session_pid}").exists():
            local_cluster.down(folder)
            shutil.rmtree(folder, ignore_errors=True)
