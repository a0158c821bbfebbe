"""Protobuf with a field that nobody knows ends that encoding of its kind, and not the list: JSON goes on."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from faults.collecting import LARGER_THAN_A_CHUNK, collect, page
from faults.list_server import Answer
from pinnace.collect.list_encoding import PROTOBUF_CONTENT_TYPE, Encodings

_UNKNOWN_FIELD = b"\xf8\x06\x01"
"""Number 111, which a ConfigMap of no known version has."""


def _length(body: bytes) -> bytes:
    count, encoded = len(body), bytearray()
    while count >= 128:
        encoded.append(count & 127 | 128)
        count >>= 7
    return bytes([*encoded, count]) + body


def _field(number: int, body: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _length(body)


def _item(name: str, *, value_bytes: int, more: bytes = b"") -> bytes:
    metadata = _field(1, name.encode()) + _field(3, b"n") + _field(5, f"u-{name}".encode())
    data = _field(2, _field(1, b"k") + _field(2, b"v" * value_bytes)) if value_bytes else b""
    return _field(1, metadata) + data + more


def _envelope(items: Sequence[bytes]) -> bytes:
    listed = _field(1, _field(2, b"7")) + b"".join(_field(2, item) for item in items)
    return b"k8s\0" + _field(1, _field(1, b"v1") + _field(2, b"ConfigMapList")) + _field(2, listed)


def _protobuf(*items: bytes) -> Answer:
    return Answer(_envelope(items), headers={"Content-Type": PROTOBUF_CONTENT_TYPE})


def _encodings() -> Encodings:
    return Encodings("protobuf", server="1.35")


def test_a_list_of_protobuf_is_archived(tmp_path: Path) -> None:
    answer = _protobuf(_item("a", value_bytes=3), _item("b", value_bytes=0))
    collected = collect([answer], folder=tmp_path, encodings=_encodings())
    assert (collected.names, collected.result.encodings, collected.result.error) == (["a", "b"], ["protobuf"], "")
    assert collected.asked.headers[0]["Accept"] == f"{PROTOBUF_CONTENT_TYPE}, application/json"


def test_a_server_that_answers_in_json_is_read_as_json(tmp_path: Path) -> None:
    answer = Answer(page(["a", "b"]), headers={"Content-Type": "application/json"})
    collected = collect([answer], folder=tmp_path, encodings=_encodings())
    assert (collected.names, collected.result.encodings) == (["a", "b"], ["json"])


@pytest.mark.parametrize("value_bytes", [0, LARGER_THAN_A_CHUNK], ids=["one_chunk", "several_chunks"])
def test_an_unknown_field_in_a_later_item_goes_on_as_json_with_the_next_item(tmp_path: Path, value_bytes: int) -> None:
    items = [_item(name, value_bytes=value_bytes) for name in "ab"]
    broken = _protobuf(*items, _item("c", value_bytes=0, more=_UNKNOWN_FIELD))
    whole = Answer(page(["a", "b", "c", "d"]), headers={"Content-Type": "application/json"})
    collected = collect([broken, whole], folder=tmp_path, client_page_size=0, encodings=_encodings())
    assert collected.names == ["a", "b", "c", "d"]
    assert (collected.result.encodings, collected.result.error, collected.pauses) == (["protobuf", "json"], "", [])
    assert "core/v1.ConfigMap has a field 111" in collected.result.protobuf_error
    assert [headers["Accept"] for headers in collected.asked.headers] == [
        f"{PROTOBUF_CONTENT_TYPE}, application/json",
        "application/json",
    ]


def test_an_unknown_field_in_the_first_item_leaves_a_list_of_json_alone(tmp_path: Path) -> None:
    broken = _protobuf(_item("a", value_bytes=0, more=_UNKNOWN_FIELD))
    whole = Answer(page(["a", "b"]), headers={"Content-Type": "application/json"})
    collected = collect([broken, whole], folder=tmp_path, encodings=_encodings())
    assert (collected.names, collected.result.encodings) == (["a", "b"], ["json"])
    assert collected.result.item_count == 2


def test_protobuf_that_breaks_off_is_asked_for_again_as_protobuf(tmp_path: Path) -> None:
    items = [_item(name, value_bytes=LARGER_THAN_A_CHUNK) for name in "abc"]
    whole = _protobuf(*items)
    cut = Answer(whole.body, headers=whole.headers, cut_after=len(_envelope(items[:2])) + 100)
    collected = collect([cut, whole], folder=tmp_path, client_page_size=0, encodings=_encodings())
    assert (collected.names, collected.result.encodings) == (["a", "b", "c"], ["protobuf"])
