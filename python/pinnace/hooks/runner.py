"""Runs the hooks of one pod after the other; every failure is in the results, and `onError` decides what it costs.

Log lines and effects are Velero's (velero-format.md sections 5 to 7): 1.18's where versions differ.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol

from pinnace.engine import NOTHING_HELD, Hold
from pinnace.errors import ExecError, InterruptedRun, PinnaceError, UsageError
from pinnace.hooks.allowed import AllowedHooks
from pinnace.kube.exec import Output
from pinnace.velero import glob
from pinnace.velero.duration import format_duration
from pinnace.velero.hooks import (
    COMMAND_ANNOTATIONS,
    ExecHook,
    Phase,
    ResourceHooks,
    container_of,
    hooks_of,
    runs_no_hooks,
)
from pinnace.velero.results import Results

__all__ = ["Execute", "HookRunner", "Log"]

_PODS = "pods"
_LAST_SECONDS = 3.0
"""For a post hook of a run that was told to stop, and has 10 s for all that it does then."""


class Log(Protocol):
    """The backup's log, as far as hooks write into it themselves; failures come there by the results."""

    def info(self, message: str, **fields: str | int) -> None:
        """Write a line."""


class Execute(Protocol):
    """`kube.exec.execute` with its client."""

    def __call__(
        self, *, namespace: str, pod: str, container: str, command: Sequence[str], timeout_seconds: float
    ) -> Output:
        """Run a command to its end; PinnaceError where that was not a good one."""


class HookRunner:
    """The hooks of a run; counts what it attempted and what failed, for `status.hookStatus`.

    `resource_hooks` are resolved entries of `spec.hooks`. Hooks that are not `allowed` are errors and are not run, and
    nothing is run in their place; the pod is stored.
    """

    def __init__(self, execute: Execute, *, resource_hooks: Sequence[ResourceHooks], allowed: AllowedHooks) -> None:
        self._execute = execute
        self._resource_hooks = tuple(resource_hooks)
        self._allowed = allowed
        self._attempted = 0
        self._failed = 0

    @property
    def status(self) -> dict[str, int]:
        """`status.hookStatus`; zeros are left out, as Go does."""
        counts = {"hooksAttempted": self._attempted, "hooksFailed": self._failed}
        return {name: count for name, count in counts.items() if count}

    def hold(self, group_resource: str) -> Hold:
        """Say which items have hooks: pods with an annotation, and those that an entry of the spec may match."""
        if group_resource != _PODS:
            return NOTHING_HELD
        hold = Hold(paths=frozenset(("metadata", "annotations", name) for name in COMMAND_ANNOTATIONS))
        for entry in self._resource_hooks:
            hold |= _hold_of(entry)
        return hold

    def run(self, phase: Phase, item: Mapping[str, Any], *, results: Results, log: Log) -> bool:
        """Run the hooks of an item's phase; False where its pre hook failed so that it must not be stored.

        A post hook comes after that decision; where it has onError Fail, one more error says so, as in 1.18.
        """
        if (item.get("apiVersion"), item.get("kind")) != ("v1", "Pod") or runs_no_hooks(item):
            return True
        pod = _Pod(item, phase, results=results, log=log)
        chosen = hooks_of(item, phase, self._resource_hooks)
        for warning in chosen.warnings:
            results.add_warning(warning, namespace=pod.namespace, resource=_PODS, name=pod.name)
        for hook in chosen.hooks:
            if not self._allowed.allows(hook.source):
                pod.refuse(hook, self._allowed)
            elif not self._run_one(pod, hook):
                return pod.give_up(hook)
        return True

    def _run_one(self, pod: "_Pod", hook: ExecHook) -> bool:
        """Run one hook; False where those after it must not run."""
        self._attempted += 1
        try:
            self._execute_in(pod, hook)
        except PinnaceError as error:
            self._failed += 1
            pod.fail(hook, error)
            return not hook.fails_pod
        return True

    def _execute_in(self, pod: "_Pod", hook: ExecHook) -> None:
        container = container_of(pod.document, hook)
        if not hook.command:
            raise UsageError("the hook has no command; give a program, or a JSON array with one and its arguments")
        fields = pod.fields(hook)
        pod.log.info("Running the hook", **fields)
        try:
            output = self._execute(
                namespace=pod.namespace,
                pod=pod.name,
                container=container,
                command=hook.command,
                timeout_seconds=_timeout_seconds(hook),
            )
        except ExecError as error:
            pod.say(error.stdout, error.stderr, fields)
            raise
        pod.say(output.stdout, output.stderr, fields)


class _Pod:
    """One pod in one phase, and where to tell what becomes of its hooks."""

    def __init__(self, document: Mapping[str, Any], phase: Phase, *, results: Results, log: Log) -> None:
        self.document = document
        self.namespace = str(document["metadata"].get("namespace") or "")
        self.name = str(document["metadata"]["name"])
        self.log = log
        self._phase: Literal["pre", "post"] = phase
        self._results = results

    def fields(self, hook: ExecHook) -> dict[str, str]:
        """The fields of a log line about a hook, in Velero's names and Go's spelling."""
        return {"namespace": self.namespace, "resource": _PODS, "name": self.name} | self._hook_fields(hook)

    def say(self, stdout: str, stderr: str, fields: Mapping[str, str]) -> None:
        """Write what a command said."""
        for stream, text in (("stdout", stdout), ("stderr", stderr)):
            line = f"{stream}: {text}"
            self.log.info(line, **fields)

    def fail(self, hook: ExecHook, error: PinnaceError) -> None:
        """Tell of a hook that failed: an error whatever its onError is."""
        self._add("Error executing hook", hook, error=f"{self._phase} hook {hook.name}: {error}")

    def refuse(self, hook: ExecHook, allowed: AllowedHooks) -> None:
        """Tell of a hook that may not be run here."""
        fix = {"annotation": "--hooks annotations runs it", "backupSpec": "--hooks spec runs it"}[hook.source]
        where = {"annotation": "the pod's annotations", "backupSpec": "spec.hooks"}[hook.source]
        reason = f"hooks of {where} are not run with --hooks {allowed}; {fix}"
        self._add("Hook was not run", hook, error=f"{self._phase} hook {hook.name}: {reason}")

    def give_up(self, hook: ExecHook) -> bool:
        """Tell what a failure with onError Fail costs; True where the pod is stored all the same."""
        if self._phase == "pre":
            reason = f"its pre hook {hook.name} failed, and has onError Fail"
            self._results.add_error(
                "Error backing up item", namespace=self.namespace, resource=_PODS, name=self.name, error=reason
            )
            return False
        self._results.add_error(
            "Error running post hooks for pod", namespace=self.namespace, resource=_PODS, name=self.name
        )
        return True

    def _add(self, message: str, hook: ExecHook, *, error: str) -> None:
        self._results.add_error(
            message,
            namespace=self.namespace,
            resource=_PODS,
            name=self.name,
            error=error,
            fields=self._hook_fields(hook),
        )

    def _hook_fields(self, hook: ExecHook) -> dict[str, str]:
        container = hook.container
        with suppress(UsageError):
            container = container_of(self.document, hook)
        return {
            "hookSource": hook.source,
            "hookType": "exec",
            "hookPhase": self._phase,
            "hookName": hook.name,
            "hookContainer": container,
            "hookCommand": f"[{' '.join(hook.command)}]",
            "hookOnError": hook.logged_on_error,
            "hookTimeout": format_duration(hook.effective_timeout_seconds),
        }


def _timeout_seconds(hook: ExecHook) -> float:
    is_interrupted = isinstance(sys.exception(), InterruptedRun)
    return min(hook.effective_timeout_seconds, _LAST_SECONDS) if is_interrupted else hook.effective_timeout_seconds


def _hold_of(entry: ResourceHooks) -> Hold:
    """The narrowest thing that the engine can look for: namespaces, else a label's presence, else every pod."""
    if not (entry.pre or entry.post):
        return NOTHING_HELD
    namespaces = entry.included_namespaces
    if namespaces and not any(glob.is_pattern(name) for name in namespaces):
        return Hold(namespaces=frozenset(namespaces))
    labels = (entry.label_selector or {}).get("matchLabels") or {}
    if keys := [key for key, value in labels.items() if value]:
        return Hold(paths=frozenset({("metadata", "labels", keys[0])}))
    return Hold(everything=True)
