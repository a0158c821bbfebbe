"""A bucket's options: the `config` keys of Velero's aws plugin, checked once and turned into what each request carries.

No value of an option stands in an error, only its name: it might be a secret in the wrong place.
"""

import base64
import binascii
import hashlib
import os
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pinnace.errors import UsageError

__all__ = ["CONFIG_KEYS", "CaBundle", "S3Config", "from_location", "from_url"]

CONFIG_KEYS = frozenset(
    {
        "caCert", "checksumAlgorithm", "customerKeyEncryptionFile", "enableSharedConfig", "insecureSkipTLSVerify",
        "kmsKeyId", "profile", "publicUrl", "region", "s3ForcePathStyle", "s3Url", "serverSideEncryption",
        "signatureVersion", "tagging",
    }
)  # fmt: skip
"""The keys of Velero's aws plugin; any other is an error there too."""

_CUSTOMER_KEY_BYTES = 32
_MOST_TAGS = 10
"""S3's own limit for an object."""

_BOOLEANS = {"": False, "false": False, "true": True}


class CaBundle:
    """Certificates as a path that OpenSSL can read, without a folder to write into: a file in this process's memory.

    The path is good while this object lives.
    """

    def __init__(self, pem: bytes) -> None:
        self._file = os.fdopen(os.memfd_create("ca.pem"), "wb", buffering=0)
        self._file.write(pem)

    @property
    def path(self) -> str:
        """Where this process finds it."""
        return f"/proc/self/fd/{self._file.fileno()}"


@dataclass(frozen=True)
class S3Config:
    """What a location's options say; `request_*` are arguments of boto3's methods, `""` is "not given" throughout.

    `verify_tls` is False, a path of certificates, or None for the system's.
    """

    region: str = ""
    s3_url: str = ""
    public_url: str = ""
    profile: str = ""
    path_style: bool = False
    shared_config: bool = True
    verify_tls: bool | str | None = None
    ca_bundle: CaBundle | None = None
    checksum_algorithm: str = ""
    encryption: Mapping[str, str] = field(default_factory=dict)
    tagging: str = ""
    customer_key: bytes = field(default=b"", repr=False)
    credentials_file: str = ""

    @property
    def request_key(self) -> dict[str, Any]:
        """SSE-C: what every request about an object's content carries; boto3 adds the key's MD5."""
        if not self.customer_key:
            return {}
        return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": self.customer_key}

    @property
    def request_put(self) -> dict[str, Any]:
        """What PutObject carries besides the body's checksum."""
        return {**self.encryption, **self.request_key, **({"Tagging": self.tagging} if self.tagging else {})}

    @property
    def request_create(self) -> dict[str, Any]:
        """What CreateMultipartUpload carries; the parts then must have checksums of that algorithm."""
        return self.request_put | ({"ChecksumAlgorithm": self.checksum_algorithm} if self.checksum_algorithm else {})

    def request_checksum(self, body: bytes | bytearray) -> dict[str, str]:
        """The body's checksum as a plain header: boto3 alone would send it behind the body, which some servers refuse.

        Without an algorithm there is none, and nothing is lost on the way: the signature has the body's SHA-256.
        """
        if not self.checksum_algorithm:
            return {}
        digest = _CHECKSUMS[self.checksum_algorithm](body)
        return {f"Checksum{self.checksum_algorithm}": base64.b64encode(digest).decode()}


def from_url(options: Mapping[str, str]) -> S3Config:
    """Read the options of a `--store` URL, where `caCert` is a path; UsageError naming the option."""
    path = options.get("caCert", "")
    if path:
        _check_certificates("caCert", cafile=path)
    return _parse(options, verify_tls=path or None, ca_bundle=None)


def from_location(config: Mapping[str, str], *, ca_cert: str = "") -> S3Config:
    """Read a BackupStorageLocation: `config`, where `caCert` is PEM text, and `objectStorage.caCert`, base64 of PEM.

    The second wins, as in Velero, which puts it over the first (object_store.go).
    """
    pem = config.get("caCert", "").encode()
    if ca_cert:
        try:
            pem = base64.b64decode(ca_cert, validate=True)
        except binascii.Error as error:
            raise UsageError("objectStorage.caCert: not base64") from error
    if not pem:
        return _parse(config, verify_tls=None, ca_bundle=None)
    _check_certificates("caCert", cadata=pem.decode("ascii", errors="replace"))
    bundle = CaBundle(pem)
    return _parse(config, verify_tls=bundle.path, ca_bundle=bundle)


def _parse(config: Mapping[str, str], *, verify_tls: str | None, ca_bundle: CaBundle | None) -> S3Config:
    if unknown := sorted(set(config) - CONFIG_KEYS):
        raise UsageError(f"store option {unknown[0]}: not known; known are {', '.join(sorted(CONFIG_KEYS))}")
    insecure = _boolean(config, "insecureSkipTLSVerify")
    return S3Config(
        region=config.get("region", ""),
        s3_url=_endpoint(config, "s3Url"),
        public_url=_endpoint(config, "publicUrl"),
        profile=config.get("profile", ""),
        path_style=_boolean(config, "s3ForcePathStyle"),
        shared_config=_boolean(config, "enableSharedConfig") if "enableSharedConfig" in config else True,
        verify_tls=False if insecure else verify_tls,
        ca_bundle=ca_bundle,
        checksum_algorithm=_checksum_algorithm(config.get("checksumAlgorithm", "")),
        encryption=_encryption(config),
        tagging=_tagging(config.get("tagging", "")),
        customer_key=_customer_key(config.get("customerKeyEncryptionFile", "")),
    )


def _boolean(config: Mapping[str, str], key: str) -> bool:
    try:
        return _BOOLEANS[config.get(key, "")]
    except KeyError as error:
        raise UsageError(f"store option {key}: give true or false") from error


def _endpoint(config: Mapping[str, str], key: str) -> str:
    url = config.get(key, "")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"store option {key}: not a URL; give https://host or http://host:port")
    if parts.username or parts.password:
        raise UsageError(f"store option {key}: credentials in it are not used; give them as AWS tools find them")
    return url


def _encryption(config: Mapping[str, str]) -> Mapping[str, str]:
    by_key = [key for key in ("customerKeyEncryptionFile", "kmsKeyId") if config.get(key)]
    if len(by_key) == 2:
        raise UsageError("store options customerKeyEncryptionFile and kmsKeyId: give only one of them")
    if config.get("kmsKeyId"):
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": config["kmsKeyId"]}
    if config.get("serverSideEncryption") and not by_key:
        return {"ServerSideEncryption": config["serverSideEncryption"]}
    return {}


def _customer_key(path: str) -> bytes:
    if not path:
        return b""
    try:
        with Path(path).open("rb") as file:
            key = file.read(_CUSTOMER_KEY_BYTES + 1)
    except OSError as error:
        raise UsageError(f"store option customerKeyEncryptionFile: {path}: {error.strerror}") from error
    if len(key) != _CUSTOMER_KEY_BYTES:
        held = f"{len(key)} bytes" if len(key) < _CUSTOMER_KEY_BYTES else "more"
        raise UsageError(
            f"store option customerKeyEncryptionFile: {path} holds {held}, and a key has {_CUSTOMER_KEY_BYTES}; "
            f"make one with: head -c {_CUSTOMER_KEY_BYTES} /dev/urandom"
        )
    return key


def _tagging(tagging: str) -> str:
    if not tagging:
        return ""
    try:
        tags = parse_qsl(tagging, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise UsageError("store option tagging: give key=value&key=value, as a URL's query") from error
    if len(tags) > _MOST_TAGS or len(dict(tags)) < len(tags):
        raise UsageError(f"store option tagging: at most {_MOST_TAGS} tags, each key once")
    return tagging


def _checksum_algorithm(name: str) -> str:
    if name and name not in _CHECKSUMS:
        raise UsageError(f"store option checksumAlgorithm: give one of {', '.join(_CHECKSUMS)}, or nothing for none")
    if name == "CRC32C":
        _crc32c(b"")
    return name


def _check_certificates(option: str, **certificates: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**certificates)
    except OSError as error:
        raise UsageError(f"store option {option}: no certificates in PEM can be read from it: {error}") from error


def _crc32c(body: bytes | bytearray) -> bytes:
    try:
        from awscrt import checksums  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise UsageError(
            "store option checksumAlgorithm: CRC32C needs the package awscrt; install it, or give CRC32 or SHA256"
        ) from error
    return int(checksums.crc32c(bytes(body))).to_bytes(4, "big")


_CHECKSUMS: Mapping[str, Callable[[bytes | bytearray], bytes]] = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "CRC32C": _crc32c,
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}
