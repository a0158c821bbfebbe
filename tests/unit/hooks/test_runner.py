"""What a hook's end costs: log lines, errors, counts, and whether the pod is stored, as onError and the phase say."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pinnace.engine import NOTHING_HELD, Hold
from pinnace.errors import ExecError, ExecExitError, InterruptedRun, KubeError, PinnaceError
from pinnace.hooks.allowed import AllowedHooks
from pinnace.hooks.runner import HookRunner
from pinnace.kube.exec import Output
from pinnace.velero.hooks import COMMAND_ANNOTATIONS, ExecHook, Phase, ResourceHooks
from pinnace.velero.results import Entry, Results

PRE, POST = "pre.hook.backup.velero.io/", "post.hook.backup.velero.io/"
OK, EXIT_1 = Output("out", "err"), ExecExitError(code=1, stdout="some", stderr="thing")


class Containers:
    """Answers by the command's first word, and notes what ran where."""

    def __init__(self, answers: Mapping[str, Output | PinnaceError]) -> None:
        self._answers = answers
        self.ran: list[tuple[str, str, tuple[str, ...], float]] = []

    def execute(
        self, *, namespace: str, pod: str, container: str, command: Sequence[str], timeout_seconds: float
    ) -> Output:
        self.ran.append((f"{namespace}/{pod}", container, tuple(command), timeout_seconds))
        answer = self._answers.get(command[0], OK)
        if isinstance(answer, PinnaceError):
            raise answer
        return answer


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, message: str, **fields: str | int) -> None:
        self.lines.append((message, fields))


class Run:
    """A runner, a pod and what came of it."""

    def __init__(
        self,
        *hooks: ResourceHooks,
        allowed: AllowedHooks = AllowedHooks.ANNOTATIONS,
        **answers: Output | PinnaceError,
    ) -> None:
        self.containers, self.log, self.results = Containers(answers), Lines(), Results()
        self.runner = HookRunner(self.containers.execute, resource_hooks=hooks, allowed=allowed)

    def __call__(self, phase: Phase, item: dict[str, Any]) -> bool:
        return self.runner.run(phase, item, results=self.results, log=self.log)

    @property
    def commands(self) -> list[str]:
        return [command[0] for _, _, command, _ in self.containers.ran]

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(entry.message, entry.error) for entry in self.results.entries()]


def pod(annotations: dict[str, str] | None = None, *, phase: str = "Running") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "db-0", "namespace": "shop", "annotations": annotations or {}, "labels": {"app": "db"}},
        "spec": {"containers": [{"name": "db"}, {"name": "side"}]},
        "status": {"phase": phase},
    }


def spec_hooks(*commands: str, on_error: str = "", phase: Phase = "pre") -> ResourceHooks:
    hooks = tuple(ExecHook((command,), on_error=on_error, name="h", source="backupSpec") for command in commands)
    return ResourceHooks("h", pre=hooks if phase == "pre" else (), post=hooks if phase == "post" else ())


def test_a_hook_that_ends_well_is_in_the_log_with_its_output() -> None:
    run = Run()
    annotations = {f"{PRE}command": '["a", "b c"]', f"{PRE}container": "side", f"{PRE}timeout": "1m"}
    assert run("pre", pod(annotations)) is True
    assert run.containers.ran == [("shop/db-0", "side", ("a", "b c"), 60.0)]
    fields = {
        "namespace": "shop", "resource": "pods", "name": "db-0", "hookSource": "annotation", "hookType": "exec",
        "hookPhase": "pre", "hookName": "<from-annotation>", "hookContainer": "side", "hookCommand": "[a b c]",
        "hookOnError": "Fail", "hookTimeout": "1m0s",
    }  # fmt: skip
    lines = ("Running the hook", "stdout: out", "stderr: err")
    assert run.log.lines == [(message, fields) for message in lines]
    assert (run.told, run.runner.status) == ([], {"hooksAttempted": 1})


@pytest.mark.parametrize(
    ("phase", "on_error", "commands", "stored", "costs"),
    [
        ("pre", "", ["a", "b"], True, []),
        ("pre", "Continue", ["a", "b"], True, []),
        ("pre", "Fail", ["a"], False, [("Error backing up item", "its pre hook h failed, and has onError Fail")]),
        ("post", "", ["a", "b"], True, []),
        ("post", "Continue", ["a", "b"], True, []),
        ("post", "Fail", ["a"], True, [("Error running post hooks for pod", "")]),
    ],
)
def test_any_failure_is_an_error_and_on_error_decides_what_else(
    phase: Phase, on_error: str, commands: list[str], stored: bool, costs: list[tuple[str, str]]
) -> None:
    run = Run(spec_hooks("a", "b", on_error=on_error, phase=phase), a=EXIT_1)
    assert run(phase, pod()) is stored
    assert run.commands == commands
    assert run.told == [("Error executing hook", f"{phase} hook h: command terminated with exit code 1"), *costs]
    assert run.runner.status == {"hooksAttempted": len(commands), "hooksFailed": 1}
    assert [message for message, _ in run.log.lines[:3]] == ["Running the hook", "stdout: some", "stderr: thing"]


def test_the_error_names_the_pod_and_its_log_line_the_hook() -> None:
    run = Run(spec_hooks("a"), a=KubeError(request="exec shop/db-0", status=403, reason="forbidden"))
    run("pre", pod())
    [entry] = run.results.entries()
    fields = {
        "hookSource": "backupSpec", "hookType": "exec", "hookPhase": "pre", "hookName": "h", "hookContainer": "db",
        "hookCommand": "[a]", "hookOnError": "Fail", "hookTimeout": "30s",
    }  # fmt: skip
    error = "pre hook h: exec shop/db-0: forbidden"
    assert entry == Entry("error", "Error executing hook", "shop", "pods", "db-0", error, fields)


@pytest.mark.parametrize(
    ("annotations", "error"),
    [
        ({f"{PRE}command": "a", f"{PRE}container": "x"}, 'no such container: "x"'),
        (
            {f"{PRE}command": "[]"},
            "the hook has no command; give a program, or a JSON array with one and its arguments",
        ),
    ],
)
def test_a_hook_that_can_not_be_run_failed(annotations: dict[str, str], error: str) -> None:
    run = Run()
    assert run("pre", pod(annotations)) is True
    assert run.told == [("Error executing hook", f"pre hook <from-annotation>: {error}")]
    assert (run.commands, run.runner.status) == ([], {"hooksAttempted": 1, "hooksFailed": 1})


def test_a_bad_annotation_is_a_warning_and_the_hook_runs() -> None:
    run = Run()
    run("pre", pod({f"{PRE}command": "a", f"{PRE}timeout": "soon"}))
    assert [(entry.severity, entry.namespace, entry.name) for entry in run.results.entries()] == [
        ("warning", "shop", "db-0")
    ]
    assert run.commands == ["a"]


@pytest.mark.parametrize(
    ("allowed", "annotations", "commands", "error"),
    [
        (AllowedHooks.ANNOTATIONS, {f"{PRE}command": "a"}, ["a"], ""),
        (AllowedHooks.ANNOTATIONS, {}, ["s"], ""),
        (AllowedHooks.SPEC, {}, ["s"], ""),
        (
            AllowedHooks.SPEC,
            {f"{PRE}command": "a"},
            [],
            "hooks of the pod's annotations are not run with --hooks spec; --hooks annotations runs it",
        ),
        (AllowedHooks.OFF, {}, [], "hooks of spec.hooks are not run with --hooks off; --hooks spec runs it"),
    ],
)
def test_a_hook_that_is_not_allowed_is_an_error_and_the_pod_is_stored(
    allowed: AllowedHooks, annotations: dict[str, str], commands: list[str], error: str
) -> None:
    run = Run(spec_hooks("s", on_error="Fail"), allowed=allowed)
    assert run("pre", pod(annotations)) is True
    assert run.commands == commands
    name = "<from-annotation>" if annotations else "h"
    assert run.told == ([("Hook was not run", f"pre hook {name}: {error}")] if error else [])
    assert run.runner.status == ({"hooksAttempted": 1} if commands else {})


@pytest.mark.parametrize(
    "item",
    [
        pod({f"{PRE}command": "a"}, phase="Succeeded"),
        pod({f"{PRE}command": "a"}, phase="Failed"),
        {**pod({f"{PRE}command": "a"}), "kind": "PodTemplate"},
        {**pod({f"{PRE}command": "a"}), "apiVersion": "example.com/v1"},
        pod(),
    ],
)
def test_nothing_runs_in_pods_that_have_ended_and_in_what_is_no_pod(item: dict[str, Any]) -> None:
    run = Run()
    assert run("pre", item) is True
    assert (run.commands, run.log.lines, run.told, run.runner.status) == ([], [], [], {})


def test_an_unexpected_end_of_the_connection_is_a_failure_like_others() -> None:
    run = Run(a=ExecError("the connection ended before the command did"))
    assert run("post", pod({f"{POST}command": "a", f"{POST}on-error": "Continue"})) is True
    assert run.told == [
        ("Error executing hook", "post hook <from-annotation>: the connection ended before the command did")
    ]


def test_the_post_hook_of_a_run_that_is_told_to_stop_gets_three_seconds() -> None:
    run = Run()
    item = pod({f"{POST}command": "thaw", f"{POST}timeout": "1m"})

    def interrupted() -> None:
        try:
            run("post", item)
            raise InterruptedRun(signal_number=15)
        finally:
            run("post", item)

    with pytest.raises(InterruptedRun):
        interrupted()
    assert [seconds for *_, seconds in run.containers.ran] == [60.0, 3.0]


_ANNOTATED = frozenset(("metadata", "annotations", name) for name in COMMAND_ANNOTATIONS)


@pytest.mark.parametrize(
    ("entries", "hold"),
    [
        ([], Hold(paths=_ANNOTATED)),
        ([ResourceHooks("without hooks")], Hold(paths=_ANNOTATED)),
        ([spec_hooks("a")], Hold(everything=True, paths=_ANNOTATED)),
        (
            [ResourceHooks("h", included_namespaces=("a", "b"), post=spec_hooks("a").pre)],
            Hold(namespaces=frozenset({"a", "b"}), paths=_ANNOTATED),
        ),
        (
            [ResourceHooks("h", included_namespaces=("a*",), pre=spec_hooks("a").pre)],
            Hold(everything=True, paths=_ANNOTATED),
        ),
        (
            [ResourceHooks("h", label_selector={"matchLabels": {"n": "", "app": "db"}}, pre=spec_hooks("a").pre)],
            Hold(paths=_ANNOTATED | {("metadata", "labels", "app")}),
        ),
        (
            [ResourceHooks("h", label_selector={"matchLabels": {"n": ""}}, pre=spec_hooks("a").pre)],
            Hold(everything=True, paths=_ANNOTATED),
        ),
    ],
)
def test_only_pods_that_may_have_hooks_are_held(entries: list[ResourceHooks], hold: Hold) -> None:
    runner = Run(*entries).runner
    assert (runner.hold("pods"), runner.hold("secrets")) == (hold, NOTHING_HELD)
