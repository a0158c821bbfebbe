"""Items as Python objects and back, without a digit lost, since an action changes only what it wants to.

A number that Python's or orjson's own types would spell otherwise (beyond 64 bits, `1e400`, `1.50`, `-0`) becomes a
float that knows its text. Such items are rare, and are read by the slower of two parsers.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["read_item", "write_item"]

_UNUSUAL = re.compile(
    rb'(?:":|[\[,])(?:-0|-?[0-9]{19,}|-?[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+))(?=[,}\]])'
)
"""In compact JSON, as the engine hands items out. Within a text it may match for nothing, which costs only time."""

_LEAST, _MOST = -(1 << 63), (1 << 64) - 1
"""What orjson reads and writes as an integer."""


class _Number(float):
    """A number and its text in the item."""

    text: str

    def __new__(cls, text: str) -> "_Number":
        number = super().__new__(cls, text)
        number.text = text
        return number


def read_item(body: bytes) -> dict[str, Any]:
    """Parse one item; ValueError where it can't be, also because it is nested too deeply for Python (1,000 levels)."""
    document: dict[str, Any]
    if _UNUSUAL.search(body) is None:
        document = orjson.loads(body)
        return document
    try:
        document = json.loads(body, parse_int=_integer, parse_float=_Number)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return document


def write_item(document: Mapping[str, Any]) -> bytes:
    """Give the JSON of an item that was read here, and may have been changed since."""
    return orjson.dumps(document, default=_verbatim)


def _integer(text: str) -> int | _Number:
    number = int(text) if len(text) < 21 else _MOST + 1
    return number if _LEAST <= number <= _MOST and text != "-0" else _Number(text)


def _verbatim(value: Any) -> orjson.Fragment:
    if isinstance(value, _Number):
        return orjson.Fragment(value.text)
    raise TypeError(f"an item can't have a {type(value).__name__}")
