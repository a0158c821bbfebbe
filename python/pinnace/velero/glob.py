"""The globs of Velero's filters (gobwas/glob without separators): `*`, `?`, `[a-c]`, `[!a-c]`, `{a,b}`, `\\*`."""

import functools
import re
from collections.abc import Iterable

__all__ = ["is_pattern", "matches"]

_MARKS = "*?["
_CLASS = re.compile(r"\[(!?)([^\]]+)\]")


def is_pattern(text: str) -> bool:
    """Tell whether Velero 1.18 expands this name of a namespace; all others are taken literally."""
    return any(mark in text for mark in _MARKS)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether the whole name matches one of the patterns; one that is no glob matches nothing."""
    return any(regex.fullmatch(name) for pattern in patterns if (regex := _compiled(pattern)) is not None)


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    parts: list[str] = []
    position = depth = 0
    while position < len(pattern):
        character, length = pattern[position], 1
        if character == "[":
            found = _CLASS.match(pattern, position)
            if found is None:
                return None
            parts.append(_character_class(negated=bool(found[1]), characters=found[2]))
            length = len(found[0])
        elif character == "\\" and position + 1 < len(pattern):
            parts.append(re.escape(pattern[position + 1]))
            length = 2
        elif character in "{}," and (character == "{" or depth):
            parts.append({"{": "(?:", "}": ")", ",": "|"}[character])
            depth += {"{": 1, "}": -1, ",": 0}[character]
        else:
            parts.append({"*": ".*", "?": "."}.get(character, re.escape(character)))
        position += length
    if depth:
        return None
    return re.compile("".join(parts), re.DOTALL)


def _character_class(*, negated: bool, characters: str) -> str:
    escaped = re.sub(r"([\\\]\[^&~|])", r"\\\1", characters)
    return f"[{'^' if negated else ''}{escaped}]"
