"""The resource list is read as a stream, as a JSON reader would read it; bags of names are compared by two numbers."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.archive.gzip_stream import GzipStream
from pinnace.backup.resource_list import first_differences, listed_names, name_sums
from pinnace.errors import MalformedObjectError


def stream_of(body: bytes, *, chunk_bytes: int = 1 << 20) -> GzipStream:
    body = gzip.compress(body)
    chunks = (body[at : at + chunk_bytes] for at in range(0, len(body), chunk_bytes))
    return GzipStream(chunks, location="folder /b", key="list.gz")


@given(
    document=st.dictionaries(st.text(max_size=9), st.none() | st.lists(st.text(max_size=9), max_size=4), max_size=4),
    indent=st.none() | st.just(1),
    ascii_only=st.booleans(),
    chunk_bytes=st.integers(1, 30),
)
def test_a_list_is_read_as_a_json_reader_reads_it(
    document: dict[str, list[str] | None], indent: int | None, ascii_only: bool, chunk_bytes: int
) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    read = list(listed_names(stream_of(body, chunk_bytes=chunk_bytes)))
    assert read == [(kind, name) for kind, names in document.items() for name in names or ()]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[]", "it is no JSON object of lists"),
        (b"", "it is no JSON object of lists"),
        (b'{"a"["b"]}', ": is missing"),
        (b'{"a":"b"}', "a kind has no list of names"),
        (b'{"a":["b" "c"]}', "a comma is missing between two names"),
        (b'{"a":["b",]}', "a name is wanted where there is none"),
        (b'{"a":["b"]"c":[]}', "a comma is missing between two kinds"),
        (b'{"a":["b"],}', "a name is wanted where there is none"),
        (b'{"a":[1]}', "a name is wanted where there is none"),
        (b'{"a":["\\x"]}', "a name is wanted where there is none"),
        (b'{"a":["b', "it ends early"),
        (b'{"a":["b"]', "a comma is missing between two kinds"),
        (b'{"a":nul', "it ends early"),
        (b'{"a":[]}x', "something follows its end"),
        (b'{"a":["' + b"x" * (2 << 20), "a name has no end"),
    ],
)
def test_what_is_no_resource_list_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedObjectError) as raised:
        list(listed_names(stream_of(body)))
    assert str(raised.value) == f"folder /b: list.gz: {reason}"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("wxyz"))))
def test_the_sums_of_the_same_names_in_any_order_are_equal_and_of_others_not(names: list[tuple[str, str]]) -> None:
    assert name_sums(sorted(names)) == name_sums(names)
    assert name_sums([*names, ("a", "x")]) != name_sums(names)
    assert name_sums([*names, ("a", "x")]) != name_sums([*names, ("a", "y")])


@pytest.mark.parametrize(
    ("listed", "archived", "differences"),
    [
        (["a"], ["a"], ("", "")),
        (["a", "b"], ["b"], ("", "a")),
        (["b"], ["a", "b"], ("a", "")),
        (["a", "x"], ["b", "c", "x"], ("b", "a")),
        (["a"], ["a", "a"], ("a", "")),
    ],
)
def test_the_first_names_that_only_one_side_has_are_found(
    listed: list[str], archived: list[str], differences: tuple[str, str]
) -> None:
    assert first_differences(listed, archived) == differences
