"""When a list is asked for before its turn."""

from typing import Any

import pytest

from pinnace.collect.read_ahead import may_open

_MIB = 1 << 20
_OPEN = {"in_flight": 1, "allowed": 2, "wait_seconds": 1.0, "ahead_bytes": 0.0, "page_bytes": 1.0, "is_next": False}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"in_flight": 2}, False),
        ({"in_flight": 5, "allowed": 6}, True),
        ({"wait_seconds": 10.5}, False),
        ({"ahead_bytes": 15.0 * _MIB, "page_bytes": 2.0 * _MIB}, False),
        ({"ahead_bytes": 15.0 * _MIB, "page_bytes": 1.0 * _MIB}, True),
        ({"page_bytes": 500.0 * _MIB}, False),
        ({"page_bytes": 500.0 * _MIB, "is_next": True}, True),
        ({"page_bytes": 500.0 * _MIB, "is_next": True, "wait_seconds": 10.5}, False),
    ],
)
def test_a_list_is_asked_for_when_its_turn_is_near_and_its_bytes_have_room(
    changed: dict[str, Any], expected: bool
) -> None:
    assert may_open(**{**_OPEN, **changed}) is expected
