"""A URL names a store; what can't be one is a usage error that repeats nothing of it."""

from pathlib import Path

import pytest

from pinnace.errors import UsageError
from pinnace.store.open import open_store


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("file:///srv/back%20ups", "folder /srv/back ups"),
        ("file://localhost/srv", "folder /srv"),
        ("/srv/backups", "folder /srv/backups"),
        ("backups", f"folder {Path.cwd()}/backups"),
        ("s3://b?region=eu-1", "bucket b"),
        ("s3://b/p%20q/r/?region=eu-1", "bucket b prefix p q/r"),
    ],
)
def test_a_url_names_a_store(url: str, location: str) -> None:
    assert open_store(url).location == location


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "no store: give --store or PINNACE_STORE"),
        ("gs://b/hush", "gs is not a kind of store"),
        ("s3:///hush", "no bucket"),
        ("s3://[hush", "not a URL"),
        ("s3://AKIA:hush@b", "credentials in it are not used"),
        ("s3://b?region=a&region=hush", "an option is given twice"),
        ("s3://b?region=a#hush", "write # as %23"),
        ("s3://b?s3Url=https://me:hush@s3.example", "store option s3Url: credentials in it are not used"),
        ("s3://b?s3Url=hush", "store option s3Url: not a URL"),
        ("file://srv/hush", "an absolute path with three slashes"),
        ("file:///srv?hush", "a folder has no options"),
    ],
)
def test_what_names_none_is_refused_and_not_repeated(url: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_store(url)
    assert sentence in str(refused.value)
    assert "hush" not in str(refused.value)
