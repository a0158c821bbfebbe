"""Sessions and clients as the AWS tools make them, and what is said when something is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore import exceptions as raised

from pinnace import aws, errors
from pinnace.errors import UsageError

_AWAY, _REFUSED = errors.StoreUnavailableError, errors.StoreError
_REACHABLE = "is the object storage reachable?"


@pytest.fixture(autouse=True)
def aws_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No credentials but those of files in this folder."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def refusal(code: str, *, status: int = 403, message: str = "as told") -> raised.ClientError:
    return raised.ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "PutObject",
    )


@pytest.mark.parametrize(
    ("error", "kind", "end"),
    [
        (refusal("AccessDenied"), _REFUSED, "as told; grant s3:PutObject on the bucket to these credentials"),
        (refusal("ExpiredToken", status=400), _REFUSED, "a role's are renewed"),
        (refusal("PermanentRedirect", status=301), _REFUSED, "give the bucket's own region as the option region"),
        (refusal("NoSuchBucket", status=404), _REFUSED, "create the bucket, or correct its name in --store"),
        (refusal("NoSuchKey", status=404), errors.ObjectNotFoundError, "as told"),
        (refusal("NoSuchUpload", status=404), errors.ObjectNotFoundError, "as told"),
        (refusal("PreconditionFailed", status=412), errors.ObjectExistsError, "as told"),
        (refusal("NotImplemented", status=501), errors.ConditionUnsupportedError, "as told"),
        (refusal("SlowDown", status=503), _AWAY, "the bucket is busy: try later"),
        (refusal("BadGateway", status=502), _AWAY, "is the object storage well?"),
        (refusal("ConditionalRequestConflict", status=409), _AWAY, "is the object storage well?"),
        (
            refusal("InvalidRequest", status=400, message="Content-MD5 OR x-amz-checksum- HTTP header is required"),
            _REFUSED,
            "give the option checksumAlgorithm=SHA256",
        ),
        (raised.EndpointConnectionError(endpoint_url="u"), _AWAY, _REACHABLE),
        (raised.ReadTimeoutError(endpoint_url="u"), _AWAY, _REACHABLE),
        (raised.ConnectionClosedError(endpoint_url="u"), _AWAY, _REACHABLE),
        (raised.SSLError(endpoint_url="u", error=OSError("e")), _REFUSED, "certificate authority as the option caCert"),
        (raised.NoCredentialsError(), _REFUSED, "a profile, or a role"),
    ],
)  # fmt: skip
def test_what_boto3_raises_becomes_a_sentence_with_a_fix(
    error: Exception, kind: type[errors.StoreError], end: str
) -> None:
    explained = aws.explain(error, location="bucket b", action="s3:PutObject", key="k")
    assert type(explained) is kind
    assert str(explained).startswith("bucket b: s3:PutObject k: ")
    assert str(explained).endswith(end)


def test_every_fix_is_a_whole_sentence() -> None:
    for code in aws._FIXES:
        assert "{" not in aws.explain(refusal(code), location="bucket b", action="s3:PutObject").fix


def test_a_profile_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"object storage can't be used as given: .*\(none\)"):
        aws.open_session(profile="none", shared_config=True).get_credentials()


def test_the_shared_config_is_read_unless_it_is_switched_off(aws_files: Path) -> None:
    (aws_files / "config").write_text("[default]\nregion = eu-north-1\n")
    (aws_files / "credentials").write_text("[default]\naws_access_key_id = k\naws_secret_access_key = s\n")
    assert aws.open_session(profile="", shared_config=True).region_name == "eu-north-1"
    without = aws.open_session(profile="", shared_config=False)
    assert without.region_name is None
    credentials = without.get_credentials()
    assert credentials is not None
    assert credentials.access_key == "k"


def test_credentials_with_an_end_are_renewed(aws_files: Path) -> None:
    """The process names an end that is near, so that each signature asks for new ones."""
    program = aws_files / "credentials.sh"
    program.write_text(
        f"#!/bin/sh\necho x >> {aws_files}/asked\n"
        "end=$(date -u -d '+5 minutes' +%Y-%m-%dT%H:%M:%SZ)\n"
        'keys=\'"AccessKeyId": "k", "SecretAccessKey": "s", "SessionToken": "t"\'\n'
        'echo "{\\"Version\\": 1, $keys, \\"Expiration\\": \\"$end\\"}"\n'
    )
    program.chmod(0o755)
    (aws_files / "config").write_text(f"[default]\ncredential_process = {program}\n")
    assert presigned_keys(count=3) == ["k", "k", "k"]
    assert (aws_files / "asked").read_text().count("x") >= 3


def test_keys_of_a_file_are_read_once_a_process(aws_files: Path) -> None:
    file = aws_files / "credentials"
    file.write_text("[default]\naws_access_key_id = first\naws_secret_access_key = s\n")
    session = aws.open_session(profile="", shared_config=True)
    client = aws.connect_s3(session, endpoint_url="", region="eu-1", path_style=False, verify_tls=None)
    file.write_text("[default]\naws_access_key_id = second\naws_secret_access_key = s\n")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert "first" in url


def presigned_keys(*, count: int) -> list[str]:
    """Sign so often with one client; gives the access keys that were used."""
    session = aws.open_session(profile="", shared_config=True)
    client = aws.connect_s3(
        session, endpoint_url="", region="eu-1", path_style=False, verify_tls=None, signature_version="s3v4"
    )
    urls = [client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}) for _ in range(count)]
    return [url.partition("X-Amz-Credential=")[2].partition("%2F")[0] for url in urls]


def test_the_keys_of_a_mounted_secret_are_read_again_when_their_time_is_over(
    aws_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = aws_files / "cloud"
    mounted.write_text("[default]\naws_access_key_id=old\naws_secret_access_key=s\n")
    credentials = aws.open_session(profile="", shared_config=True, credentials_file=str(mounted)).get_credentials()
    assert credentials is not None
    mounted.write_text("[default]\naws_access_key_id=new\naws_secret_access_key=s\naws_session_token=t\n")
    assert credentials.get_frozen_credentials().access_key == "old"
    later = datetime.now(UTC) + timedelta(seconds=70)
    monkeypatch.setattr(credentials, "_time_fetcher", lambda: later)
    frozen = credentials.get_frozen_credentials()
    assert (frozen.access_key, frozen.token) == ("new", "t")


def test_a_mounted_secret_comes_before_the_environment_and_may_name_a_profile(
    aws_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    mounted = aws_files / "cloud"
    mounted.write_text("[backup]\naws_access_key_id=mounted\naws_secret_access_key=s\n")
    session = aws.open_session(profile="backup", shared_config=True, credentials_file=str(mounted))
    credentials = session.get_credentials()
    assert credentials is not None
    assert credentials.get_frozen_credentials().access_key == "mounted"
