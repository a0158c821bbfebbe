"""Selectors are read as kubectl reads them and stored as Velero stores them."""

from typing import Any

import pytest

from pinnace.errors import UsageError
from pinnace.velero.label_selectors import matches_labels, parse_selector, selector_errors, selector_string


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("text", "selector", "spelled"),
    [
        ("a=b", {"matchLabels": {"a": "b"}}, "a=b"),
        (" a == b , c=d ", {"matchLabels": {"a": "b", "c": "d"}}, "a=b,c=d"),
        ("a=b,a=b", {"matchLabels": {"a": "b"}}, "a=b"),
        ("a=", {"matchLabels": {"a": ""}}, "a="),
        ("a!=b", {"matchExpressions": [expression("a", "NotIn", "b")]}, "a notin (b)"),
        ("a in (c,b, c)", {"matchExpressions": [expression("a", "In", "b", "c")]}, "a in (b,c)"),
        ("a notin(b)", {"matchExpressions": [expression("a", "NotIn", "b")]}, "a notin (b)"),
        ("a", {"matchExpressions": [expression("a", "Exists")]}, "a"),
        ("! a", {"matchExpressions": [expression("a", "DoesNotExist")]}, "!a"),
        (
            "z,app.kubernetes.io/name in (x,y),!b,c=d",
            {
                "matchLabels": {"c": "d"},
                "matchExpressions": [
                    expression("app.kubernetes.io/name", "In", "x", "y"),
                    expression("b", "DoesNotExist"),
                    expression("z", "Exists"),
                ],
            },
            "c=d,app.kubernetes.io/name in (x,y),!b,z",
        ),
    ],
)
def test_a_selector_is_read_stored_and_spelled_for_the_server(
    text: str, selector: dict[str, Any], spelled: str
) -> None:
    assert parse_selector(text, flag="--selector") == selector
    assert selector_string(selector) == spelled
    assert parse_selector(spelled, flag="--selector") == selector


_EXAMPLE = ", as in a=b,c!=d,e in (f,g),h notin (i),j,!k"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", f"a label's key is wanted at its end{_EXAMPLE}"),
        ("=b", f"a label's key is wanted, not '='{_EXAMPLE}"),
        ("a=b,", f"a label's key is wanted at its end{_EXAMPLE}"),
        ("a b", f"',' is wanted, not 'b'{_EXAMPLE}"),
        ("!", f"a label's key after ! is wanted at its end{_EXAMPLE}"),
        ("a=(b)", f"a value is wanted, not '('{_EXAMPLE}"),
        ("a in b", f"'(' is wanted, not 'b'{_EXAMPLE}"),
        ("a in", f"'(' is wanted, not its end{_EXAMPLE}"),
        ("a in (b", f"')' is wanted, not its end{_EXAMPLE}"),
        ("a in ()", f"no value is in the parentheses{_EXAMPLE}"),
        ("a>1", f"< and > are for nodes only; give the values with in (…){_EXAMPLE}"),
        ("a=b,a=c", " gives a two values, which no item can have"),
        ("-a=b", "'-a' is not a label's key"),
        ("a/b/c=d", "'a/b/c' is not a label's key"),
        ("a=b_", "a: 'b_' is not a label's value"),
    ],
)
def test_a_selector_that_is_not_understood_is_refused_with_the_place(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_selector(text, flag="--selector")
    separator = "" if reason.startswith(" ") else ": "
    assert str(raised.value) == f"--selector: {text!r}{separator}{reason}"


@pytest.mark.parametrize(
    ("selector", "errors"),
    [
        ({}, []),
        ({"matchLabels": {"a": ""}, "matchExpressions": None}, []),
        ("a=b", ["'a=b' is not a LabelSelector"]),
        ({"matchLabel": {}}, ["matchLabel: no such field of a LabelSelector"]),
        ({"matchLabels": ["a"]}, ["matchLabels: a mapping is wanted"]),
        ({"matchLabels": {"a": 1}}, ["a: 1 is not a label's value"]),
        ({"matchLabels": {1: "a"}}, ["1 is not a label's key"]),
        ({"matchLabels": {"X_.io/a": "b"}}, ["'X_.io/a' is not a label's key"]),
        ({"matchLabels": {"a": "b" * 64}}, [f"a: '{'b' * 64}' is not a label's value"]),
        ({"matchExpressions": {"key": "a"}}, ["matchExpressions: a list is wanted"]),
        ({"matchExpressions": ["a"]}, ["matchExpressions: 'a' is not a mapping"]),
        ({"matchExpressions": [expression("a", "In")]}, ["a: operator In needs values"]),
        ({"matchExpressions": [expression("a", "NotIn")]}, ["a: operator NotIn needs values"]),
        ({"matchExpressions": [expression("a", "Exists", "b")]}, ["a: operator Exists takes no values"]),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": "bc"}]}, ["a: values: a list is wanted"]),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": [1]}]}, ["a: 1 is not a label's value"]),
        (
            {"matchExpressions": [{"operator": "Gt", "values": ["1"]}]},
            ["None is not a label's key", "None: operator 'Gt' is not one of In, NotIn, Exists, DoesNotExist"],
        ),
    ],
)
def test_each_error_of_a_manifests_selector_is_a_sentence(selector: object, errors: list[str]) -> None:
    assert list(selector_errors(selector)) == errors


@pytest.mark.parametrize(
    ("text", "labels", "does"),
    [
        ("a=1,c in (x,y),!d", {"a": "1", "c": "x"}, True),
        ("a=1,c in (x,y),!d", {"a": "1", "c": "x", "d": ""}, False),
        ("a=1", {"a": "2"}, False),
        ("a=", {}, False),
        ("a in (x)", {}, False),
        ("a!=x", {}, True),
        ("a!=x", {"a": "x"}, False),
        ("a", {"a": ""}, True),
        ("a", {}, False),
    ],
)
def test_labels_match_as_the_server_matches_them(text: str, labels: dict[str, str], does: bool) -> None:
    assert matches_labels(parse_selector(text, flag="--selector"), labels) is does
