"""A line of a backup's log as logrus' TextFormatter writes it (velero-format.md section 7)."""

import re
from collections.abc import Mapping
from datetime import datetime

from pinnace.velero.timestamps import timestamp

__all__ = ["log_line"]

_BARE = re.compile(r"[A-Za-z0-9\-._/@^+]*")
_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", '"': '\\"', "\\": "\\\\",
}  # fmt: skip
_OWN_KEYS = ("time", "level", "msg")


def log_line(time: datetime, level: str, message: str, fields: Mapping[str, str | int]) -> str:
    """One line as logrus' TextFormatter writes it: time, level and msg, then the fields sorted; newline included.

    A field that is called like one of the first three gets the prefix `fields.`, as there.
    """
    named = {f"fields.{key}" if key in _OWN_KEYS else key: str(value) for key, value in fields.items()}
    pairs = {"time": timestamp(time), "level": level, "msg": message, **dict(sorted(named.items()))}
    return " ".join(f"{key}={_quoted(value)}" for key, value in pairs.items()) + "\n"


def _quoted(value: str) -> str:
    """Quote as logrus does: only where another character than these is in it, and then as Go's %q."""
    if _BARE.fullmatch(value):
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    if character.isprintable():
        return character
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
