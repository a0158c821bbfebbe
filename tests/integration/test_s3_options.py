"""The options of a location against a real S3 server, as far as it knows them; the requests are in tests/unit/store."""

import os
import urllib.request
from pathlib import Path

import pytest

from integration.s3_fixtures import new_prefix, open_bucket
from integration.s3_server import SeaweedServer
from pinnace.errors import StoreError, UsageError
from pinnace.store.open import open_store
from pinnace.store.s3 import S3Store
from pinnace.store.s3_config import from_location

_LARGE = os.urandom(9 << 20)

pytestmark = pytest.mark.usefixtures("credentials")


def write_both_ways(store: S3Store) -> None:
    store.put("backups/b/small", b"small")
    with store.open_writer("backups/b/large") as writer:
        writer.write(_LARGE)
        writer.commit()


def head(store: S3Store, key: str) -> dict[str, object]:
    return dict(store.client.head_object(**store.target(key), **store.config.request_key, ChecksumMode="ENABLED"))


def test_objects_under_a_customers_key_are_read_with_it_and_not_without(
    s3_server: SeaweedServer, shared_bucket: str, tmp_path: Path
) -> None:
    prefix = new_prefix()
    (tmp_path / "key").write_bytes(os.urandom(32))
    (tmp_path / "other").write_bytes(os.urandom(32))
    store = open_bucket(s3_server.store_url(shared_bucket, prefix, customerKeyEncryptionFile=str(tmp_path / "key")))
    write_both_ways(store)
    assert store.get("backups/b/small", offset=1, length=3) == b"mal"
    assert b"".join(store.chunks("backups/b/large")) == _LARGE
    assert store.get("backups/b/large", offset=(8 << 20) - 5, length=10) == _LARGE[(8 << 20) - 5 : (8 << 20) + 5]
    for options in ({}, {"customerKeyEncryptionFile": str(tmp_path / "other")}):
        stranger = open_store(s3_server.store_url(shared_bucket, prefix, **options))
        with pytest.raises(StoreError):
            stranger.get("backups/b/small")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_taken_and_checked_by_the_server(
    s3_server: SeaweedServer, shared_bucket: str, algorithm: str
) -> None:
    store = open_bucket(s3_server.store_url(shared_bucket, new_prefix(), checksumAlgorithm=algorithm))
    write_both_ways(store)
    assert b"".join(store.chunks("backups/b/large")) == _LARGE
    (expected,) = store.config.request_checksum(b"small").values()
    assert head(store, "backups/b/small")[f"Checksum{algorithm}"] == expected


def test_tags_are_on_small_and_large_objects(s3_server: SeaweedServer, shared_bucket: str) -> None:
    store = open_bucket(s3_server.store_url(shared_bucket, new_prefix(), tagging="team=a&cost=b c"))
    write_both_ways(store)
    for key in ("backups/b/small", "backups/b/large"):
        tags = store.client.get_object_tagging(**store.target(key))["TagSet"]
        assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("cost", "b c"), ("team", "a")]


def test_a_server_with_tls_is_trusted_by_its_certificates_or_by_none(
    s3_server: SeaweedServer, shared_bucket: str
) -> None:
    prefix = new_prefix()
    for options in ({"caCert": str(s3_server.ca_file)}, {"insecureSkipTLSVerify": "true"}):
        store = open_bucket(s3_server.store_url(shared_bucket, prefix, s3Url=s3_server.https_url, **options))
        write_both_ways(store)
        assert b"".join(store.chunks("backups/b/large")) == _LARGE
    with pytest.raises(StoreError, match="give the server's certificate authority as the option caCert"):
        open_store(s3_server.store_url(shared_bucket, prefix, s3Url=s3_server.https_url)).put("backups/b/x", b"")


def test_a_locations_certificates_are_used_without_a_file(s3_server: SeaweedServer, shared_bucket: str) -> None:
    config = from_location(
        {"s3Url": s3_server.https_url, "s3ForcePathStyle": "true", "caCert": s3_server.ca_file.read_text()}
    )
    store = S3Store(bucket=shared_bucket, prefix=new_prefix(), config=config)
    write_both_ways(store)
    assert b"".join(store.chunks("backups/b/large")) == _LARGE


def test_a_presigned_url_reads_without_credentials(s3_server: SeaweedServer, shared_bucket: str) -> None:
    store = open_bucket(s3_server.store_url(shared_bucket, new_prefix(), publicUrl=s3_server.url))
    store.put("backups/b/x y:z", b"whole")
    with urllib.request.urlopen(store.presigned_get("backups/b/x y:z", expires_seconds=60)) as answer:
        assert answer.read() == b"whole"


def test_a_profile_has_the_credentials(
    s3_server: SeaweedServer, shared_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text(
        "[backup]\naws_access_key_id = pinnace\naws_secret_access_key = pinnace-secret\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    store = open_store(s3_server.store_url(shared_bucket, new_prefix(), profile="backup"))
    store.put("backups/b/x", b"x")
    assert store.get("backups/b/x") == b"x"
    with pytest.raises(UsageError, match="nobody"):
        open_store(s3_server.store_url(shared_bucket, profile="nobody"))
