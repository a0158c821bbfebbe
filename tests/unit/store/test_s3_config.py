"""The options of Velero's aws plugin: all are known, what can't be used is named, and no value is repeated."""

import base64
from pathlib import Path

import pytest

from pinnace.cluster import certificates
from pinnace.errors import UsageError
from pinnace.store.s3_config import CONFIG_KEYS, from_location, from_url


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates.ensure(tmp_path_factory.mktemp("ca") / "certificates").ca


def key_file(folder: Path, *, length: int) -> str:
    path = folder / f"key-{length}"
    path.write_bytes(b"k" * length)
    return str(path)


def test_every_option_of_the_plugin_is_known(tmp_path: Path, ca_file: Path) -> None:
    options = {
        "caCert": str(ca_file),
        "checksumAlgorithm": "SHA256",
        "customerKeyEncryptionFile": key_file(tmp_path, length=32),
        "enableSharedConfig": "false",
        "insecureSkipTLSVerify": "false",
        "kmsKeyId": "",
        "profile": "backup",
        "publicUrl": "https://public.example",
        "region": "eu-1",
        "s3ForcePathStyle": "true",
        "s3Url": "https://s3.example:9000",
        "serverSideEncryption": "",
        "signatureVersion": "4",
        "tagging": "team=a&cost=b",
    }
    assert set(options) == CONFIG_KEYS
    config = from_url(options)
    assert (config.region, config.s3_url, config.public_url, config.profile, config.path_style) == (
        "eu-1",
        "https://s3.example:9000",
        "https://public.example",
        "backup",
        True,
    )
    assert (config.shared_config, config.verify_tls, config.tagging) == (False, str(ca_file), "team=a&cost=b")
    assert config.customer_key == b"k" * 32
    assert "kkkk" not in repr(config)


def test_nothing_given_asks_for_nothing() -> None:
    config = from_url({})
    assert (config.request_put, config.request_create, config.request_key) == ({}, {}, {})
    assert (config.request_checksum(b"x"), config.verify_tls, config.shared_config) == ({}, None, True)


@pytest.mark.parametrize(
    ("options", "encryption"),
    [
        ({"serverSideEncryption": "AES256"}, {"ServerSideEncryption": "AES256"}),
        ({"kmsKeyId": "k"}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}),
        (
            {"kmsKeyId": "k", "serverSideEncryption": "AES256"},
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"},
        ),
    ],
)
def test_encryption_is_asked_for_as_velero_does(options: dict[str, str], encryption: dict[str, str]) -> None:
    assert from_url(options).request_put == encryption


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("", {}),
        ("CRC32", {"ChecksumCRC32": "y/Q5Jg=="}),
        ("SHA1", {"ChecksumSHA1": "98O8HYCOBHMq32eZZczDTKeuNEE="}),
        ("SHA256", {"ChecksumSHA256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="}),
    ],
)
def test_a_checksum_is_that_of_the_algorithm(algorithm: str, expected: dict[str, str]) -> None:
    """Of `123456789`; 0xCBF43926 is CRC-32's published check value, the others are sha1sum's and sha256sum's."""
    assert from_url({"checksumAlgorithm": algorithm}).request_checksum(b"123456789") == expected


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"regoin": "hush"}, "store option regoin: not known; known are caCert, checksumAlgorithm, customerKey"),
        ({"s3ForcePathStyle": "hush"}, "store option s3ForcePathStyle: give true or false"),
        ({"insecureSkipTLSVerify": "hush"}, "store option insecureSkipTLSVerify: give true or false"),
        ({"enableSharedConfig": "hush"}, "store option enableSharedConfig: give true or false"),
        ({"s3Url": "ftp://hush"}, "store option s3Url: not a URL"),
        ({"s3Url": "https://hush:x"}, "store option s3Url: not a URL"),
        ({"publicUrl": "https://u:hush@x"}, "store option publicUrl: credentials in it are not used"),
        ({"checksumAlgorithm": "hush"}, "give one of CRC32, CRC32C, SHA1, SHA256, or nothing for none"),
        ({"tagging": "hush"}, "store option tagging: give key=value&key=value"),
        ({"tagging": "&".join(f"{n}=hush" for n in range(11))}, "store option tagging: at most 10 tags"),
        ({"tagging": "a=1&a=hush"}, "each key once"),
        ({"kmsKeyId": "hush", "customerKeyEncryptionFile": "/x"}, "customerKeyEncryptionFile and kmsKeyId: give only"),
    ],
)
def test_what_can_not_be_used_is_named_and_not_repeated(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        from_url(options)
    assert sentence in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(("length", "held"), [(0, "0 bytes"), (31, "31 bytes"), (33, "more"), (4096, "more")])
def test_a_key_of_another_size_is_refused_without_a_byte_of_it(tmp_path: Path, length: int, held: str) -> None:
    path = key_file(tmp_path, length=length)
    with pytest.raises(UsageError) as refused:
        from_url({"customerKeyEncryptionFile": path})
    assert str(refused.value) == (
        f"store option customerKeyEncryptionFile: {path} holds {held}, and a key has 32; "
        "make one with: head -c 32 /dev/urandom"
    )


def test_a_key_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="customerKeyEncryptionFile: /nowhere/key: No such file or directory"):
        from_url({"customerKeyEncryptionFile": "/nowhere/key"})


def test_crc32c_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "awscrt", None)
    with pytest.raises(UsageError, match="CRC32C needs the package awscrt; install it, or give CRC32 or SHA256"):
        from_url({"checksumAlgorithm": "CRC32C"})


def test_a_locations_certificates_are_text_or_base64_and_need_no_file(ca_file: Path) -> None:
    pem = ca_file.read_bytes()
    for config in (
        from_location({"caCert": pem.decode()}),
        from_location({}, ca_cert=base64.b64encode(pem).decode()),
        from_location({"caCert": "overridden"}, ca_cert=base64.b64encode(pem).decode()),
    ):
        assert isinstance(config.verify_tls, str)
        assert Path(config.verify_tls).read_bytes() == pem
        assert Path(config.verify_tls).read_bytes() == pem
    assert from_location({"region": "eu-1"}).verify_tls is None


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("hush")
    with pytest.raises(UsageError, match="store option caCert: no certificates in PEM"):
        from_url({"caCert": str(broken)})
    with pytest.raises(UsageError, match="store option caCert: no certificates in PEM"):
        from_url({"caCert": str(tmp_path / "none")})
    with pytest.raises(UsageError, match="store option caCert: no certificates in PEM"):
        from_location({}, ca_cert=base64.b64encode(b"hush").decode())
    with pytest.raises(UsageError, match=r"objectStorage\.caCert: not base64"):
        from_location({}, ca_cert="no base64!")


def test_no_verification_wins_over_certificates(ca_file: Path) -> None:
    assert from_url({"caCert": str(ca_file), "insecureSkipTLSVerify": "true"}).verify_tls is False
