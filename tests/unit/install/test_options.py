"""Flags of `pinnace install` as data; what can't be meant is refused by the flag's name."""

from pathlib import Path
from typing import Any

import pytest

from pinnace.errors import UsageError
from pinnace.hooks.allowed import AllowedHooks
from pinnace.install.options import InstallOptions, Location, read_location

_NONE: dict[str, Any] = {
    "prefix": "", "region": "", "s3_url": "", "config": {}, "ca_cert_file": None, "secret_file": None
}  # fmt: skip


def test_no_bucket_is_no_location() -> None:
    assert read_location("", **_NONE) is None


def test_flags_become_velero_settings_and_explicit_settings_win(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"[default]")
    (tmp_path / "ca").write_bytes(b"CA")
    given: dict[str, Any] = {
        "prefix": "/p/", "region": "r", "s3_url": "https://s3", "config": {"s3ForcePathStyle": "false", "profile": "x"},
        "ca_cert_file": tmp_path / "ca", "secret_file": tmp_path / "secret",
    }  # fmt: skip
    assert read_location("b/", **given) == Location(
        bucket="b",
        prefix="p",
        config={"region": "r", "s3Url": "https://s3", "s3ForcePathStyle": "false", "profile": "x"},
        ca_cert=b"CA",
        credentials=b"[default]",
    )


@pytest.mark.parametrize(
    ("flag", "given"),
    [
        ("--prefix", {"prefix": "p"}),
        ("--region", {"region": "r"}),
        ("--s3-url", {"s3_url": "u"}),
        ("--location-config", {"config": {"a": "b"}}),
        ("--ca-cert-file", {"ca_cert_file": Path("ca")}),
        ("--secret-file", {"secret_file": Path("secret")}),
    ],
)
def test_a_setting_of_a_location_needs_its_bucket(flag: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{flag}: it belongs to a location; name its bucket by --bucket"):
        read_location("", **{**_NONE, **given})


def test_a_bucket_has_no_path() -> None:
    with pytest.raises(UsageError, match="--bucket a/b: a bucket's name has no slash; give the path below it by"):
        read_location("a/b", **_NONE)


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--secret-file .*/none: No such file or directory"):
        read_location("b", **{**_NONE, "secret_file": tmp_path / "none"})


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(Location("b", credentials=b"secret"))


@pytest.mark.parametrize(
    "options",
    [
        {"location": Location("b")},
        {"image": "i"},
        {"service_account_annotations": {"a": "b"}},
        {"hooks": AllowedHooks.OFF},
        {"csi_snapshots": False},
        {"job_shards": 2},
        {"job_list_encoding": "json"},
    ],
)
def test_only_the_kinds_means_nothing_else(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--crds-only: nothing but the kinds is applied"):
        InstallOptions(crds_only=True, **options)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0s", "more than 0 is wanted; a longer one looks less often"),
        ("1d", "'1d' is not a duration: days are written as hours, 24h"),
    ],
)
def test_a_frequency_that_the_dispatcher_would_not_take_is_refused_before_it_is_installed(
    text: str, reason: str
) -> None:
    with pytest.raises(UsageError) as raised:
        InstallOptions(garbage_collection_frequency=text)
    assert str(raised.value) == f"--garbage-collection-frequency: {reason}"
