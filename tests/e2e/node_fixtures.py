"""One cluster with a node for the session, pinnace's image on it, and an S3 server that pods can reach."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import image
from e2e.installation import Installation, install
from e2e.node_cluster import NodeCluster
from integration.cluster_fixtures import cluster_folder, end_leftovers
from integration.s3_fixtures import new_bucket
from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from pinnace.cluster import local_cluster, node_requirements, synthetic
from pinnace.errors import ClusterError

__all__ = ["namespace_name"]

_OBJECTS = 30_000
"""As many as a backup of a few seconds has, so that its progress can be seen and its middle be hit."""


@pytest.fixture(scope="session")
def node_machine() -> None:
    """Skips where no node can run or no image be built, and says why; PINNACE_E2E=require makes that a failure."""
    reason = _what_is_missing()
    if reason and os.environ.get("PINNACE_E2E") == "require":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def image_archive(node_machine: None) -> Path:
    """A docker archive of pinnace's image."""
    return image.archive()


@pytest.fixture(scope="session")
def node_cluster(image_archive: Path) -> Iterator[NodeCluster]:
    """The session's cluster with a node that has the image."""
    end_leftovers()
    with cluster_folder() as folder:
        cluster = local_cluster.up(folder, nodes=1, report=print)
        local_cluster.load_image(folder, archive=image_archive)
        yield NodeCluster(cluster=cluster, image=image.IMAGE)


@pytest.fixture(scope="session")
def pod_s3_server(node_cluster: NodeCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    """A running S3 server at the node's address: `.url` and `.store_url()` work in pods and here."""
    server = SeaweedServer(tmp_path_factory.mktemp("weed-for-pods"), address=node_cluster.address)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def installation(
    node_cluster: NodeCluster, pod_s3_server: SeaweedServer, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Pinnace installed from the base, two backups at once, some thousand objects to back up."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        bucket = new_bucket(pod_s3_server)
    synthetic.load(node_cluster.cluster, objects=_OBJECTS, object_bytes=3500, report=print)
    folder = tmp_path_factory.mktemp("overlay")
    return install(node_cluster, pod_s3_server, bucket=bucket, folder=folder, arguments=["--concurrent-backups", "2"])


@pytest.fixture
def namespace_name(node_cluster: NodeCluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new namespace with restricted pod security, deleted afterwards."""
    name = request.node.name.removeprefix("test_").replace("_", "-").split("[")[0][:50].strip("-")
    node_cluster.make_namespace(name)
    yield name
    node_cluster.kubectl("delete", "namespace", name, "--wait=false")


def _what_is_missing() -> str:
    try:
        node_requirements.check()
    except ClusterError as error:
        return str(error)
    if missing := image.missing_tools():
        return f"{', '.join(missing)}: not found, no image can be built; `just node-packages` installs them on Debian"
    return ""
