"""The tar reader agrees with Python's, and what is no tar names the byte."""

import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.archive.gzip_stream import GzipStream
from pinnace.archive.tar_stream import tar_entries
from pinnace.errors import MalformedObjectError
from unit.backup.small_backup import GOLDEN

_PATHS = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=150)


def stream_of(tar: bytes) -> GzipStream:
    return GzipStream(iter([gzip.compress(tar)]), location="folder /b", key="b.tar.gz")


def tar_of(files: dict[str, bytes], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for path, body in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(body), 0o755
            tar.addfile(entry, io.BytesIO(body))
    return buffer.getvalue()


@given(st.dictionaries(st.lists(_PATHS, min_size=1, max_size=3).map("/".join), st.binary(max_size=1100), max_size=4))
def test_what_python_writes_is_read(files: dict[str, bytes]) -> None:
    read = {entry.path: (entry.mode, entry.body) for entry in tar_entries(stream_of(tar_of(files)))}
    assert read == {path: (0o755, body) for path, body in files.items()}


def test_what_velero_wrote_is_read_as_python_reads_it() -> None:
    for path in (GOLDEN / "bucket/backups").glob("*/*.tar.gz"):
        with tarfile.open(path) as tar:
            wanted = [(entry.name, entry.mode, tar.extractfile(entry).read()) for entry in tar]  # type: ignore[union-attr]
        stream = GzipStream(iter([path.read_bytes()]), location="l", key="k")
        entries = list(tar_entries(stream))
        assert [(entry.path, entry.mode, entry.body) for entry in entries] == wanted
        plain = gzip.decompress(path.read_bytes())
        assert all(plain[entry.plain_offset :].startswith(entry.body) for entry in entries)


def test_folders_and_links_are_passed_over_and_other_types_are_refused() -> None:
    tar = bytearray(tar_of({"a": b"1", "b": b""}, form=tarfile.USTAR_FORMAT))
    for type_flag, outcome in ((b"5", ["a"]), (b"2", ["a"])):
        assert [entry.path for entry in tar_entries(stream_of(with_type(tar, type_flag)))] == outcome
    with pytest.raises(MalformedObjectError, match=r"folder /b: b\.tar\.gz: tar entry b has the unknown type b'S'"):
        list(tar_entries(stream_of(with_type(tar, b"S"))))


def with_type(tar: bytearray, type_flag: bytes) -> bytes:
    """The same tar, its second entry of another type."""
    header = bytearray(tar[1024:1536])
    header[156:157] = type_flag
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(tar[:1024] + header + tar[1536:])


def numbered(tar: bytes, *, size: bytes) -> bytes:
    header = bytearray(tar[:512])
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + tar[512:]


_ONE = tar_of({"a": b"1"}, form=tarfile.USTAR_FORMAT)
_PAX = tar_of({"ä": b"1"})


@pytest.mark.parametrize(
    ("tar", "reason"),
    [
        (b"", "the tar ends early, at byte 0 of it"),
        (_ONE[:700], "the tar ends in the middle of an entry"),
        (numbered(_ONE, size=b"77777777777\0"), "a tar entry at byte 512 of the tar has 8,589,934,591 bytes"),
        (numbered(_ONE, size=b"0000000000x\0"), "the tar header before byte 512 of the tar holds b'0000000000x"),
        (_PAX.replace(b"path=", b"path:"), "a PAX record before byte 1024 of the tar is malformed"),
        (_PAX.replace("ä".encode(), b"\xff\xff"), "a PAX record of the tar is not UTF-8"),
    ],
)
def test_what_is_no_tar_is_named(tar: bytes, reason: str) -> None:
    with pytest.raises(MalformedObjectError) as raised:
        list(tar_entries(stream_of(tar)))
    assert str(raised.value).startswith(f"folder /b: b.tar.gz: {reason}")
