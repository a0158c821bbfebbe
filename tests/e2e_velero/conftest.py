"""Places in which our dispatcher works for the real velero CLI: with Jobs on a node, and without a node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.installation import CREDENTIALS, NAMESPACE, Installation, install
from e2e.node_cluster import NodeCluster
from e2e_velero import many_kinds
from e2e_velero.played_node import PlayedNode
from e2e_velero.velero_program import Velero, find_velero
from integration.cluster_fixtures import TestedCluster
from integration.dispatcher_process import Stage
from integration.s3_fixtures import new_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from integration.velero_kinds import apply_crds

_PREFIX = "ours"
_UPKEEP = ("--backup-sync-period", "5s")
"""Seconds instead of minutes until a backup in a bucket is a Backup in the cluster."""


@pytest.fixture(scope="session")
def program() -> Path:
    return find_velero()


@pytest.fixture(scope="session")
def stage(
    program: Path, local_cluster: TestedCluster, s3_server: SeaweedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A namespace with a location, a dispatcher, and somebody who runs its Jobs."""
    apply_crds(local_cluster)
    folder = tmp_path_factory.mktemp("velero")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        made = Stage(
            kubeconfig=local_cluster.kubeconfig,
            namespace="velero-cli",
            folder=folder,
            s3_url=s3_server.url,
            bucket=new_bucket(s3_server),
            credentials=CREDENTIALS,
        )
        node = PlayedNode(made, folder)
        try:
            made.make()
            made.make_location("default", default=True)
            made.start("--no-leader-election")
            node.start()
            yield made
        finally:
            node.end()
            made.end()


@pytest.fixture(scope="session")
def velero(stage: Stage, program: Path, tmp_path_factory: pytest.TempPathFactory) -> Velero:
    return Velero(program, stage.kubeconfig, stage.namespace, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def on_node(
    program: Path, node_cluster: NodeCluster, pod_s3_server: SeaweedServer, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Pinnace installed as its users install it, with Jobs on a kubelet; its location is a prefix of a bucket.

    After `program`, since no node is started where there is no velero to be run.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        bucket = new_bucket(pod_s3_server)
    folder = tmp_path_factory.mktemp("overlay")
    return install(node_cluster, pod_s3_server, bucket=bucket, folder=folder, arguments=[*_UPKEEP], prefix=_PREFIX)


@pytest.fixture(scope="session")
def velero_on_node(on_node: Installation, program: Path, tmp_path_factory: pytest.TempPathFactory) -> Velero:
    """The CLI with that installation."""
    return Velero(program, on_node.cluster.kubeconfig, NAMESPACE, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def filled(on_node: Installation) -> str:
    """The prefix of objects of many kinds that every test may back up and none changes."""
    many_kinds.apply(on_node.cluster, "filled")
    return "filled"
