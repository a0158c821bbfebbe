"""Sessions and clients of S3 from a location's `config`: the one place besides store.s3 that imports boto3."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pinnace.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["CONFIG_KEYS", "connect_s3", "write_options"]

CONFIG_KEYS = frozenset(
    {
        "region", "s3Url", "publicUrl", "s3ForcePathStyle", "kmsKeyId", "serverSideEncryption", "signatureVersion",
        "profile", "insecureSkipTLSVerify", "enableSharedConfig", "checksumAlgorithm", "caCert",
    }
)  # fmt: skip
"""The keys of Velero's aws plugin that are understood here; any other is an error there too."""

_CONNECT_TIMEOUT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30
_ATTEMPTS = 3


def connect_s3(config: Mapping[str, str]) -> "S3Client":
    """Make a client; UsageError naming an unknown key, or a profile that does not exist."""
    import boto3
    import botocore.exceptions
    from botocore.config import Config

    if unknown := sorted(set(config) - CONFIG_KEYS):
        raise UsageError(f"store option {unknown[0]}: not known; known are {', '.join(sorted(CONFIG_KEYS))}")
    verify: Any = None
    if config.get("insecureSkipTLSVerify") == "true":
        verify = False
    elif config.get("caCert"):
        verify = config["caCert"]
    try:
        session = boto3.Session(profile_name=config.get("profile") or None, region_name=config.get("region") or None)
        return session.client(
            "s3",
            endpoint_url=config.get("s3Url") or None,
            region_name=config.get("region") or session.region_name or "us-east-1",
            verify=verify,
            config=Config(
                connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                read_timeout=_READ_TIMEOUT_SECONDS,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                s3={"addressing_style": "path" if config.get("s3ForcePathStyle") == "true" else "auto"},
                # Other S3 servers refuse the checksum trailers that newer SDKs send unasked.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise UsageError(f"object storage can't be used as given: {error}") from error


def write_options(config: Mapping[str, str]) -> dict[str, Any]:
    """The server-side encryption that each write asks for."""
    if config.get("kmsKeyId"):
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": config["kmsKeyId"]}
    if config.get("serverSideEncryption"):
        return {"ServerSideEncryption": config["serverSideEncryption"]}
    return {}
