"""A gzipped JSON array is read one object at a time, and what is no such array is named."""

import gzip
import json
from typing import Any

import pytest

from pinnace.archive import json_array
from pinnace.archive.gzip_stream import GzipStream
from pinnace.archive.json_array import array_elements
from pinnace.errors import MalformedObjectError


def elements(body: bytes, *, chunk_bytes: int = 1 << 20) -> list[Any]:
    zipped = gzip.compress(body)
    chunks = (zipped[at : at + chunk_bytes] for at in range(0, len(zipped), chunk_bytes))
    return list(array_elements(GzipStream(chunks, location="s3://b", key="k")))


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"null\n", []),
        (b" [] \n", []),
        (b'[{"a":1}]\n', [{"a": 1}]),
        (b'[\n {"a": "]},{"} , {"b":{"c":[1,2]}} ]', [{"a": "]},{"}, {"b": {"c": [1, 2]}}]),
        ('[{"größe":"ü\\u003c"}]'.encode(), [{"größe": "ü<"}]),
    ],
)
def test_an_array_of_objects_or_null_is_read(body: bytes, wanted: list[Any]) -> None:
    assert elements(body) == wanted


@pytest.mark.parametrize("piece_bytes", [1, 7, 64 << 10])
def test_objects_may_be_cut_anywhere_also_in_a_character(monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    monkeypatch.setattr(json_array, "_PIECE_BYTES", piece_bytes)
    wanted = [{"name": f"ü-{number}", "text": "x" * number} for number in range(300)]
    assert elements(json.dumps(wanted, ensure_ascii=False).encode()) == wanted


def test_what_is_held_does_not_grow_with_the_list() -> None:
    """Half of a list is taken while the stream was read no further than a piece beyond it."""
    body = json.dumps([{"text": "x" * 1000}] * 5000).encode()
    stream = GzipStream(iter([gzip.compress(body)]), location="s3://b", key="k")
    taken = array_elements(stream)
    for _ in range(2500):
        next(taken)
    assert stream.position < len(body) / 2 + (128 << 10)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is no list of objects: [ is wanted before ''"),
        (b"{}", "it is no list of objects: [ is wanted before '{}'"),
        (b"nil", "it is no list of objects: u is wanted before 'il'"),
        (b"[1]", "it is no list of objects"),
        (b'[{"a":1},', "it is no list of objects"),
        (b'[{"a":1}', "it is no list of objects: ] is wanted before ''"),
        (b'[{"a":1}{', "it is no list of objects: ] is wanted before '{'"),
        (b'[{"a":1', "it is no JSON: Expecting ',' delimiter"),
        (b'[{"a":1}] x', "something follows its list"),
        (b'[{"a":"\xff"}]', "it is no UTF-8"),
        (b'[{"a":' + b"[" * 200_000, "an object of its list is nested too deeply"),
    ],
)
def test_what_is_no_array_of_objects_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedObjectError) as raised:
        elements(body)
    assert str(raised.value) == f"s3://b: k: {reason}"


def test_an_object_that_no_api_server_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "_LARGEST_ELEMENT_CHARACTERS", 100_000)
    with pytest.raises(MalformedObjectError, match="is longer than 100,000 characters"):
        elements(b'[{"a":"' + b"x" * 1_000_000)
