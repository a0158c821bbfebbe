"""`pinnace location check` names the right that is missing, with identities of a real server that lack one each."""

import json

import pytest
from typer.testing import CliRunner

from integration.s3_fixtures import new_prefix
from integration.s3_server import ACCESS_KEY, LACKING, SECRET_KEY, SeaweedServer
from pinnace.cli.main import app

_FAILS = {
    "s3:ListBucket": ["list"],
    "s3:PutObject": ["put"],
    "s3:GetObject": ["ranged read", "presigned URL"],
    "s3:DeleteObject": ["delete"],
}


def checked(url: str, *, access_key: str, secret_key: str) -> tuple[int, list[dict[str, str]]]:
    """Exit code and rows, for somebody with these keys."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", access_key)
        environment.setenv("AWS_SECRET_ACCESS_KEY", secret_key)
        shown = CliRunner().invoke(app, ["location", "check", "--store", url, "-ojson"])
    return shown.exit_code, json.loads(shown.stdout)


@pytest.mark.parametrize("right", LACKING)
def test_what_fails_without_a_right_names_it_and_the_rest_works(
    s3_server: SeaweedServer, shared_bucket: str, right: str
) -> None:
    url = s3_server.store_url(shared_bucket, new_prefix())
    exit_code, rows = checked(url, access_key=LACKING[right], secret_key=LACKING[right])
    failed = [row for row in rows if row["result"] != "works"]
    assert [(row["check"], row["right"]) for row in failed] == [(check, right) for check in _FAILS[right]]
    assert all(f"grant {right}" in row["detail"] for row in failed)
    assert exit_code == 1


def test_with_all_rights_all_works(s3_server: SeaweedServer, shared_bucket: str) -> None:
    url = s3_server.store_url(shared_bucket, new_prefix())
    exit_code, rows = checked(url, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    assert (exit_code, {row["result"] for row in rows}) == (0, {"works"})
