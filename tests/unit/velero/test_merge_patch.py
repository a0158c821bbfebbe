"""A merge patch holds what differs, and applied as RFC 7386 says it gives the other document."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnace.velero.merge_patch import merge_patch

_SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)
_KEYS = st.sampled_from(["a", "b", "c"])


def without_nulls(value: Any) -> Any:
    """What a merge patch can make: no object has a null member; lists may hold what they like."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=12
)
_DOCUMENTS = st.dictionaries(_KEYS, _VALUES, max_size=3)


def applied(target: Any, patch: Any) -> Any:
    """The algorithm of RFC 7386, section 2, word by word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = applied(result.get(name), value)
    return result


def typed(value: Any) -> Any:
    """The same with the type beside each scalar, because Python takes True for 1."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    return [typed(inner) for inner in value] if isinstance(value, list) else (type(value), value)


@given(before=_DOCUMENTS, after=_DOCUMENTS.map(without_nulls))
def test_a_patch_applied_to_what_was_gives_what_is_to_be(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert typed(applied(before, merge_patch(before, after))) == typed(after)


@given(_DOCUMENTS.map(without_nulls))
def test_nothing_is_patched_where_nothing_differs(document: dict[str, Any]) -> None:
    assert merge_patch(document, document) == {}


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
        ({"a": 1}, {}, {"a": None}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": [1]}, {"a": [True]}, {"a": [True]}),
        ({"a": [1, 2]}, {"a": [2]}, {"a": [2]}),
        ({"a": [{"x": 1, "y": 2}]}, {"a": [{"x": 1}]}, {"a": [{"x": 1}]}),
        ({"s": {"a": 1, "b": 2}}, {"s": {"a": 1, "c": 3}}, {"s": {"b": None, "c": 3}}),
        ({"s": 1}, {"s": {"a": {"b": None}}}, {"s": {"a": {}}}),
        ({}, {"hooks": {}}, {"hooks": {}}),
        ({"status": {"phase": "New"}}, {"status": {"phase": "Queued"}}, {"status": {"phase": "Queued"}}),
    ],
)
def test_only_what_differs_is_in_a_patch_and_lists_are_whole(
    before: dict[str, Any], after: dict[str, Any], patch: dict[str, Any]
) -> None:
    assert typed(merge_patch(before, after)) == typed(patch)
