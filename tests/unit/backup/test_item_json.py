"""An item that was read and written again has every number as it stood there."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.backup import item_json
from pinnace.backup.item_json import read_item, write_item

_NUMBERS = (
    "0", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551615",  # those that orjson knows
    "18446744073709551616", "-9223372036854775809", "123456789012345678901234567890", "-0", "-0.0", "1.50", "1e400",
    "-1E-7", "0.1000", "12345678901234567.5",
)  # fmt: skip


@pytest.mark.parametrize("number", _NUMBERS)
@pytest.mark.parametrize("body", ['{"a":%s,"z":"x:1.2,3"}', '{"a":[%s]}', '{"a":[1,%s,"b"]}', '{"b":{"c":%s}}'])
def test_numbers_are_kept_as_they_stand(number: str, body: str) -> None:
    text = (body % number).encode()
    document = read_item(text)
    assert write_item(document) == text
    assert write_item(copy.deepcopy(document)) == text


def test_beside_what_was_changed() -> None:
    document = read_item(b'{"big":123456789012345678901234567890,"gone":1,"labels":{"a":"b"},"share":0.10}')
    del document["gone"]
    document["labels"]["velero.io/backup-name"] = "b"
    assert document["big"] > 1e29
    assert write_item(document) == (
        b'{"big":123456789012345678901234567890,"labels":{"a":"b","velero.io/backup-name":"b"},"share":0.10}'
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), _JSON))
def test_any_document_comes_back(document: dict[str, object]) -> None:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    assert json.loads(write_item(read_item(text)), parse_float=str, parse_int=str) == json.loads(
        text, parse_float=str, parse_int=str
    )


def test_an_ordinary_item_is_read_by_the_fast_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_json, "json", None)
    assert read_item(b'{"image":"nginx:1.25","size":"1.5Gi","port":80,"ids":[1,2]}')["port"] == 80


@pytest.mark.parametrize("number", ["1", "1.5"])
def test_what_is_nested_too_deeply_is_an_error_that_says_so(number: str) -> None:
    body = b'{"a":' * 2000 + number.encode() + b"}" * 2000
    with pytest.raises(ValueError, match=r"nested too deeply|depth limit exceeded|recursion"):
        read_item(body)


def test_what_is_no_json_can_not_be_put_into_an_item() -> None:
    with pytest.raises(TypeError):
        write_item({"a": object()})
