"""Reads `spec.hooks` of a Backup (backup_types.go: BackupHooks); everything that is wrong with it has a sentence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pinnace.errors import UsageError
from pinnace.velero.duration import parse_duration
from pinnace.velero.hooks import ExecHook, ResourceHooks
from pinnace.velero.label_selectors import selector_errors

__all__ = ["check_known_fields", "hook_errors", "resource_hooks"]

_FIELD = "spec.hooks"
_HOOKS = ("resources",)
_ENTRY = (
    "name", "includedNamespaces", "excludedNamespaces", "includedResources", "excludedResources", "labelSelector",
    "pre", "post",
)  # fmt: skip
_HOOK = ("exec",)
_EXEC = ("container", "command", "onError", "timeout")
_ON_ERROR = ("", "Fail", "Continue")


def resource_hooks(hooks: Any) -> tuple[ResourceHooks, ...]:
    """Read the entries in order; None is no hooks. UsageError, naming the field, for what can't be read."""
    entries = _items(_mapping(hooks, _FIELD), "resources", _FIELD)
    return tuple(_entry(entry, f"{_FIELD}.resources[{position}]") for position, entry in enumerate(entries))


def hook_errors(hooks: Any) -> Iterator[str]:
    """Say what keeps the hooks from being run; such a Backup is refused, where Velero fails it when it starts."""
    try:
        entries = resource_hooks(hooks)
    except UsageError as error:
        yield str(error)
        return
    for position, entry in enumerate(entries):
        if entry.label_selector is not None:
            for text in selector_errors(entry.label_selector):
                yield f"{_FIELD}.resources[{position}].labelSelector: {text}"


def check_known_fields(hooks: Any) -> None:
    """UsageError for a field that Velero does not have: a typo must not lose a hook silently."""
    _refuse_unknown(hooks, _HOOKS, _FIELD)
    for position, entry in enumerate(_items(_mapping(hooks, _FIELD), "resources", _FIELD)):
        field = f"{_FIELD}.resources[{position}]"
        _refuse_unknown(entry, _ENTRY, field)
        for phase in ("pre", "post"):
            for number, hook in enumerate(_items(_mapping(entry, field), phase, field)):
                at = f"{field}.{phase}[{number}]"
                _refuse_unknown(hook, _HOOK, at)
                _refuse_unknown(_mapping(hook, at).get("exec"), _EXEC, f"{at}.exec")


def _entry(document: Any, field: str) -> ResourceHooks:
    entry = _mapping(document, field)
    name = _text(entry, "name", field)
    if not name:
        raise UsageError(f"{field}.name: a name is wanted; the log and the results use it")
    selector = entry.get("labelSelector")
    if selector is not None and not isinstance(selector, Mapping):
        raise UsageError(f"{field}.labelSelector: a LabelSelector is wanted, not {selector!r}")
    return ResourceHooks(
        name=name,
        included_namespaces=_texts(entry, "includedNamespaces", field),
        excluded_namespaces=_texts(entry, "excludedNamespaces", field),
        included_resources=_texts(entry, "includedResources", field),
        excluded_resources=_texts(entry, "excludedResources", field),
        label_selector=selector,
        pre=_phase(entry, "pre", field, name=name),
        post=_phase(entry, "post", field, name=name),
    )


def _phase(entry: Mapping[str, Any], phase: str, field: str, *, name: str) -> tuple[ExecHook, ...]:
    return tuple(
        _exec_hook(hook, f"{field}.{phase}[{number}]", name=name)
        for number, hook in enumerate(_items(entry, phase, field))
    )


def _exec_hook(document: Any, field: str, *, name: str) -> ExecHook:
    given = _mapping(document, field).get("exec")
    if given is None:
        raise UsageError(f"{field}.exec: it is wanted; there is no other kind of hook")
    field = f"{field}.exec"
    hook = _mapping(given, field)
    command, on_error = _texts(hook, "command", field), _text(hook, "onError", field)
    if not command:
        raise UsageError(f"{field}.command: a program and its arguments are wanted")
    if on_error not in _ON_ERROR:
        raise UsageError(f"{field}.onError: {on_error!r} is neither Fail nor Continue")
    seconds = parse_duration(_text(hook, "timeout", field) or "0", field=f"{field}.timeout")
    if seconds < 0:
        raise UsageError(f"{field}.timeout: {hook['timeout']!r} is negative")
    container = _text(hook, "container", field)
    return ExecHook(command, container, on_error, seconds, name=name, source="backupSpec")


def _mapping(value: Any, field: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"{field}: a mapping is wanted, not {value!r}")
    return value


def _items(document: Mapping[str, Any], name: str, field: str) -> Sequence[Any]:
    value = document.get(name) or ()
    if not isinstance(value, list | tuple):
        raise UsageError(f"{field}.{name}: a list is wanted, not {value!r}")
    return value


def _texts(document: Mapping[str, Any], name: str, field: str) -> tuple[str, ...]:
    value = _items(document, name, field)
    if not all(isinstance(entry, str) for entry in value):
        raise UsageError(f"{field}.{name}: a list of texts is wanted, not {value!r}")
    return tuple(value)


def _text(document: Mapping[str, Any], name: str, field: str) -> str:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{field}.{name}: a text is wanted, not {value!r}")
    return value or ""


def _refuse_unknown(document: Any, known: Sequence[str], field: str) -> None:
    if unknown := sorted(set(map(str, _mapping(document, field))) - set(known)):
        raise UsageError(f"{field}.{unknown[0]}: no such field of a Backup; known are {', '.join(sorted(known))}")
