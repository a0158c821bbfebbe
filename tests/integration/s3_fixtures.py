"""One S3 server for the session, and a new bucket for each test."""

import uuid
from collections.abc import Iterator

import pytest

from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from pinnace.store.open import open_store
from pinnace.store.s3 import S3Store

__all__ = ["credentials", "new_bucket"]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    """A running server."""
    server = SeaweedServer(tmp_path_factory.mktemp("weed"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's credentials, where boto3 looks for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


def new_bucket(server: SeaweedServer) -> str:
    """Make a bucket; gives its name."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    store = open_store(server.store_url(name))
    assert isinstance(store, S3Store)
    store.client.create_bucket(Bucket=name)
    return name
