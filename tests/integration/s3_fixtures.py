"""One S3 server for the session, and a bucket or a prefix of its own for each test."""

import functools
import uuid
from collections.abc import Iterator

import pytest

from integration.s3_server import ACCESS_KEY, SECRET_KEY, SeaweedServer
from pinnace import aws
from pinnace.store.open import open_store
from pinnace.store.s3 import S3Store

__all__ = ["credentials", "new_bucket", "new_prefix", "open_bucket"]

_open_session = functools.cache(aws.open_session)


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
    """The server's credentials, where boto3 looks for them; one session for all, whose models take long to load."""
    monkeypatch.setattr(aws, "open_session", _open_session)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture(scope="session")
def shared_bucket(s3_server: SeaweedServer) -> str:
    """A bucket for tests that keep to a `new_prefix`: the first write into a bucket takes a while."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        return new_bucket(s3_server)


def new_bucket(server: SeaweedServer) -> str:
    """Make a bucket; gives its name."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    open_bucket(server.store_url(name)).client.create_bucket(Bucket=name)
    return name


def new_prefix() -> str:
    """Give a prefix that nothing else uses."""
    return f"clusters/{uuid.uuid4().hex[:12]}"


def open_bucket(url: str) -> S3Store:
    """Open a store that is known to be a bucket."""
    store = open_store(url)
    assert isinstance(store, S3Store)
    return store
