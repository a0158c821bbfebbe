"""A gzipped object is read as it comes, whatever its members and chunks; what is no gzip names key and byte."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.archive.gzip_stream import GzipStream, Member
from pinnace.errors import MalformedObjectError


def stream_of(body: bytes, *, chunk_bytes: int = 1 << 20) -> GzipStream:
    chunks: Iterator[bytes] = (body[at : at + chunk_bytes] for at in range(0, len(body), chunk_bytes))
    return GzipStream(chunks, location="folder /b", key="k.gz")


@given(
    parts=st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    chunk_bytes=st.integers(1, 40),
    counts=st.lists(st.integers(1, 100), min_size=1, max_size=5),
)
def test_any_members_in_any_chunks_are_read_in_any_steps(
    parts: list[bytes], chunk_bytes: int, counts: list[int]
) -> None:
    members = [gzip.compress(part) for part in parts]
    stream = stream_of(b"".join(members), chunk_bytes=chunk_bytes)
    read = b"".join(stream.read(count) for count in counts)
    assert read + b"".join(stream.pieces()) == b"".join(parts)
    assert stream.position == sum(map(len, parts))
    assert (stream.compressed_bytes, stream.sha256) == (
        sum(map(len, members)),
        hashlib.sha256(b"".join(members)).hexdigest(),
    )
    offset = plain_offset = 0
    expected = []
    for part, member in zip(parts, members, strict=True):
        expected.append(Member(offset, len(member), plain_offset))
        offset, plain_offset = offset + len(member), plain_offset + len(part)
    assert stream.ended_members == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (b"no gzip", "the gzip member at byte 0 is damaged: "),
        (gzip.compress(b"x" * 99, mtime=0)[:-1], "the gzip member at byte 0 ends early"),
        (gzip.compress(b"", mtime=0) + b"rest", "the gzip member at byte 20 is damaged: "),
        (gzip.compress(b"a", mtime=0)[:-8] + b"\0" * 8, "the gzip member at byte 0 is damaged: "),
    ],
)
def test_what_is_no_gzip_names_the_object_and_the_byte(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedObjectError) as raised:
        list(stream_of(body).pieces())
    assert str(raised.value).startswith(f"folder /b: k.gz: {reason}")
    assert (raised.value.key, raised.value.exit_code) == ("k.gz", 5)


def test_a_gigabyte_of_zeros_in_a_few_bytes_is_read_in_small_pieces() -> None:
    deflate = zlib.compressobj(wbits=31)
    bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(64)) + deflate.flush()
    assert len(bomb) < 100_000
    assert {len(piece) for piece in stream_of(bomb).pieces()} == {1 << 20}


def test_lines_come_whole_and_a_cut_or_endless_one_is_refused() -> None:
    assert list(stream_of(gzip.compress(b"a\nb\n"), chunk_bytes=3).lines(longest_bytes=9)) == [b"a", b"b"]
    with pytest.raises(MalformedObjectError, match="its last line has no end"):
        list(stream_of(gzip.compress(b"a\nb")).lines(longest_bytes=9))
    with pytest.raises(MalformedObjectError, match="a line is longer than 9 bytes"):
        list(stream_of(gzip.compress(b"0123456789")).lines(longest_bytes=9))
