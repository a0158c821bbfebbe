"""Sessions, clients and errors of S3 and EC2: the one place besides store.s3 that imports boto3.

Credentials are found as the AWS tools find them, when the first request is signed. Those with an end (a role, a web
identity, SSO, an instance's or a container's, a `credential_process` that names an Expiration) are renewed by botocore
before it comes, during a run too. The keys of a mounted Secret are read again every minute or two. Keys in the
environment or in a file of the user's are read once a process: if they end in its middle, the run fails with
`ExpiredToken` and the fix.
"""

import functools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pinnace.errors import (
    ConditionUnsupportedError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
    UsageError,
    VolumeError,
)

if TYPE_CHECKING:
    import boto3
    import botocore.exceptions as raised
    import botocore.loaders
    import botocore.session
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_s3 import S3Client

__all__ = ["bucket_region", "connect_ec2", "connect_s3", "ec2_errors", "explain", "open_session"]

_CONNECT_TIMEOUT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30
_ATTEMPTS = 3
"""With botocore's jittered waits about 1.5 s for a server that refuses the connection; more is store.patience's."""

_FILE_SECONDS = 120
"""How long the keys of a mounted file are taken for good; the kubelet needs a minute to bring a changed Secret."""

_NO_REGION = "us-east-1"
"""For servers that have none; AWS itself answers there for every bucket of its main partition."""

_UNAVAILABLE_STATUS = frozenset({429, 500, 502, 503, 504})
_UNAVAILABLE_CODES = frozenset(
    {"ConditionalRequestConflict", "InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable",
     "SlowDown", "Throttling", "ThrottlingException"}
)  # fmt: skip

_KINDS: Mapping[str, type[StoreError]] = {
    "404": ObjectNotFoundError,
    "NoSuchKey": ObjectNotFoundError,
    "NoSuchUpload": ObjectNotFoundError,
    "412": ObjectExistsError,
    "PreconditionFailed": ObjectExistsError,
    "NotImplemented": ConditionUnsupportedError,
}

_GRANT = "grant {right} on the bucket to these credentials"
_REGION = "give the bucket's own region as the option region"
_RENEW = "renew the credentials: keys of the environment or of a file are read once a process, a role's are renewed"
_FIXES: Mapping[str, str] = {
    "403": _GRANT + ", and s3:ListBucket, without which an object that is not there is forbidden too",
    "AccessDenied": _GRANT,
    "AllAccessDisabled": _GRANT,
    "AuthorizationHeaderMalformed": _REGION,
    "ExpiredToken": _RENEW,
    "IllegalLocationConstraintException": _REGION,
    "InternalError": "look at the server's own log",
    "InvalidAccessKeyId": "give credentials that this server knows (AWS_ACCESS_KEY_ID, profile)",
    "InvalidToken": _RENEW,
    "NoSuchBucket": "create the bucket, or correct its name in --store",
    "PermanentRedirect": _REGION,
    "RequestTimeTooSkewed": "set this machine's clock",
    "SignatureDoesNotMatch": "look at AWS_SECRET_ACCESS_KEY and the clock",
    "SlowDown": "the bucket is busy: try later",
}
_EC2_FIXES: Mapping[str, str] = {
    "AuthFailure": "give credentials of the account that the volume is in",
    "ExpiredToken": _RENEW,
    "InvalidVolume.NotFound": "is the region of the VolumeSnapshotLocation the volume's?",
    "RequestExpired": _RENEW,
    "SnapshotLimitExceeded": "ask AWS for a higher limit, or delete old snapshots",
}
_NEEDS_CHECKSUM = "the bucket wants a checksum, as those with object lock do: give the option checksumAlgorithm=SHA256"


def open_session(*, profile: str, shared_config: bool, credentials_file: str = "") -> "boto3.Session":
    """Make a session, which asks for nothing yet; UsageError for a profile that is not there or a broken file.

    Without `shared_config` only the file of credentials is read (`~/.aws/credentials`), not `~/.aws/config`.
    `credentials_file` stands for a mounted Secret: its keys come before all others, and are read again as time goes by.
    """
    import boto3
    import botocore.exceptions
    import botocore.loaders
    import botocore.session

    try:
        core = botocore.session.Session(profile=profile or None)
        core.register_component("data_loader", _models())
        if credentials_file:
            core.set_config_variable("credentials_file", credentials_file)
            _read_again(core, credentials_file=credentials_file, profile=profile)
        if not shared_config:
            core.set_config_variable("config_file", os.devnull)
        core.get_scoped_config()  # now, and not at the first request, if the profile is not there
        return boto3.Session(botocore_session=core)
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise UsageError(f"object storage can't be used as given: {error}") from error


@functools.cache
def _models() -> "botocore.loaders.Loader":
    """What botocore knows of AWS's services, read once for all sessions: ten megabytes for each otherwise."""
    import botocore.loaders

    return botocore.loaders.create_loader()


def _read_again(core: "botocore.session.Session", *, credentials_file: str, profile: str) -> None:
    """Put the file's keys first, as credentials that end: botocore then asks anew before they do.

    A file without keys (one that names a role or a process) is left to botocore's own providers.
    """
    from botocore.credentials import RefreshableCredentials, SharedCredentialProvider

    source = SharedCredentialProvider(credentials_file, profile or "default")

    def read() -> dict[str, str | None]:
        found = source.load()
        if found is None:
            raise UsageError(f"{credentials_file}: no aws_access_key_id in profile {profile or 'default'}")
        ends = datetime.now(UTC) + timedelta(seconds=_FILE_SECONDS)
        return {
            "access_key": found.access_key,
            "secret_key": found.secret_key,
            "token": found.token,
            "expiry_time": ends.isoformat(),
        }

    class MountedFile(SharedCredentialProvider):
        METHOD = "mounted-file"

        def load(self) -> RefreshableCredentials | None:
            if source.load() is None:
                return None
            return RefreshableCredentials.create_from_metadata(
                read(),
                refresh_using=read,
                method=self.METHOD,
                advisory_timeout=_FILE_SECONDS // 2,
                mandatory_timeout=1,
            )

    resolver = core.get_component("credential_provider")
    resolver.providers.insert(0, MountedFile(credentials_file, profile or "default"))


def connect_s3(
    session: "boto3.Session",
    *,
    endpoint_url: str,
    region: str,
    path_style: bool,
    verify_tls: bool | str | None,
    signature_version: str = "",
) -> "S3Client":
    """Make a client; without `region` the session's (`AWS_REGION`, the profile's) is taken.

    `signature_version` is for presigning, where boto3 still takes the second in some regions if not told.
    """
    import botocore.exceptions
    import urllib3
    from botocore.config import Config

    if verify_tls is False:
        # The operator asked for it; a warning at each request would bury everything else.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    try:
        return session.client(
            "s3",
            endpoint_url=endpoint_url or None,
            region_name=region or session.region_name or _NO_REGION,
            verify=verify_tls,
            config=Config(
                connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                read_timeout=_READ_TIMEOUT_SECONDS,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                signature_version=signature_version or None,
                # "auto" would be a path wherever an address is given, and some servers want the bucket in the name.
                s3={"addressing_style": "path" if path_style else "virtual"},
                # Other S3 servers refuse the checksum trailers that newer SDKs send unasked.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise UsageError(f"object storage can't be used as given: {error}") from error


def connect_ec2(session: "boto3.Session", *, region: str) -> "EC2Client":
    """Make a client for volumes and snapshots; the endpoint is AWS's, or that of AWS_ENDPOINT_URL_EC2."""
    import botocore.exceptions
    from botocore.config import Config

    try:
        return session.client(
            "ec2",
            region_name=region,
            config=Config(
                connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                read_timeout=_READ_TIMEOUT_SECONDS,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            ),
        )
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise UsageError(f"EC2 can't be used as given: {error}") from error


@contextmanager
def ec2_errors(action: str, what: str, *, gone: str = "") -> Iterator[None]:
    """Turn what boto3 raises into a VolumeError with the fix; a refusal of code `gone` is none."""
    import botocore.exceptions

    try:
        yield
    except botocore.exceptions.ClientError as error:
        code = str(error.response["Error"].get("Code", ""))
        if gone and code == gone:
            return
        reason = str(error.response["Error"].get("Message") or code)
        fix = f"grant {action} to these credentials" if code == "UnauthorizedOperation" else _EC2_FIXES.get(code, "")
        raise VolumeError(reason=f"{action} {what}: {reason}", fix=fix) from error
    except botocore.exceptions.BotoCoreError as error:
        fix = "give the location a credential, or the pod a role" if _lacks_credentials(error) else ""
        raise VolumeError(reason=f"{action} {what}: {error}", fix=fix) from error


def _lacks_credentials(error: Exception) -> bool:
    import botocore.exceptions as raised

    return isinstance(error, raised.NoCredentialsError | raised.PartialCredentialsError)


def bucket_region(client: "S3Client", bucket: str) -> str:
    """Ask where a bucket is, as Velero does for a location without region; "" from a server that has no regions.

    A refusal answers too: AWS names the region also to those who may not list the bucket. Raises what boto3 raises.
    """
    import botocore.exceptions

    try:
        headers = client.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    except botocore.exceptions.ClientError as error:
        headers = error.response["ResponseMetadata"].get("HTTPHeaders", {})
        if "x-amz-bucket-region" not in headers:
            raise
    return str(headers.get("x-amz-bucket-region", ""))


def explain(error: Exception, *, location: str, action: str, key: str = "") -> StoreError:
    """Turn what boto3 raised into the StoreError that says what was done, why it failed and what to do."""
    import botocore.exceptions as raised

    what = f"{action} {key}".rstrip()
    if isinstance(error, raised.ClientError):
        kind, reason, fix = _explain_answer(error, action)
        return kind(location=location, action=what, reason=reason, fix=fix)
    if isinstance(error, raised.SSLError):
        fix = "give the server's certificate authority as the option caCert"
        return StoreError(location=location, action=what, reason=str(error), fix=fix)
    if isinstance(error, raised.ConnectionError | raised.HTTPClientError | raised.IncompleteReadError | OSError):
        fix = "is the object storage reachable?"
        return StoreUnavailableError(location=location, action=what, reason=str(error), fix=fix)
    fix = "look at the location's options and credentials"
    if isinstance(error, raised.NoCredentialsError | raised.PartialCredentialsError):
        fix = "give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role"
    return StoreError(location=location, action=what, reason=str(error), fix=fix)


def _explain_answer(error: "raised.ClientError", action: str) -> tuple[type[StoreError], str, str]:
    code = str(error.response["Error"].get("Code", ""))
    reason = str(error.response["Error"].get("Message") or code)
    status = int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))
    fix = _FIXES.get(code, "").format(right=action)
    if code == "InvalidRequest" and "checksum" in reason.lower():
        fix = _NEEDS_CHECKSUM
    if status in _UNAVAILABLE_STATUS or code in _UNAVAILABLE_CODES:
        return StoreUnavailableError, reason, fix or "is the object storage well?"
    return _KINDS.get(code, StoreError), reason, fix
