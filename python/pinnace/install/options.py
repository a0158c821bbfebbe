"""What `pinnace install` is asked for, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pinnace.errors import UsageError
from pinnace.hooks.allowed import AllowedHooks
from pinnace.velero.duration import parse_frequency

__all__ = ["DEFAULT_NAMESPACE", "InstallOptions", "Location", "read_location"]

DEFAULT_NAMESPACE = "velero"
"""Where the `velero` CLI looks."""


@dataclass(frozen=True)
class Location:
    """The BackupStorageLocation `default`; without `credentials` the service accounts' own identity is used."""

    bucket: str
    prefix: str = ""
    config: Mapping[str, str] = field(default_factory=dict)
    ca_cert: bytes = b""
    credentials: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class InstallOptions:
    """Everything else; empty `image` is the one of this version, and an empty frequency is the dispatcher's own."""

    namespace: str = DEFAULT_NAMESPACE
    image: str = ""
    location: Location | None = None
    service_account_annotations: Mapping[str, str] = field(default_factory=dict)
    retention_guard: bool = True
    garbage_collection_frequency: str = ""
    crds_only: bool = False
    hooks: AllowedHooks = AllowedHooks.SPEC
    csi_snapshots: bool = True
    """Without it no account may make VolumeSnapshots."""
    job_shards: int = 1
    """How many pods make each backup together."""
    job_list_encoding: str = "auto"
    """How they list built-in kinds: auto, json or protobuf."""

    def __post_init__(self) -> None:
        """Refuse what would have no effect."""
        if self.garbage_collection_frequency:
            parse_frequency(self.garbage_collection_frequency, field="--garbage-collection-frequency")
        is_default = self.hooks is AllowedHooks.SPEC and self.csi_snapshots
        is_default = is_default and self.job_shards == 1 and self.job_list_encoding == "auto"
        if self.crds_only and (self.location or self.image or self.service_account_annotations or not is_default):
            raise UsageError("--crds-only: nothing but the kinds is applied; leave out the flags of the rest")


def read_location(
    bucket: str,
    *,
    prefix: str,
    region: str,
    s3_url: str,
    config: Mapping[str, str],
    ca_cert_file: Path | None,
    secret_file: Path | None,
) -> Location | None:
    """Read the flags of a location; None where no bucket is named, and then none of the others may be."""
    others = {
        "--prefix": prefix, "--region": region, "--s3-url": s3_url, "--location-config": config,
        "--ca-cert-file": ca_cert_file, "--secret-file": secret_file,
    }  # fmt: skip
    if not bucket:
        if given := [flag for flag, value in others.items() if value]:
            raise UsageError(f"{given[0]}: it belongs to a location; name its bucket by --bucket")
        return None
    if "/" in bucket.strip("/"):
        raise UsageError(f"--bucket {bucket}: a bucket's name has no slash; give the path below it by --prefix")
    named = {"region": region, "s3Url": s3_url, "s3ForcePathStyle": "true" if s3_url else ""}
    return Location(
        bucket=bucket.strip("/"),
        prefix=prefix.strip("/"),
        config={**{key: value for key, value in named.items() if value}, **config},
        ca_cert=_read(ca_cert_file, flag="--ca-cert-file"),
        credentials=_read(secret_file, flag="--secret-file"),
    )


def _read(path: Path | None, *, flag: str) -> bytes:
    if path is None:
        return b""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{flag} {path}: {error.strerror}") from error
