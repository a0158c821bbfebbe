"""The hooks of a Backup's spec, as `velero backup describe` says them; what can't be read is said as it stands."""

from collections.abc import Iterator, Mapping
from typing import Any

from pinnace.cli import human

__all__ = ["hook_lines"]


def hook_lines(spec: Mapping[str, Any]) -> Iterator[str]:
    """Give each entry of `spec.hooks.resources` with what it selects and runs."""
    hooks = spec.get("hooks") or {}
    entries = hooks.get("resources") if isinstance(hooks, Mapping) else None
    if not isinstance(entries, list) or not entries:
        yield "Hooks:  <none>"
        return
    yield "Hooks:"
    yield "  Resources:"
    for entry in entries:
        yield from _entry(entry if isinstance(entry, Mapping) else {"name": entry})


def _entry(entry: Mapping[str, Any]) -> Iterator[str]:
    yield f"    {entry.get('name')}:"
    for title, field in (("Namespaces", "Namespaces"), ("Resources", "Resources")):
        yield f"      {title}:"
        yield f"        Included:  {_names(entry.get(f'included{field}'), empty='*')}"
        yield f"        Excluded:  {_names(entry.get(f'excluded{field}'), empty='<none>')}"
        yield ""
    yield f"      Label selector:  {human.selector(entry.get('labelSelector'))}"
    for title, field in (("Pre", "pre"), ("Post", "post")):
        for hook in entry.get(field) or ():
            if isinstance(hook, Mapping) and isinstance(hook.get("exec"), Mapping):
                yield from _exec(title, hook["exec"])


def _exec(title: str, command: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"      {title} Exec Hook:"
    yield f"        Container:  {command.get('container') or '<first>'}"
    yield f"        Command:    {_names(command.get('command'), empty='<none>', between=' ')}"
    yield f"        On Error:   {command.get('onError') or '<none>'}"
    yield f"        Timeout:    {command.get('timeout') or '30s'}"


def _names(names: Any, *, empty: str, between: str = ", ") -> str:
    return between.join(map(str, names)) if isinstance(names, list) and names else empty
