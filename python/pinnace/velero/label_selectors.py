"""LabelSelectors: read from kubectl's spelling, written for a list, matched, and checked as the API server would."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pinnace.errors import UsageError

__all__ = ["matches_labels", "parse_selector", "selector_errors", "selector_string"]

_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_CHARACTERS = 63
_DOMAIN_CHARACTERS = 253
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def parse_selector(text: str, *, flag: str) -> dict[str, Any]:
    """Read `a=b,c!=d,e in (f,g),h notin (i),j,!k` into the LabelSelector that Velero stores for it.

    Equalities become `matchLabels`, all others `matchExpressions` sorted by key with sorted values
    (`ParseToLabelSelector`); `!=` is NotIn, as kubectl means it (Velero's own flag refuses it). UsageError naming
    `flag` for anything else.
    """
    labels: dict[str, str] = {}
    expressions: list[dict[str, Any]] = []
    for requirement in _Parser(text, flag=flag).requirements():
        if requirement.operator == "=":
            if labels.setdefault(requirement.key, requirement.values[0]) != requirement.values[0]:
                raise UsageError(f"{flag}: {text!r} gives {requirement.key} two values, which no item can have")
            continue
        expression: dict[str, Any] = {"key": requirement.key, "operator": requirement.operator}
        if requirement.values:
            expression["values"] = sorted(set(requirement.values))
        expressions.append(expression)
    selector: dict[str, Any] = {"matchLabels": labels} if labels else {}
    if expressions:
        selector["matchExpressions"] = sorted(expressions, key=lambda expression: str(expression["key"]))
    if errors := tuple(selector_errors(selector)):
        raise UsageError(f"{flag}: {text!r}: {errors[0]}")
    return selector


def selector_errors(selector: object) -> Iterator[str]:
    """Say all that the API server would refuse in a LabelSelector of a manifest; a sentence each."""
    if not isinstance(selector, Mapping):
        yield f"{selector!r} is not a LabelSelector"
        return
    for unknown in sorted(set(map(str, selector)) - {"matchLabels", "matchExpressions"}):
        yield f"{unknown}: no such field of a LabelSelector"
    labels, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or ()
    if not isinstance(labels, Mapping):
        yield "matchLabels: a mapping is wanted"
    else:
        for key, value in labels.items():
            yield from _key_errors(key)
            yield from _value_errors(key, value)
    if not isinstance(expressions, list | tuple):
        yield "matchExpressions: a list is wanted"
    else:
        for expression in expressions:
            yield from _expression_errors(expression)


def selector_string(selector: Mapping[str, Any]) -> str:
    """Spell a LabelSelector as the `labelSelector` parameter of a list; "" selects everything."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        key, operator = str(expression.get("key")), str(expression.get("operator"))
        values = ",".join(sorted(expression.get("values") or ()))
        spelled = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append({**spelled, "DoesNotExist": f"!{key}"}[operator])
    return ",".join(parts)


def matches_labels(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether labels match, as the API server would; the selector must be without errors."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_matches_expression(expression, labels) for expression in selector.get("matchExpressions") or ())


def _matches_expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or ()
    is_there, is_in = key in labels, labels.get(key) in values
    return bool({"In": is_there and is_in, "NotIn": not is_in, "Exists": is_there}.get(operator, not is_there))


def _expression_errors(expression: object) -> Iterator[str]:
    if not isinstance(expression, Mapping):
        yield f"matchExpressions: {expression!r} is not a mapping"
        return
    key, operator, values = expression.get("key"), expression.get("operator"), expression.get("values") or ()
    yield from _key_errors(key)
    if operator not in _OPERATORS:
        yield f"{key}: operator {operator!r} is not one of {', '.join(_OPERATORS)}"
    elif not isinstance(values, list | tuple):
        yield f"{key}: values: a list is wanted"
    elif operator in ("In", "NotIn") and not values:
        yield f"{key}: operator {operator} needs values"
    elif operator in ("Exists", "DoesNotExist") and values:
        yield f"{key}: operator {operator} takes no values"
    else:
        for value in values:
            yield from _value_errors(key, value)


def _key_errors(key: object) -> Iterator[str]:
    domain, slash, name = key.rpartition("/") if isinstance(key, str) else ("", "", "")
    is_name = bool(_NAME.fullmatch(name)) and len(name) <= _NAME_CHARACTERS
    is_domain = not slash or (bool(_DOMAIN.fullmatch(domain)) and len(domain) <= _DOMAIN_CHARACTERS)
    if not is_name or not is_domain:
        yield f"{key!r} is not a label's key"


def _value_errors(key: object, value: object) -> Iterator[str]:
    if not isinstance(value, str) or (value and not _NAME.fullmatch(value)) or len(value) > _NAME_CHARACTERS:
        yield f"{key}: {value!r} is not a label's value"


@dataclass(frozen=True)
class _Requirement:
    key: str
    operator: str
    values: tuple[str, ...] = ()


class _Parser:
    """Reads kubectl's selectors; the grammar is the API server's (apimachinery's labels/selector.go)."""

    def __init__(self, text: str, *, flag: str) -> None:
        self._text, self._flag = text, flag
        self._tokens = _TOKEN.findall(text)
        self._position = 0

    def requirements(self) -> Iterator[_Requirement]:
        """Give each requirement; they are separated by commas, and there is at least one."""
        yield self._requirement()
        while self._token():
            self._expect(",")
            yield self._requirement()

    def _requirement(self) -> _Requirement:
        if self._token() == "!":
            self._next()
            return _Requirement(self._word("a label's key after !"), "DoesNotExist")
        key = self._word("a label's key")
        match self._token():
            case "=" | "==":
                self._next()
                return _Requirement(key, "=", (self._value(),))
            case "!=":
                self._next()
                return _Requirement(key, "NotIn", (self._value(),))
            case "in" | "notin":
                operator = {"in": "In", "notin": "NotIn"}[self._next()]
                return _Requirement(key, operator, tuple(self._values()))
            case "<" | ">":
                raise self._error("< and > are for nodes only; give the values with in (…)")
        return _Requirement(key, "Exists")

    def _values(self) -> Iterator[str]:
        self._expect("(")
        if self._token() == ")":
            raise self._error("no value is in the parentheses")
        yield self._value()
        while self._token() == ",":
            self._next()
            yield self._value()
        self._expect(")")

    def _value(self) -> str:
        """A word, or nothing before a comma, a parenthesis or the end: labels may be empty."""
        return "" if self._token() in ("", ",", ")") else self._word("a value")

    def _word(self, what: str) -> str:
        token = self._token()
        if not token or token[0] in "=!(),<>":
            raise self._error(f"{what} is wanted, not {token!r}" if token else f"{what} is wanted at its end")
        return self._next()

    def _expect(self, wanted: str) -> None:
        if self._token() != wanted:
            found = repr(self._token()) if self._token() else "its end"
            raise self._error(f"{wanted!r} is wanted, not {found}")
        self._next()

    def _token(self) -> str:
        return str(self._tokens[self._position]) if self._position < len(self._tokens) else ""

    def _next(self) -> str:
        self._position += 1
        return str(self._tokens[self._position - 1])

    def _error(self, reason: str) -> UsageError:
        return UsageError(f"{self._flag}: {self._text!r}: {reason}, as in a=b,c!=d,e in (f,g),h notin (i),j,!k")
