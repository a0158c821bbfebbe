"""The floor's client: knows a response's end and its continue token however the bytes are cut, and keeps no body."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.bench.floor_client import Response, continue_token

_TYPED = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7", "continue": "abc_-="}}


def chunked(body: bytes, sizes: list[int]) -> bytes:
    framed, rest = b"", body
    for size in sizes:
        piece, rest = rest[:size], rest[size:]
        framed += b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b""
    framed += b"%x\r\n%s\r\n" % (len(rest), rest) if rest else b""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def fed(wire: bytes, cuts: list[int]) -> Response:
    response = Response()
    borders = [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
    for begin, end in itertools.pairwise(borders):
        if piece := wire[begin:end]:
            assert not response.is_complete
            response.feed(piece)
    return response


@given(st.lists(st.integers(1, 200), max_size=8), st.lists(st.integers(0, 10_000), max_size=8), st.booleans())
def test_chunked_responses_end_where_they_end(sizes: list[int], cuts: list[int], is_typed: bool) -> None:
    """Custom resources have `metadata` last."""
    items = {"items": [{"metadata": {"name": f"n{number}"}} for number in range(9)]}
    document = {**_TYPED, **items} if is_typed else {**items, **_TYPED}
    wire = chunked(json.dumps(document, separators=(",", ":")).encode(), sizes)
    response = fed(wire, cuts)
    assert (response.is_complete, response.status) == (True, 200)
    assert response.body_bytes == len(wire) - wire.index(b"\r\n\r\n") - 4
    assert continue_token(response.head, response.tail) == "abc_-="


@given(st.lists(st.integers(0, 300), max_size=6))
def test_responses_of_a_stated_length_end_there(cuts: list[int]) -> None:
    wire = b"HTTP/1.1 410 Gone\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    response = fed(wire, cuts)
    assert (response.is_complete, response.status, response.body_bytes) == (True, 410, 5)


@pytest.mark.parametrize("body", [b'{"metadata":{"resourceVersion":"7"}}', b'{"metadata":{"continue":""}}'])
def test_the_last_page_has_no_token(body: bytes) -> None:
    assert continue_token(body, body) == ""


def test_a_body_is_not_kept() -> None:
    response = Response()
    response.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(1000):
        response.feed(b"x" * 4096)
    assert len(response.head) < 32 << 10
    assert len(response.tail) == 8 << 10
