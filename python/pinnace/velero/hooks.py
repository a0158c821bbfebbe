"""Which commands a backup runs in a pod, before and after: by its annotations, or else by `spec.hooks`.

Velero's rules: internal/hook/item_hook_handler.go, pkg/podexec/pod_command_executor.go; velero-format.md section 6.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pinnace.errors import UsageError
from pinnace.velero import glob
from pinnace.velero.duration import parse_duration
from pinnace.velero.label_selectors import matches_labels

__all__ = [
    "COMMAND_ANNOTATIONS",
    "ExecHook",
    "Phase",
    "PodHooks",
    "ResourceHooks",
    "container_of",
    "hooks_of",
    "runs_no_hooks",
]

Phase = Literal["pre", "post"]

COMMAND_ANNOTATIONS = (
    "pre.hook.backup.velero.io/command",
    "post.hook.backup.velero.io/command",
    # Without a phase it is a pre hook.
    "hook.backup.velero.io/command",
)
"""The annotations by which a pod asks for a hook; one without a value asks for nothing."""

_PODS = "pods"
_FROM_ANNOTATION = "<from-annotation>"
_DEFAULT_TIMEOUT_SECONDS = 30.0
_ON_ERROR = ("Fail", "Continue")
_PREFIXES: Mapping[Phase, tuple[str, ...]] = {
    "pre": ("pre.hook.backup.velero.io/", "hook.backup.velero.io/"),
    "post": ("post.hook.backup.velero.io/",),
}


@dataclass(frozen=True)
class ExecHook:
    """A command for one container; without `container` the pod's first one, with `timeout_seconds` 0 Velero's 30 s.

    `on_error` is Fail, Continue or "". Unset it is called Fail in logs, but acts as Continue, as in Velero.
    """

    command: tuple[str, ...]
    container: str = ""
    on_error: str = ""
    timeout_seconds: float = 0.0
    name: str = _FROM_ANNOTATION
    source: Literal["annotation", "backupSpec"] = "annotation"

    @property
    def fails_pod(self) -> bool:
        """Tell whether its failure ends the phase, and before the backup of the pod keeps the pod out of it."""
        return self.on_error == "Fail"

    @property
    def logged_on_error(self) -> str:
        """What Velero's log says of `on_error`."""
        return self.on_error or "Fail"

    @property
    def effective_timeout_seconds(self) -> float:
        """The time after which it is given up."""
        return self.timeout_seconds or _DEFAULT_TIMEOUT_SECONDS


@dataclass(frozen=True)
class ResourceHooks:
    """One entry of `spec.hooks.resources`; empty includes are no filter, and without a selector all labels match."""

    name: str
    included_namespaces: tuple[str, ...] = ()
    excluded_namespaces: tuple[str, ...] = ()
    included_resources: tuple[str, ...] = ()
    excluded_resources: tuple[str, ...] = ()
    label_selector: Mapping[str, Any] | None = None
    pre: tuple[ExecHook, ...] = ()
    post: tuple[ExecHook, ...] = ()

    def resolved(self, resolve: Callable[[str], str]) -> "ResourceHooks":
        """The same with names of kinds as group resources; globs, and what nobody serves, are kept as they are."""
        lists = (self.included_resources, self.excluded_resources)
        included, excluded = (
            tuple(name if glob.is_pattern(name) else resolve(name) for name in names) for names in lists
        )
        return replace(self, included_resources=included, excluded_resources=excluded)

    def matches(self, *, namespace: str, labels: Mapping[str, str]) -> bool:
        """Tell whether it is for a pod of that namespace with these labels."""
        return (
            self.may_match(namespace)
            and _includes(_PODS, self.included_resources, self.excluded_resources)
            and (self.label_selector is None or matches_labels(self.label_selector, labels))
        )

    def may_match(self, namespace: str) -> bool:
        """Tell whether it is for pods of that namespace at all, whatever their labels."""
        return _includes(namespace, self.included_namespaces, self.excluded_namespaces)

    def of_phase(self, phase: Phase) -> tuple[ExecHook, ...]:
        """Its commands before or after."""
        return self.pre if phase == "pre" else self.post


@dataclass(frozen=True)
class PodHooks:
    """The commands of one phase in the order in which they run, and what is wrong with the annotations."""

    hooks: tuple[ExecHook, ...] = ()
    warnings: tuple[str, ...] = ()


def hooks_of(pod: Mapping[str, Any], phase: Phase, resource_hooks: Sequence[ResourceHooks]) -> PodHooks:
    """Choose a pod's hooks of one phase: a command in its annotations puts those of the spec aside.

    `resource_hooks` must be resolved. Of the spec every entry that matches counts, in order.
    """
    metadata = pod.get("metadata") or {}
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    for prefix in _PREFIXES[phase]:
        if annotations.get(f"{prefix}command"):
            return _of_annotations(annotations, prefix)
    namespace, labels = str(metadata.get("namespace") or ""), metadata.get("labels") or {}
    matching = (entry for entry in resource_hooks if entry.matches(namespace=namespace, labels=labels))
    return PodHooks(tuple(hook for entry in matching for hook in entry.of_phase(phase)))


def runs_no_hooks(pod: Mapping[str, Any]) -> bool:
    """Tell whether the pod has ended, so that nothing can be run in it; that is no error."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def container_of(pod: Mapping[str, Any], hook: ExecHook) -> str:
    """Name the container that a hook is for; UsageError in Velero's words where the pod has no such one."""
    names = [str(container.get("name")) for container in (pod.get("spec") or {}).get("containers") or ()]
    if not hook.container and names:
        return names[0]
    if hook.container not in names:
        raise UsageError(f"no such container: {json.dumps(hook.container, ensure_ascii=False)}")
    return hook.container


def _of_annotations(annotations: Mapping[str, str], prefix: str) -> PodHooks:
    on_error, timeout = annotations.get(f"{prefix}on-error", ""), annotations.get(f"{prefix}timeout", "")
    warnings: list[str] = []
    seconds = 0.0
    if on_error and on_error not in _ON_ERROR:
        # Velero says nothing of it; it acts as if it were not set.
        warnings.append(f"annotation {prefix}on-error: {on_error!r} is neither Fail nor Continue, and is ignored")
    try:
        seconds = parse_duration(timeout or "0", field=f"annotation {prefix}timeout")
        if seconds < 0:
            raise UsageError(f"annotation {prefix}timeout: {timeout!r} is negative")
    except UsageError as error:
        warnings.append(f"{error}; the hook gets {_DEFAULT_TIMEOUT_SECONDS:.0f}s")
        seconds = 0.0
    hook = ExecHook(
        command=_command(annotations[f"{prefix}command"]),
        container=annotations.get(f"{prefix}container", ""),
        on_error=on_error if on_error in _ON_ERROR else "",
        timeout_seconds=seconds,
    )
    return PodHooks((hook,), tuple(warnings))


def _command(text: str) -> tuple[str, ...]:
    """A JSON array of texts is program and arguments; anything else is a program's name, spaces and all."""
    if text.startswith("["):
        try:
            words = json.loads(text)
        except ValueError:
            return (text,)
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return tuple(words)
    return (text,)


def _includes(name: str, included: Sequence[str], excluded: Sequence[str]) -> bool:
    return not glob.matches(name, excluded) and (not included or glob.matches(name, included))
